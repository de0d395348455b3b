import pytest

from botyard.simulator.errors import ApiError
from botyard.simulator.model import Person
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather


def waits(stage: Stage, chat_id: int, **params: object) -> int:
    """Return the seconds that one more send must wait; 0 when it passes."""
    outcome = stage.call("sendMessage", chat_id=chat_id, text="hi", **params)
    if not isinstance(outcome, ApiError):
        return 0
    assert outcome.code == 429
    assert outcome.parameters
    return int(outcome.parameters["retry_after"])


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_a_group_takes_twenty_messages_in_a_minute(stage: Stage, kind: str) -> None:
    chat = gather(stage, kind)
    assert [waits(stage, chat.id) for _ in range(21)] == [0] * 20 + [60]
    stage.clock.time += 59
    assert waits(stage, chat.id) == 1
    stage.clock.time += 1
    assert waits(stage, chat.id) == 0


def test_a_full_chat_holds_up_no_other(stage: Stage) -> None:
    full, free = gather(stage), gather(stage)
    for _ in range(21):
        waits(stage, full.id)
    assert waits(stage, full.id) > 0
    assert waits(stage, free.id) == 0


def test_a_bot_that_pays_sends_faster_and_not_more_to_one_chat(stage: Stage) -> None:
    people = [stage.world.add_person(Person(0, "Bob")) for _ in range(200)]
    for person in people:
        stage.world.private_chat(stage.bot.id, person.id)
    outcomes = [waits(stage, person.id) for person in people]
    assert outcomes == [0] * 60 + [1] * 140
    assert [waits(stage, person.id, allow_paid_broadcast=True) for person in people] == [0] * 200
    assert [waits(stage, people[0].id, allow_paid_broadcast=True) > 0 for _ in range(19)][-1]


def test_an_album_counts_every_message_of_it(stage: Stage) -> None:
    chat = gather(stage)
    for _ in range(19):
        waits(stage, chat.id)
    with pytest.raises(ApiError):
        stage.simulator.flood.count(stage.bot.id, chat, messages=2)
    assert waits(stage, chat.id) == 0


def test_more_at_once_than_the_limit_passes_alone(stage: Stage) -> None:
    chat = gather(stage)
    stage.simulator.flood.count(stage.bot.id, chat, messages=50)
    with pytest.raises(ApiError):
        stage.simulator.flood.count(stage.bot.id, chat)
