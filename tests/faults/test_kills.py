"""``kill -9`` of everything, under load: nothing lost, nothing doubled, nothing out of order."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import FAST
from tests.e2e.yard import Yard
from tests.faults.campaign import FAULTS, add_bots, run_fault


@pytest.fixture(scope="module")
def own_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with Yard(tmp_path_factory.mktemp("faults"), **FAST) as running:
        running.simulator.post("/sim/settings", flood=False, retry_scale=0.2)
        yield running


@pytest.mark.timeout(420)
def test_two_thousand_updates_survive_the_death_of_every_kind_of_process(own_yard: Yard) -> None:
    bots = add_bots(own_yard)
    own_yard.simulator.post("/sim/settings", redeliver=0.1, late=0.1, late_seconds=1.0, seed=3)

    result = run_fault(own_yard, bots, list(FAULTS), messages=2000, seconds=40)

    print(result)
    assert result.examples == () or result.sent_twice <= result.uncertain
    assert result.holds()
    assert result.accepted == 2000
    assert result.injected == len(FAULTS)


@pytest.mark.timeout(180)
def test_an_update_that_kills_its_process_becomes_a_dead_letter_and_takes_no_other_down(own_yard: Yard) -> None:
    token = "4200000103:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    bot = own_yard.add_bot(token, "tests.e2e.bots:killer", "updates")
    own_yard.simulator.post("/sim/settings", redeliver=0, late=0)
    own_yard.simulator.post("/sim/history/reset")
    innocent = [{"person_id": 6_300_000_001 + number, "text": "hello"} for number in range(10)]
    deadly = [{"person_id": 6_300_000_000, "text": text} for text in ("before", "die", "after")]

    own_yard.simulator.post("/sim/batch", bot_id=bot, messages=[*innocent, *deadly])

    def answers() -> set[str]:
        calls = [one for one in own_yard.simulator.history() if one["kind"] == "call" and one["bot_id"] == bot]
        return {f"{one['chat_id']} {one['params']['text']}" for one in calls if one["method"] == "sendMessage"}

    expected = {f"{message['person_id']} 1 hello" for message in innocent}
    expected |= {"6300000000 1 before", "6300000000 2 after"}
    from tests.e2e.yard import wait_until

    wait_until(lambda: answers() >= expected, 120, "everyone but the deadly update is answered")
    assert answers() == expected
