"""Tickets, the sweep, and a Redis that is full or forgetful."""

import time
from collections.abc import AsyncIterator

import pytest
import redis
import redis.asyncio
from redis.exceptions import OutOfMemoryError

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import Held
from tests.integration.mailbox_tools import BODY, BOT, CHAT, OTHER, now, place, score, take, take_one, taken


async def test_a_bot_never_has_more_live_tickets_than_its_share(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    tickets = [(await boxes.accept(BOT, str(chat), chat, BODY)).ticket for chat in range(5)]
    assert [ticket is not None for ticket in tickets] == [True, True, False, False, False]
    assert keeper.sweep() == []
    valkey.hset(f"by:bot:{BOT}", mapping={"share": 3, "queue": "updates"})
    (third,) = keeper.sweep()
    assert third.queue == "updates"
    assert keeper.sweep() == []


async def test_a_finished_ticket_has_a_successor_while_work_is_left(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    first = (await boxes.accept(BOT, CHAT, 1, BODY)).ticket
    assert first is not None
    successor = await boxes.finish(BOT, first.id)
    assert successor is not None
    assert valkey.zrange(f"by:tix:{BOT}", 0, -1) == [successor.id]
    held = await take(boxes)
    assert held is not None
    assert await boxes.finish(BOT, successor.id) is None, "all its chats are leased"
    assert valkey.zcard(f"by:tix:{BOT}") == 0


async def test_a_doubled_ticket_works_and_has_no_successor_beyond_the_share(boxes: Mailboxes) -> None:
    for chat in range(4):
        await boxes.accept(BOT, str(chat), chat, BODY)
    assert await take(boxes, ticket="a guest") is not None
    assert await boxes.finish(BOT, "a guest") is None


async def test_the_deadline_of_a_ticket_grows_with_the_wait_of_its_queue(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    valkey.lpush("slow", f'{{"headers": {{"stamp": {now(valkey) - 30_000}}}}}', '{"headers": {"stamp": 9999999999999}}')
    ticket = (await boxes.accept(BOT, CHAT, 1, BODY)).ticket
    assert ticket is not None
    left = score(valkey, f"by:tix:{BOT}", ticket.id) - ticket.stamp
    assert 60_000 <= left < 62_000


async def test_the_deadline_remembers_how_long_the_last_ticket_had_waited(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    await take_one(boxes, BOT, "t", "me", now(valkey) - 40_000, "slow")
    assert 40_000 <= int(valkey.get("by:wait:slow") or 0) < 41_000
    assert 590 < valkey.ttl("by:wait:slow") <= 600
    ticket = (await boxes.accept(BOT, CHAT, 1, BODY)).ticket
    assert ticket is not None
    assert 80_000 <= score(valkey, f"by:tix:{BOT}", ticket.id) - ticket.stamp < 82_000
    valkey.set("by:wait:slow", 10_000_000)
    other = (await boxes.accept(BOT, OTHER, 2, BODY)).ticket
    assert other is not None
    assert score(valkey, f"by:tix:{BOT}", other.id) - other.stamp == 600_000


async def test_a_paused_bot_gathers_updates_and_hands_out_none(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    valkey.hset(f"by:bot:{BOT}", "paused", "1")
    assert (await boxes.accept(BOT, CHAT, 1, BODY)).ticket is None
    assert keeper.sweep() == []
    assert await take(boxes) is None
    valkey.hset(f"by:bot:{BOT}", "paused", "0")
    assert len(keeper.sweep()) == 1
    assert await take(boxes) is not None


async def test_the_sweep_finds_what_became_due_and_nothing_else(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    held = await taken(boxes, 1)
    valkey.delete(f"by:tix:{BOT}")
    assert keeper.sweep() == [], "the chat is leased"
    await boxes.fail(BOT, held, "me", 0.03, counted=True)
    assert keeper.sweep() == []
    deadline = time.monotonic() + 5
    while not (found := keeper.sweep()):
        assert time.monotonic() < deadline
    assert [(ticket.task, ticket.bot) for ticket in found] == [("botyard.process_updates", BOT)]


async def test_the_sweep_reaches_every_bot_however_many_stand_before_it(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    for bot in range(1, 31):
        await boxes.accept(bot, CHAT, 1, BODY)
        if bot <= 20:
            await boxes.accept(bot, OTHER, 2, BODY)  # at their share: busy, and always in front
        else:
            valkey.delete(f"by:tix:{bot}")
    found: set[int] = set()
    deadline = time.monotonic() + 5
    while len(found) < 10:
        found |= {ticket.bot for ticket in keeper.sweep(limit=5)}
        assert time.monotonic() < deadline
    assert found == set(range(21, 31))


async def test_places_in_the_far_future_are_brought_back(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    await taken(boxes, 1)
    far = now(valkey) + 10_000_000
    valkey.zadd(f"by:chats:{BOT}", {CHAT: far})
    valkey.zadd("by:bots", {str(BOT): far})
    valkey.zadd("by:send", {"17": far})
    keeper.sweep()
    for at in (
        score(valkey, f"by:chats:{BOT}", CHAT),
        score(valkey, "by:bots", str(BOT)),
        score(valkey, "by:send", "17"),
    ):
        assert 59_000 < at - now(valkey) <= 60_000


async def test_a_forgotten_script_is_loaded_again(boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis") -> None:
    held = await taken(boxes, 1, 2)
    valkey.script_flush()
    assert keeper.renew(BOT, CHAT, "me", "t")
    valkey.script_flush()
    assert (await boxes.done(BOT, held, "me", more=True, sender=17)).verdict == "next"
    valkey.script_flush()
    assert (await boxes.accept(BOT, OTHER, 3, BODY)).verdict == "accepted"
    valkey.script_flush()
    assert keeper.wake(18) is not None


@pytest.fixture
async def full(boxes: Mailboxes, valkey: "redis.Redis") -> AsyncIterator[Held]:
    """A chat in our hands, and a Redis that takes no more."""
    held = await taken(boxes, 1, 2)
    valkey.config_set("maxmemory", 1)
    try:
        yield held
    finally:
        valkey.config_set("maxmemory", "0")


async def test_a_full_redis_refuses_an_update_whole(boxes: Mailboxes, valkey: "redis.Redis", full: Held) -> None:
    before = sorted(valkey.keys("*"))
    with pytest.raises(OutOfMemoryError):
        await boxes.accept(BOT, OTHER, 70_000, BODY)
    assert sorted(valkey.keys("*")) == before
    assert place(valkey, OTHER) is None
    assert full.update_id == 1


async def test_a_full_redis_is_still_drained(boxes: Mailboxes, keeper: Keeper, full: Held) -> None:
    assert keeper.renew(BOT, CHAT, "me", "t")
    dropped = await boxes.done(BOT, full, "me", more=True, sender=17)
    assert dropped.following is not None
    assert dropped.woken is not None
    sending = dropped.woken.id
    assert await boxes.fail(BOT, dropped.following, "me", 0, counted=True)
    assert len(keeper.sweep()) <= 1
    assert await take(boxes) is not None
    assert await boxes.send_take(17, sending, "me", None) is not None
    assert keeper.send_renew(17, "me", sending)
    assert keeper.wake(17) is None
    assert await boxes.send_release(17, "me", sending, "1", None) is not None
    assert await boxes.finish(BOT, "t") is None
