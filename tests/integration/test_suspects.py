"""An update that may have ended its process, of a bot that works beside other slow ones."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from botyard.bots.registry import ServedBot
from botyard.mailbox.protocol import APART, PROCESS_UPDATES, Ticket, fresh_id
from botyard.settings import Settings
from tests.factories import TELEGRAM_ID, make_bot, message, until
from tests.integration import kinds
from tests.integration.mailbox_tools import take_one
from tests.integration.rig import Rig, rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


async def crashed(yard: Rig, *chats: int, kind: str = "echo", telegram_id: int = TELEGRAM_ID) -> ServedBot:
    """A bot whose process died with the first update of each of these chats, and with a second one behind each."""
    token = f"{telegram_id}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
    bot = make_bot(telegram_id, kind=KINDS + kind, token=token, public_id=str(telegram_id))
    for chat in chats:
        await yard.give(bot, message(chat * 10, chat_id=chat), message(chat * 10 + 1, chat_id=chat))
    for _ in chats:
        assert await take_one(yard.boxes, bot.telegram_id, "t", fresh_id(), None, "slow") is not None
    yard.redis.delete(f"by:own:{bot.telegram_id}", f"by:tix:{bot.telegram_id}")
    wait_since(yard, bot, *chats)
    return bot


def wait_since(yard: Rig, bot: ServedBot, *chats: int) -> None:
    """These chats wait to be taken, in this order, and there is no ticket for them."""
    yard.redis.zadd(f"by:chats:{bot.telegram_id}", {str(chat): chat for chat in chats})
    yard.redis.zadd("by:bots", {str(bot.telegram_id): 1})
    yard.redis.delete(f"by:tix:{bot.telegram_id}")
    yard.tickets.sent.clear()


async def next_queue(yard: Rig, bot: ServedBot | None = None) -> str:
    """Work on the next ticket for updates, of this bot or of any; the queue it came through."""
    found = yard.tickets.sent + yard.keeper.sweep()
    wanted = [one for one in found if one.task == PROCESS_UPDATES and (bot is None or one.bot == bot.telegram_id)]
    ticket = wanted[0]
    yard.tickets.sent[:] = [one for one in found if one.bot != ticket.bot]
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
        await until(lambda: yard.redis.get(APART) == str(bot.telegram_id).encode())
        found: list[Ticket] = []
        while not found:
            found += yard.keeper.sweep()
            await asyncio.sleep(0.01)
        assert [ticket.queue for ticket in found] == ["maintenance"]
        assert not slow.done()
        await slow


async def test_a_start_that_could_not_be_made_apart_does_not_count(yard: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = await crashed(yard, 5)
    lend = yard.boxes.lend
    refused: list[Any] = []

    async def refuses_at_first(*args: Any) -> bool:
        if len(refused) == 5:
            return await lend(*args)
        refused.append(args)
        raise RedisConnectionError("away")

    monkeypatch.setattr(yard.boxes, "lend", refuses_at_first)
    for _ in range(5):
        assert await next_queue(yard, bot) == "slow"
        wait_since(yard, bot, 5)
    assert await next_queue(yard, bot) == "slow"
    assert await next_queue(yard, bot) == "maintenance"
    assert kinds.STARTS == [50]
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_one_bot_at_a_time_is_lent(yard: Rig) -> None:
    first, second = await crashed(yard, 5), await crashed(yard, 6, telegram_id=TELEGRAM_ID + 1)
    yard.redis.zadd("by:bots", {str(first.telegram_id): 1, str(second.telegram_id): 2})
    assert await next_queue(yard, first) == "slow"
    assert await next_queue(yard, second) == "slow"
    assert kinds.STARTS == [], "it waits for its turn"
    assert await next_queue(yard, first) == "maintenance"
    await yard.settle(sending=False)
    assert sorted(kinds.STARTS) == [50, 51, 60, 61]
    assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_where_nobody_comes_to_it_it_is_run_among_the_slow_alone(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, ticket_queued_seconds=0.2) as yard:
        bot = await crashed(yard, 5)
        assert await next_queue(yard) == "slow"
        assert kinds.STARTS == []
        await until(lambda: not yard.redis.exists(APART))
        wait_since(yard, bot, 5)
        assert await next_queue(yard) == "slow"
        assert kinds.STARTS[0] == 50


async def test_what_ends_its_process_apart_is_sent_there_again_until_it_is_a_dead_letter(yard: Rig) -> None:
    bot = await crashed(yard, 5)
    for _ in range(2):
        assert await next_queue(yard) == "slow"
        # A child takes it and dies.
        assert await take_one(yard.boxes, bot.telegram_id, "t", fresh_id(), None, "maintenance") is not None
        yard.redis.delete(APART, f"by:own:{bot.telegram_id}")
        wait_since(yard, bot, 5)
    await yard.settle(sending=False)
    assert kinds.STARTS == [51]
    assert yard.services.superuser("SELECT update_id, attempts FROM dead_letters") == [(50, 3)]
