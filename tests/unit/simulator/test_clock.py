from collections.abc import Callable

import pytest

from botyard.simulator.clock import Clock, Timers
from botyard.simulator.errors import ApiError
from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.asking import order, told
from tests.unit.simulator.conftest import Stage

DAY = 86_400


class Machine:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_clock_shows_the_machines_time_until_it_is_set(machine: Machine) -> None:
    clock = Clock(machine)
    assert clock.now() == 1000
    clock.set(at=5000)
    machine.time += 10
    assert (clock.now(), clock.offset) == (5010, 4000)
    clock.reset()
    assert clock.now() == 1010


def test_a_clock_runs_at_its_own_pace_and_can_stand_still(machine: Machine) -> None:
    clock = Clock(machine)
    clock.set(speed=60)
    machine.time += 2
    assert clock.now() == 1120
    clock.set(speed=0)
    machine.time += 100
    assert clock.now() == 1120


def test_an_offset_counts_from_the_machine_and_not_from_what_the_clock_showed(machine: Machine) -> None:
    clock = Clock(machine)
    clock.set(offset=50)
    clock.set(offset=50)
    assert clock.now() == 1050


def test_calls_are_made_in_the_order_of_their_moments_and_cancelled_ones_are_not(machine: Machine) -> None:
    timers, made = Timers(Clock(machine)), list[str]()

    def note(name: str) -> Callable[[], None]:
        return lambda: made.append(name)

    timers.at(1003, note("late"))
    timers.after(1, note("early"))
    timers.after(2, note("never")).cancel()
    timers.run()
    assert made == []
    machine.time += 5
    timers.run()
    timers.run()
    assert made == ["early", "late"]


def test_a_call_that_asks_for_the_same_moment_again_waits_for_the_next_round(machine: Machine) -> None:
    timers, made = Timers(Clock(machine)), list[int]()

    def again() -> None:
        made.append(1)
        timers.after(0, again)

    timers.after(0, again)
    timers.run()
    assert made == [1]


def test_deadlines_of_the_simulator_follow_its_clock(stage: Stage) -> None:
    stage.write()
    shown = order(stage, "/sim/clock", advance=DAY + 1)
    assert shown["offset"] == DAY + 1
    assert stage.call("getWebhookInfo")["pending_update_count"] == 0
    for _ in range(20):
        stage.say()
    assert "retry after" in stage.refusal("sendMessage", chat_id=stage.person.id, text="one too many")
    order(stage, "/sim/clock", advance=10)
    stage.say()


def test_the_clock_can_be_read_and_shown_as_it_is_set(stage: Stage) -> None:
    assert order(stage, "/sim/clock", at=2_000_000_000, speed=0)["at"] == 2_000_000_000
    assert order(stage, "/sim/clock", "GET") == {
        "at": 2_000_000_000, "offset": 2_000_000_000 - stage.clock(), "speed": 0,
    }  # fmt: skip
    assert order(stage, "/sim/clock", reset=True)["offset"] == 0
    assert "speed must be" in told(stage, "/sim/clock", speed=-1)


def test_a_set_clock_goes_on_after_a_restart(stage: Stage) -> None:
    order(stage, "/sim/clock", at=2_000_000_000, speed=10)
    stage.clock.time += 5
    world = World(stage.clock)
    restore(world, dump(stage.world))
    assert world.now() == 2_000_000_050


def flooded(stage: Stage) -> bool:
    return isinstance(stage.call("sendMessage", chat_id=stage.person.id, text="hi"), ApiError)


def test_floods_and_faults_go_on_when_the_clock_is_turned_back(stage: Stage) -> None:
    assert stage.private
    order(stage, "/sim/clock", advance=DAY)
    assert not any(flooded(stage) for _ in range(20))
    order(stage, "/sim/faults", fault="500", after=5, seconds=60)
    order(stage, "/sim/clock", reset=True)
    assert stage.refusal("sendMessage", chat_id=stage.person.id, text="hi").endswith("retry after 10")
    stage.clock.time += 10
    assert not flooded(stage)
    assert stage.simulator.faults.strike(stage.bot.id, 5, "sendMessage")
    stage.clock.time += 60
    assert stage.simulator.faults.strike(stage.bot.id, 5, "sendMessage") is None


def test_what_counts_seconds_waits_no_longer_when_the_clock_is_turned_back_and_a_moment_stays(stage: Stage) -> None:
    made = list[str]()
    order(stage, "/sim/clock", advance=DAY)
    stage.world.timers.after(60, lambda: made.append("counted"))
    stage.world.timers.at(stage.clock() + DAY + 60, lambda: made.append("moment"))
    order(stage, "/sim/clock", reset=True)
    stage.clock.time += 61
    stage.world.timers.run()
    assert made == ["counted"]
    order(stage, "/sim/clock", advance=DAY)
    assert made == ["counted", "moment"]


def test_a_seed_lets_chance_repeat_itself_and_never_an_id(stage: Stage) -> None:
    assert stage.private
    polls, dice = [], []
    for _ in range(2):
        order(stage, "/sim/settings", seed=1)
        sent = stage.call("sendPoll", chat_id=stage.person.id, question="Which?", options=["A", "B"])
        polls.append(sent["poll"]["id"])
        dice.append([stage.call("sendDice", chat_id=stage.person.id)["dice"]["value"] for _ in range(5)])
    assert polls[0] != polls[1]
    assert dice[0] == dice[1]
