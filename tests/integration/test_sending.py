"""Slices of sends against a Bot API that answers as it is told."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone

from botyard.bots.registry import ServedBot
from botyard.limiter import Permit
from botyard.settings import Settings
from botyard.telemetry import metrics
from tests.factories import TELEGRAM_ID, TOKEN, make_bot, message
from tests.integration.fake_api import FakeApi, around, cut, echo, error, half, raw, silence
from tests.integration.outbox_tools import add_row, column, outbox_of
from tests.integration.rig import Rig, rig
from tests.services import Services

FREE_PORT_OF_NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def bot(clean: Services, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(api_url=api.url)


def state(yard: Rig, row_id: int, names: str = "state") -> tuple[Any, ...]:
    return column(yard.services, row_id, names)


async def send_until(yard: Rig, bot: ServedBot, row_id: int, wanted: str) -> None:
    await yard.deliver_until(bot, lambda: state(yard, row_id) == (wanted,))


async def test_a_row_is_sent_as_it_stands_and_its_message_id_is_kept(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    row_id = add_row(
        yard.services, bot, "hällo <b>", params={"chat_id": 5, "text": "hällo", "reply_markup": {"a": [1]}}
    )
    await yard.deliver(bot)
    (call,) = api.calls
    assert (call.method, call.token) == ("sendMessage", TOKEN)
    assert call.params == {"chat_id": 5, "text": "hällo", "reply_markup": {"a": [1]}}
    assert state(yard, row_id, "state, message_id, error") == ("sent", 1001, None)


async def test_messages_of_a_chat_go_in_order_and_urgent_ones_first(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    for number in range(3):
        add_row(yard.services, bot, f"reply {number}", chat_key="5")
    add_row(yard.services, bot, "urgent", chat_key="6", lane=0, method="answerCallbackQuery")
    await yard.deliver(bot)
    assert [text for text in api.texts if text != "urgent"] == ["reply 0", "reply 1", "reply 2"]
    assert "urgent" in api.texts[:2]


async def test_a_429_closes_this_chat_for_the_time_it_says_and_no_other(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.refusing[5] = error(429, "Too Many Requests: retry after 2", retry_after=2)
    closed = add_row(yard.services, bot, "first", chat_key="5")
    add_row(yard.services, bot, "second", chat_key="5")
    other = add_row(yard.services, bot, "other", chat_key="6", params={"chat_id": 6, "text": "other"})
    await yard.deliver(bot)
    assert sorted(api.texts) == ["first", "other"]
    assert state(yard, closed, "state, failures, uncertain_count") == ("retry", 0, 0)
    assert state(yard, other) == ("sent",)
    api.refusing.clear()
    await yard.deliver(bot)
    assert len(api.calls) == 2, "not before its time"
    assert yard.redis.pttl(f"by:shut:{bot.id}") > 1_500, "the deadline stands in Redis: it survives a restart"
    await send_until(yard, bot, closed, "sent")


async def test_three_refused_chats_close_their_bot_and_no_other(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    other_bot = make_bot(TELEGRAM_ID + 1, api_url=api.url)
    for chat in (5, 6, 7):
        api.refusing[chat] = error(429, "Too Many Requests: retry after 2", retry_after=2)
        add_row(yard.services, bot, params={"chat_id": chat, "text": "refused"}, chat_key=str(chat))
    await yard.deliver(bot)
    waiting = add_row(yard.services, bot, params={"chat_id": 8, "text": "waits"}, chat_key="8")
    free = add_row(yard.services, other_bot, params={"chat_id": 9, "text": "free"}, chat_key="9")
    await yard.deliver(bot)
    await yard.deliver(other_bot)
    assert (state(yard, waiting), state(yard, free)) == (("queued",), ("sent",))
    await send_until(yard, bot, waiting, "sent")


async def test_a_bulk_send_keeps_its_pace_and_a_reply_does_not_wait_for_it(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    async with rig(clean, settings, limit_bulk_per_second=20.0) as yard:
        bot = make_bot(api_url=api.url)
        for chat in range(1, 31):
            add_row(yard.services, bot, params={"chat_id": chat, "text": "bulk"}, chat_key=str(chat), lane=3)
        add_row(yard.services, bot, params={"chat_id": 99, "text": "reply"}, chat_key="99")
        yard.tickets.send_soon(yard.keeper.wake(bot.id))
        started = asyncio.get_running_loop().time()
        await yard.settle()
        assert "reply" in api.texts[:3]
        assert len(api.texts) == 31
        assert 1.4 < asyncio.get_running_loop().time() - started < 5


@pytest.mark.parametrize(
    ("status", "text"),
    [(400, "Bad Request: message text is empty"), (404, "Not Found"), (409, "Conflict: x")],
)  # fmt: skip
async def test_a_refusal_is_a_dead_letter_at_once_and_the_next_row_goes(
    yard: Rig, api: FakeApi, bot: ServedBot, status: int, text: str
) -> None:
    api.script = [error(status, text)]
    row_id, following = add_row(yard.services, bot, "first"), add_row(yard.services, bot, "second")
    await yard.deliver(bot)
    assert state(yard, row_id, "state, attempt") == ("dead", 1)
    ((what, reason, request),) = yard.services.superuser(
        "SELECT what, reason, request#>>'{params,text}' FROM dead_letters"
    )
    assert (what, request) == ("send", "first")
    assert text.removeprefix("Bad Request: ").removeprefix("Forbidden: ").lower() in reason.lower()
    assert state(yard, following) == ("sent",)


async def test_an_edit_that_changes_nothing_counts_as_made(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [error(400, "Bad Request: message is not modified: specified new message content…")]
    row_id = add_row(yard.services, bot, method="editMessageText")
    await yard.deliver(bot)
    assert state(yard, row_id) == ("sent",)


TROUBLE = {
    "500": error(500, "Internal Server Error"),
    "502 as HTML": raw(502, b"<html>Bad Gateway</html>"),
    "503 empty": raw(503, b""),
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_the_apis_own_trouble_is_tried_again_and_not_counted_while_it_answers_nobody(
    yard: Rig, api: FakeApi, bot: ServedBot, trouble: str
) -> None:
    api.script = [TROUBLE[trouble]] * 4
    row_id = add_row(yard.services, bot)
    await send_until(yard, bot, row_id, "sent")
    assert state(yard, row_id, "attempt, failures, uncertain_count") == (5, 0, 0)


async def test_trouble_with_one_row_only_ends_it_at_its_fifth_failure(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.refusing[6] = error(500, "Internal Server Error")
    row_id = add_row(yard.services, bot, chat_key="6", params={"chat_id": 6, "text": "poison"})
    while state(yard, row_id, "state") != ("dead",):
        add_row(yard.services, bot, chat_key="5")
        await yard.deliver_until(bot, lambda: state(yard, row_id, "due <= now()") == (True,))
        await yard.deliver(bot)
    assert state(yard, row_id, "failures") == (5,)


async def test_an_outage_in_the_middle_of_good_answers_ends_nothing(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    add_row(yard.services, bot, chat_key="5")
    await yard.deliver(bot)
    api.script = [TROUBLE["500"]] * 15
    rows = [add_row(yard.services, bot, chat_key=str(6 + number)) for number in range(3)]
    for row_id in rows:
        await send_until(yard, bot, row_id, "sent")
    assert sum(state(yard, row_id, "failures")[0] for row_id in rows) <= 1


async def test_a_refused_connection_is_tried_again_uncounted_and_certain(yard: Rig) -> None:
    bot = make_bot(api_url=FREE_PORT_OF_NOBODY)
    row_id = add_row(yard.services, bot)
    for _ in range(4):
        await yard.deliver_until(bot, lambda: state(yard, row_id, "due <= now()") == (True,))
        await yard.deliver(bot)
    shown = state(yard, row_id, "state, failures, uncertain_count, error")
    assert shown == ("retry", 0, 0, "NotSent: ClientConnectorError")


SENSELESS = {
    "no answer": silence,
    "cut": cut,
    "half an answer": half,
    "HTML with 200": raw(200, b"<html>Log in to this network</html>"),
    "no result": raw(200, b'{"ok": true}', "application/json"),
    "a list": raw(200, b"[]", "application/json"),
    "retry_after of words": error(429, "x", retry_after="soon"),
}


@pytest.mark.parametrize("what", SENSELESS)
async def test_a_send_without_a_sensible_answer_is_uncertain_and_repeated_twice_at_most(
    yard: Rig, api: FakeApi, bot: ServedBot, what: str
) -> None:
    api.refusing[5] = SENSELESS[what]
    row_id = add_row(yard.services, bot, "first")
    other = add_row(yard.services, bot, "other", chat_key="6", params={"chat_id": 6, "text": "other"})
    await send_until(yard, bot, row_id, "uncertain")
    assert state(yard, row_id, "attempt, uncertain_count") == (3, 3)
    assert state(yard, other, "state, attempt") == ("sent", 1)
    assert api.texts.count("other") == 1


async def test_a_send_without_an_answer_is_repeated_once_and_then_sent(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    metrics.take_pending()
    api.script = [cut]
    row_id = add_row(yard.services, bot)
    await send_until(yard, bot, row_id, "sent")
    assert state(yard, row_id, "attempt, uncertain_count") == (2, 1)
    counted = {field: amount for field, amount in metrics.take_pending().items() if b"uncertain" in field}
    assert list(counted.values()) == [1], "such sends are counted"


async def test_a_send_without_an_answer_is_left_where_that_is_the_bots_choice(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [cut]
    row_id = add_row(yard.services, bot, repeat_policy="leave")
    following = add_row(yard.services, bot, "second")
    await yard.deliver(bot)
    assert state(yard, row_id, "state, attempt, uncertain_count") == ("uncertain", 1, 1)
    assert state(yard, following) == ("sent",)


HOSTILE = {
    "a NUL in the description": error(400, "bad \0 thing"),
    "a description of another type": raw(400, b'{"ok":false,"description":5}', "application/json"),
    "an endless wait": error(429, "x", retry_after=10**300),
    "a negative wait": error(429, "x", retry_after=-5),
    "parameters of another type": raw(400, b'{"ok":false,"description":"x","parameters":[1]}', "application/json"),
    "a huge message id": raw(200, b'{"ok":true,"result":{"message_id":%d}}' % 2**63, "application/json"),
    "a message id of words": raw(200, b'{"ok":true,"result":{"message_id":"x"}}', "application/json"),
    "a status of nobody": raw(299, b"", "application/json"),
    "an odd status": raw(599, b"\0\xff"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_an_answer_of_a_hostile_server_harms_its_own_row_only(
    yard: Rig, api: FakeApi, bot: ServedBot, what: str
) -> None:
    api.refusing[5] = HOSTILE[what]
    hostile = add_row(yard.services, bot, "hostile")
    others = [
        add_row(yard.services, bot, str(chat), chat_key=str(chat), params={"chat_id": chat, "text": str(chat)})
        for chat in range(10, 20)
    ]
    await yard.deliver_until(bot, lambda: all(state(yard, row_id) == ("sent",) for row_id in others))
    assert [state(yard, row_id, "failures") for row_id in others] == [(0,)] * 10
    assert state(yard, hostile) != ("sending",)
    assert api.texts.count("hostile") < 10, "a slice does not hammer the server"


async def test_a_redirection_is_not_followed(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [around]
    add_row(yard.services, bot, repeat_policy="leave")
    answer = await yard.api.send(outbox_of(bot).record_and_claim([], 1)[0], {"chat_id": 5}, api.url, TOKEN)
    assert answer.verdict != "sent"
    assert len(api.calls) == 1, "somebody else's server must not send us elsewhere"


async def test_what_is_late_is_not_sent(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    row_id = add_row(yard.services, bot, deadline=-1)
    await yard.deliver(bot)
    assert (state(yard, row_id), api.calls) == (("expired",), [])


async def test_what_a_dead_sender_was_sending_is_taken_over_at_once(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    row_id = add_row(yard.services, bot)
    outbox_of(bot, "died").record_and_claim([], 50)
    await yard.deliver(bot)
    assert state(yard, row_id, "state, attempt, uncertain_count") == ("sent", 2, 1)
    assert len(api.calls) == 1


async def test_a_message_that_never_arrived_takes_its_edits_with_it(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    from botyard.telegram.run import provisional_id

    api.script = [error(400, "Bad Request: message is too long")]
    known: dict[str, Any] = {"telegram_id": bot.telegram_id, "update_id": 9}
    message_row = add_row(yard.services, bot, n=1, **known)
    edit = add_row(
        yard.services, bot, n=2, after_id=message_row, method="editMessageText",
        params={"chat_id": 5, "message_id": provisional_id(9, 1), "text": "edit"}, **known,
    )  # fmt: skip
    await yard.deliver(bot)
    assert state(yard, edit, "state, error") == ("dead", "the message it refers to was never sent")
    assert len(api.calls) == 1


async def test_an_edit_finds_its_message_in_the_same_update_and_in_a_later_one(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.kinds:editing", api_url=api.url)
    await yard.give(bot, message(1, "/begin"))
    await yard.settle()
    await yard.give(bot, message(2, "/more"))
    await yard.settle()
    assert [(call.method, call.params.get("message_id")) for call in api.calls] == [
        ("sendMessage", None),
        ("editMessageText", 1001),
        ("editMessageText", 1001),
        ("deleteMessage", 1001),
    ]
    assert api.texts == ["one", "two", "three"]


async def test_the_limits_hold_and_everything_arrives_in_order(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    async with rig(clean, settings, limit_private_burst=3, limit_private_per_second=5.0) as yard:
        bot = make_bot(api_url=api.url)
        for number in range(6):
            add_row(yard.services, bot, str(number))
        yard.tickets.send_soon(yard.keeper.wake(bot.id))
        started = asyncio.get_running_loop().time()
        await yard.settle()
        assert api.texts == ["0", "1", "2", "3", "4", "5"]
        assert 0.55 < asyncio.get_running_loop().time() - started < 3


class Hiccup:
    """A limiter whose Redis is away for the first request."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.times = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def reserve(self, *args: Any) -> list[Permit]:
        if self.times:
            self.times -= 1
            raise RedisGone("away")
        found: list[Permit] = await self._real.reserve(*args)
        return found


async def test_a_row_that_was_claimed_when_redis_went_away_is_surely_unsent(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    row_id = add_row(yard.services, bot, repeat_policy="leave")
    yard.limiter = Hiccup(yard.limiter)
    with suppress(RedisGone):
        await yard.deliver(bot)
    await send_until(yard, bot, row_id, "sent")
    assert state(yard, row_id, "uncertain_count") == (0,)
    assert len(api.calls) == 1


async def test_an_echoed_address_is_kept_without_its_token(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [echo(404)]
    row_id = add_row(yard.services, bot)
    await yard.deliver(bot)
    assert TOKEN.split(":")[1] not in state(yard, row_id, "error")[0]
