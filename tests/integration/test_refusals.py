"""What Telegram refuses for good: people who are gone, groups that moved, tokens that were revoked."""

from typing import Any

import pytest

from botyard.bots.registry import ServedBot
from tests.factories import make_bot, message
from tests.integration.fake_api import FakeApi, error
from tests.integration.outbox_tools import add_row, column
from tests.integration.rig import Rig
from tests.services import Services

KINDS = "tests.integration.kinds:"
GONE = {
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "kicked": (403, "Forbidden: bot was kicked from the group chat"),
    "not found": (400, "Bad Request: chat not found"),
}
OLD, NEW = "-500", "-1000000000500"


@pytest.fixture
def bot(clean: Services, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(kind=KINDS + "echo", api_url=api.url)


def state(yard: Rig, row_id: int, names: str = "state") -> tuple[Any, ...]:
    return column(yard.services, row_id, names)


def member(update_id: int, status: str, chat_id: int = 5) -> dict[str, Any]:
    """The update by which Telegram tells that a bot's place in a chat changed."""
    person = {"id": 5, "is_bot": False, "first_name": "Ann"}
    place = {"user": {"id": 1, "is_bot": True, "first_name": "Bot"}}
    kind = "private" if chat_id > 0 else "group"
    return {
        "update_id": update_id,
        "my_chat_member": {
            "chat": {"id": chat_id, "type": kind}, "from": person, "date": 1_700_000_000,
            "old_chat_member": place | {"status": "member"},
            "new_chat_member": place | {"status": status, "until_date": 0},
        },
    }  # fmt: skip


@pytest.mark.parametrize("words", GONE)
async def test_who_is_gone_gets_nothing_more_and_nobody_else_is_touched(
    yard: Rig, api: FakeApi, bot: ServedBot, words: str
) -> None:
    api.refusing[5] = error(*GONE[words])
    gone = [add_row(yard.services, bot, f"{lane}", lane=lane) for lane in (1, 2, 3)]
    later = add_row(yard.services, bot, "later", due=60)
    other = add_row(yard.services, bot, "other", chat_key="6", params={"chat_id": 6, "text": "other"})
    await yard.deliver(bot)
    assert [state(yard, row) for row in [*gone, later]] == [("dropped",)] * 4
    assert GONE[words][1].partition(": ")[2].lower() in state(yard, later, "error")[0].lower()
    assert state(yard, other) == ("sent",)
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]
    assert yard.services.superuser("SELECT type FROM events WHERE entity = 'chat:5'") == [("chat.unreachable",)]

    calls = len(api.calls)
    afterwards = add_row(yard.services, bot, "afterwards")
    await yard.deliver(bot)
    assert state(yard, afterwards) == ("dropped",)
    assert len(api.calls) == calls, "Telegram is not asked again"


