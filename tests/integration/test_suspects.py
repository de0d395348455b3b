"""An update that may have ended its process, of a bot that works beside other slow ones."""

import asyncio

import pytest

from botyard.bots.registry import ServedBot
from botyard.mailbox.forgetting import forget
from botyard.mailbox.protocol import PROCESS_UPDATES, Ticket, fresh_id
from botyard.settings import Settings
from tests.factories import make_bot, message, until
from tests.integration import kinds
from tests.integration.rig import Rig, rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


async def crashed(yard: Rig, *chats: int, kind: str = "echo") -> ServedBot:
    """A bot whose process died with the first update of each of these chats, and with a second one behind each."""
    bot = make_bot(kind=KINDS + kind)
    for chat in chats:
        await yard.give(bot, message(chat * 10, chat_id=chat), message(chat * 10 + 1, chat_id=chat))
    for _ in chats:
        assert await yard.boxes.take(bot.telegram_id, "t", fresh_id(), None, "slow") is not None
    yard.redis.delete(f"by:own:{bot.telegram_id}", f"by:tix:{bot.telegram_id}")
    wait_since(yard, bot, *chats)
    return bot


def wait_since(yard: Rig, bot: ServedBot, *chats: int) -> None:
    """These chats wait to be taken, in this order, and there is no ticket for them."""
    yard.redis.zadd(f"by:chats:{bot.telegram_id}", {str(chat): chat for chat in chats})
    yard.redis.zadd("by:bots", {str(bot.telegram_id): 1})
    yard.redis.delete(f"by:tix:{bot.telegram_id}")
    yard.tickets.sent.clear()


async def next_queue(yard: Rig) -> str:
    """Work on the next ticket for updates; the queue it came through."""
    found = yard.tickets.sent + yard.keeper.sweep()
    ticket = next(one for one in found if one.task == PROCESS_UPDATES)
    yard.tickets.sent.clear()
    await yard.work(ticket)
    return ticket.queue


async def test_a_suspect_is_run_apart_and_what_follows_where_it_belongs(yard: Rig) -> None:
    await crashed(yard, 5)
    assert await next_queue(yard) == "slow"
    assert kinds.STARTS == [], "not here"
    assert await next_queue(yard) == "maintenance"
    assert kinds.STARTS == [50], "it alone"
    assert await next_queue(yard) == "slow"
    assert kinds.STARTS == [50, 51]
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_other_chats_of_its_bot_are_not_run_with_it(yard: Rig) -> None:
    bot = await crashed(yard, 5)
    await yard.give(bot, message(1, chat_id=1), message(2, chat_id=2))
    wait_since(yard, bot, 1, 2)
    assert await next_queue(yard) == "slow"
    assert kinds.STARTS == [1, 2]
    await yard.give(bot, message(3, chat_id=3))
    yard.redis.zincrby(f"by:chats:{bot.telegram_id}", -60_000, "3")
    assert await next_queue(yard) == "maintenance"
    assert kinds.STARTS == [1, 2, 50]


async def test_every_suspect_has_its_turn(yard: Rig) -> None:
    await crashed(yard, 5, 6, 7)
    yard.tickets.sent += yard.keeper.sweep()
    await yard.settle(sending=False)
    assert sorted(kinds.STARTS) == [50, 51, 60, 61, 70, 71]
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]


@pytest.mark.parametrize("share", [1, 2])
async def test_it_does_not_wait_for_what_its_bot_has_in_hand(clean: Services, settings: Settings, share: int) -> None:
    async with rig(clean, settings, handler_timeout_seconds=5, share=share) as yard:
        bot = await crashed(yard, 5, kind="slow")
        await yard.give(bot, message(1, chat_id=1))
        wait_since(yard, bot, 1)
        slow = asyncio.create_task(next_queue(yard))
        await until(lambda: bool(yard.redis.hget(f"by:bot:{bot.telegram_id}", "lent")))
        found: list[Ticket] = []
        while not found:
            found += yard.keeper.sweep()
            await asyncio.sleep(0.01)
        assert [ticket.queue for ticket in found] == ["maintenance"]
        assert not slow.done()
        await slow


async def test_a_bot_that_is_removed_is_no_longer_lent(yard: Rig) -> None:
    bot = await crashed(yard, 5)
    await next_queue(yard)
    forget(yard.redis, bot.telegram_id, bot.id)
    assert yard.redis.hget(f"by:bot:{bot.telegram_id}", "lent") is None
