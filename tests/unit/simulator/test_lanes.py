import pytest

from botyard.simulator.updates import drop_expired, make_update
from tests.unit.simulator.conftest import Stage

DAY = 24 * 3600
LIVES = {
    "message": DAY,
    "edited_channel_post": DAY,
    "chat_join_request": DAY,
    "poll": DAY,
    "callback_query": 150,
    "shipping_query": 150,
    "pre_checkout_query": 150,
    "inline_query": 30,
    "chosen_inline_result": 600,
}


def lane(stage: Stage, kind: str, *, chat_id: int = -1, user_id: int = 1, poll_id: str = "p1") -> str:
    stage.bot.allowed_updates = [kind]
    payload = {"id": poll_id, "poll_id": poll_id}
    update_id = make_update(stage.world, stage.bot, kind, payload, chat_id=chat_id, user_id=user_id)
    return stage.bot.pending[update_id or 0].lane


@pytest.mark.parametrize(("kind", "seconds"), LIVES.items())
def test_an_update_waits_as_long_as_its_kind_allows(stage: Stage, kind: str, seconds: int) -> None:
    lane(stage, kind)
    stage.clock.time += seconds - 1
    drop_expired(stage.world, stage.bot)
    assert len(stage.bot.pending) == 1
    stage.clock.time += 1
    drop_expired(stage.world, stage.bot)
    assert not stage.bot.pending


@pytest.mark.parametrize(
    "kind",
    ["message", "edited_message", "channel_post", "edited_channel_post", "my_chat_member", "message_reaction"],
)
def test_what_happens_in_a_chat_waits_by_chat(stage: Stage, kind: str) -> None:
    assert lane(stage, kind, user_id=1) == lane(stage, kind, user_id=2)
    assert lane(stage, kind, chat_id=-1) != lane(stage, kind, chat_id=-2)


@pytest.mark.parametrize(
    "kind",
    [
        "callback_query",
        "inline_query",
        "chosen_inline_result",
        "pre_checkout_query",
        "chat_member",
        "chat_join_request",
    ],
)
def test_what_somebody_does_waits_by_person(stage: Stage, kind: str) -> None:
    assert lane(stage, kind, chat_id=-1) == lane(stage, kind, chat_id=-2)
    assert lane(stage, kind, user_id=1) != lane(stage, kind, user_id=2)


@pytest.mark.parametrize("kind", ["poll", "poll_answer"])
def test_votes_wait_by_poll(stage: Stage, kind: str) -> None:
    assert lane(stage, kind, chat_id=-1, user_id=1) == lane(stage, kind, chat_id=-2, user_id=2)
    assert lane(stage, kind, poll_id="p1") != lane(stage, kind, poll_id="p2")


def test_messages_and_their_edits_share_a_queue_and_membership_has_its_own(stage: Stage) -> None:
    assert lane(stage, "message") == lane(stage, "edited_message")
    assert lane(stage, "chat_member") == lane(stage, "chat_join_request")
    assert lane(stage, "shipping_query") == lane(stage, "pre_checkout_query")
    kinds = ("message", "my_chat_member", "message_reaction", "chat_member", "callback_query", "inline_query", "poll")
    assert len({lane(stage, kind) for kind in kinds}) == len(kinds)