async def test_a_person_who_blocks_the_bot_is_written_to_no_more_until_they_come_back(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    waiting = add_row(yard.services, bot, "bulk", lane=3, due=60)
    await yard.give(bot, member(1, "kicked"))
    await yard.settle()
    assert state(yard, waiting) == ("dropped",)
    assert api.calls == []

    await yard.give(bot, member(2, "member"), message(3, "hello", chat_id=5))
    await yard.settle()
    assert api.texts == ["echo hello"]


async def test_whoever_writes_is_reachable_again_also_when_telegram_did_not_tell_of_it(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [error(*GONE["blocked"])]
    add_row(yard.services, bot, "first")
    await yard.deliver(bot)
    await yard.give(bot, message(1, "I am back", chat_id=5))
    await yard.settle()
    assert api.texts[1:] == ["echo I am back"]


async def test_a_refusal_of_before_the_return_is_old_news(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    async def refuse_late(request: Any, params: dict[str, Any]) -> Any:
        await yard.give(bot, member(1, "member"), message(2, "hello", chat_id=5))
        await yard.settle(sending=False)
        return await error(*GONE["blocked"])(request, params)

    api.script = [refuse_late]
    add_row(yard.services, bot, "before")
    await yard.deliver(bot)
    await yard.settle()
    assert api.texts == ["before", "echo hello"]
    assert yard.services.superuser("SELECT unreachable_since FROM chats") == [(None,)]


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        ("Forbidden: MESSAGE_AUTHOR_REQUIRED", {"method": "editMessageText"}),
        ("Forbidden: CHAT_WRITE_FORBIDDEN", {}),
        ("Forbidden: bot was kicked from the channel chat", {"chat_key": "@news", "params": {"chat_id": "@news"}}),
        (
            "Forbidden: bot was blocked by the user",
            {"params": {"chat_id": 5, "text": "x", "business_connection_id": "b"}},
        ),
    ],
)
async def test_a_refusal_that_does_not_tell_of_the_chat_is_its_own_dead_letter_only(
    yard: Rig, api: FakeApi, bot: ServedBot, words: str, columns: dict[str, Any]
) -> None:
    api.script = [error(403, words)]
    refused = add_row(yard.services, bot, **columns)
    await yard.deliver(bot)
    after = add_row(yard.services, bot, "after", chat_key=columns.get("chat_key", "5"))
    await yard.deliver(bot)
    assert (state(yard, refused), state(yard, after)) == (("dead",), ("sent",))
    assert yard.services.superuser("SELECT count(*) FROM chats") == [(0,)]


async def test_an_old_block_that_is_replayed_shuts_nobody_out(yard: Rig, bot: ServedBot) -> None:
    waiting = add_row(yard.services, bot, due=60)
    await yard.give(bot, member(-1, "kicked"))
    await yard.settle(sending=False)
    assert state(yard, waiting) == ("queued",)


async def test_an_answer_to_an_inline_query_reaches_who_blocked_the_private_chat(yard: Rig, bot: ServedBot) -> None:
    await yard.give(bot, member(1, "kicked"))
    await yard.settle()
    row = add_row(
        yard.services, bot, lane=0, method="answerInlineQuery", params={"inline_query_id": "1", "results": []}
    )
    await yard.deliver(bot)
    assert state(yard, row) == ("sent",)


async def test_what_waits_for_who_blocks_the_bot_is_dropped_but_for_urgent_answers(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [error(403, "Forbidden: bot was blocked by the user")]
    params = {"callback_query_id": "1"}
    answer = add_row(yard.services, bot, lane=0, method="answerCallbackQuery", params=params, due=60)
    message = add_row(yard.services, bot, "later", due=60)
    refused = add_row(yard.services, bot, lane=2)
    await yard.deliver(bot)
    assert [state(yard, row) for row in (refused, message, answer)] == [("dropped",), ("dropped",), ("queued",)]


@pytest.mark.parametrize("words", ["query is too old and response timeout expired or query ID is invalid"])
async def test_an_answer_that_came_too_late_is_expired_and_no_dead_letter(
    yard: Rig, api: FakeApi, bot: ServedBot, words: str
) -> None:
    api.script = [error(400, f"Bad Request: {words}")]
    row = add_row(yard.services, bot, lane=0, method="answerCallbackQuery", params={"callback_query_id": "1"})
    await yard.deliver(bot)
    assert state(yard, row) == ("expired",)
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_everything_of_a_groups_outbox_follows_it_and_the_send_that_found_out_goes_once(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await yard.give(bot, message(1, "remember me", chat_id=int(OLD)))
    await yard.settle()
    api.refusing[int(OLD)] = error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=int(NEW))
    params = {"chat_id": int(OLD), "text": "found out"}
    found_out = add_row(yard.services, bot, chat_key=OLD, params=params)
    answer = params | {"text": "waits", "reply_parameters": {"message_id": 3, "chat_id": None}}
    waiting = add_row(yard.services, bot, chat_key=OLD, params=answer)
    before = len(api.calls)
    await yard.deliver_until(bot, lambda: state(yard, waiting) == ("sent",))
    assert state(yard, found_out, "state, chat_key, failures") == ("sent", NEW, 1)
    targets = [(call.params["chat_id"], call.params["text"]) for call in api.calls[before:]]
    assert targets == [(int(OLD), "found out"), (int(NEW), "found out"), (int(NEW), "waits")]
    assert yard.services.superuser("SELECT DISTINCT chat_key FROM messages") == [(NEW,)]
    reply = api.calls[-1].params["reply_parameters"]
    assert reply == {"message_id": 3, "chat_id": None, "allow_sending_without_reply": True}, "its message stayed behind"


@pytest.mark.parametrize("told_in", ["old", "new", "both"])
async def test_either_service_message_tells_that_a_group_moved(
    yard: Rig, api: FakeApi, told_in: str, clean: Services
) -> None:
    bot = make_bot(kind=KINDS + "remembering", api_url=api.url)
    await yard.give(bot, message(1, "one", chat_id=int(OLD)))
    await yard.settle()
    to = message(2, "", chat_id=int(OLD))
    to["message"] |= {"migrate_to_chat_id": int(NEW)}
    came = message(3, "", chat_id=int(NEW))
    came["message"] |= {"migrate_from_chat_id": int(OLD)}
    for told in {"old": [to], "new": [came], "both": [to, came]}[told_in]:
        del told["message"]["text"]
        await yard.give(bot, told)
        await yard.settle()
    # One that comes for the old id yet goes the new one's way.
    await yard.give(bot, message(4, "two", chat_id=int(OLD)))
    await yard.give(bot, message(5, "three", chat_id=int(NEW)))
    await yard.settle()
    assert api.texts == ["one", "one two", "one two three"]
    assert [call.params["chat_id"] for call in api.calls] == [int(OLD), int(NEW), int(NEW)]
    quoting = api.calls[1].params["reply_parameters"]
    assert quoting["allow_sending_without_reply"] is True, "its message stayed behind"
    assert clean.superuser("SELECT key FROM conversations WHERE scope = 'chat'") == [(NEW,)]
    assert clean.superuser("SELECT DISTINCT chat_key FROM messages WHERE direction = 'in'") == [(NEW,)]


async def test_a_revoked_token_stops_its_bot_and_says_so_and_nothing_is_lost(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [error(401, "Unauthorized")] * 3
    row = add_row(yard.services, bot)
    for _ in range(3):
        yard.services.superuser("UPDATE outbox SET due = now()")
        await yard.deliver(bot)
    ((status, reason),) = yard.services.superuser("SELECT status, status_reason FROM bots")
    assert status == "error"
    assert "401" in reason
    assert yard.redis.hget(f"by:bot:{bot.telegram_id}", "paused") == b"1"
    yard.services.superuser("UPDATE outbox SET due = now()")
    await yard.deliver(bot)
    assert len(api.calls) == 3, "a stopped bot asks no more"
    assert state(yard, row, "state, failures") == ("retry", 0)


async def test_one_refused_token_stops_nothing_however_often_its_row_was_claimed(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [error(401, "Unauthorized")]
    add_row(yard.services, bot, attempt=5)
    await yard.deliver(bot)
    assert yard.services.superuser("SELECT status FROM bots") == [("active",)]


async def test_a_token_that_was_replaced_meanwhile_stops_nothing(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    async def replace(request: Any, params: dict[str, Any]) -> Any:
        yard.services.superuser("UPDATE bots SET config_version = config_version + 1")
        return await error(401, "Unauthorized")(request, params)

    api.script = [replace]
    add_row(yard.services, bot, waits='{"token": 60}')
    await yard.deliver(bot)
    assert yard.services.superuser("SELECT status FROM bots") == [("active",)]
