"""A press of a button is answered, whatever its handler does."""

import time
from typing import Any, cast

import pytest

from botyard.bots.registry import ServedBot
from botyard.delivery.unanswered import PATIENCE_SECONDS, answer_unanswered
from botyard.mailbox.protocol import AWAITED
from botyard.telegram.keys import awaited_query, chat_key
from tests.factories import callback, entry, make_bot
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig

KINDS = "tests.integration.kinds:"


async def press(yard: Rig, bot: ServedBot, update_id: int, data: str) -> str:
    """Take a press in, as the webhook does; the id of its query."""
    update = callback(update_id, data)
    query = awaited_query(update)
    assert query is not None
    accepted = await yard.boxes.accept(bot.telegram_id, chat_key(update), update_id, entry(update), query)
    yard.tickets.send_soon(accepted.ticket)
    return query


def answers(api: FakeApi) -> list[tuple[Any, Any]]:
    calls = [call.params for call in api.calls if call.method == "answerCallbackQuery"]
    return [(params["callback_query_id"], params.get("text")) for params in calls]


def answer(yard: Rig) -> int:
    """What a clock does twice a second."""

    def wake(bot_id: int) -> None:
        yard.tickets.send_soon(yard.keeper.wake(bot_id))

    return answer_unanswered(yard.redis, wake)


def make_old(yard: Rig) -> None:
    for member in cast("list[bytes]", yard.redis.zrange(AWAITED, 0, -1)):
        yard.redis.zadd(AWAITED, {member: time.time() - PATIENCE_SECONDS - 1})


@pytest.mark.parametrize(("data", "text"), [("answer", "done"), ("forget", None), ("raise", None)])
async def test_a_press_is_answered_once_by_its_handler_or_for_it(
    yard: Rig, api: FakeApi, data: str, text: str | None
) -> None:
    bot = make_bot(kind=KINDS + "pressed", api_url=api.url)
    query = await press(yard, bot, 1, data)
    await yard.settle()
    assert answers(api) == [(query, text)]
    make_old(yard)
    assert answer(yard) == 0, "who resolved the update has answered"
    await yard.settle()
    assert len(answers(api)) == 1


async def test_a_bot_may_want_its_presses_left_alone(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind=KINDS + "pressed", api_url=api.url)
    yard.services.superuser("""UPDATE bots SET settings = '{"answer_callbacks": false}'""")
    await press(yard, bot, 1, "forget")
    await yard.settle()
    await press(yard, bot, 2, "forget")
    make_old(yard)
    assert answer(yard) == 0
    assert answers(api) == []


async def test_a_press_that_waits_behind_others_is_answered_after_ten_seconds(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind=KINDS + "pressed", api_url=api.url)
    yard.tickets.sent.clear()
    query = await press(yard, bot, 1, "answer")
    assert answer(yard) == 0, "not before its time"
    make_old(yard)
    assert answer(yard) == 1
    await yard.deliver(bot)
    assert answers(api) == [(query, None)]
    assert answer(yard) == 0, "and once"


async def test_a_press_that_is_delivered_again_keeps_its_time(yard: Rig) -> None:
    bot = make_bot()
    await press(yard, bot, 1, "x")
    make_old(yard)
    (before,) = yard.redis.zrange(AWAITED, 0, -1, withscores=True)
    await press(yard, bot, 1, "x")
    assert yard.redis.zrange(AWAITED, 0, -1, withscores=True) == [before]


async def test_an_answer_lives_as_long_as_telegram_keeps_its_query_counted_from_the_arrival(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "pressed")
    await press(yard, bot, 1, "answer")
    await yard.settle(sending=False)
    ((seconds,),) = yard.services.superuser(
        "SELECT extract(epoch FROM deadline - caused_at)::int FROM outbox WHERE method = 'answerCallbackQuery'"
    )
    assert seconds == 150
