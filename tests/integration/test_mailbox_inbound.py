"""Each rule of the mailbox protocol's inbound half: places, leases, attempts."""

import asyncio

import pytest
import redis
import redis.asyncio

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import Held, Times
from tests.factories import until
from tests.integration.mailbox_tools import (
    BODY,
    BOT,
    CHAT,
    OTHER,
    TIMES,
    now,
    owner,
    place,
    score,
    take,
    take_one,
    taken,
)


async def test_an_accepted_update_has_its_place_its_mail_its_seen_bit_and_a_ticket(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    accepted = await boxes.accept(BOT, CHAT, 65_537, BODY)
    assert accepted.verdict == "accepted"
    assert accepted.ticket is not None
    assert (accepted.ticket.task, accepted.ticket.bot, accepted.ticket.queue) == (
        "botyard.process_updates",
        BOT,
        "slow",
    )
    assert -500 < (place(valkey) or 1) <= 0
    assert valkey.lrange(f"by:box:{BOT}:{CHAT}", 0, -1) == [f"65537 {BODY.decode()}"]
    assert valkey.getbit(f"by:seen:{BOT}:1", 1) == 1
    assert 172_700 < valkey.ttl(f"by:seen:{BOT}:1") <= 172_800
    assert valkey.hget(f"by:bot:{BOT}", "held") == "1"
    assert valkey.zrange(f"by:tix:{BOT}", 0, -1) == [accepted.ticket.id]
    assert valkey.zrange("by:bots", 0, -1) == [str(BOT)]


async def test_what_was_seen_is_known_for_more_than_a_day(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    seen, told = f"by:seen:{BOT}:0", 90_000
    for number, (left, then) in enumerate(((told - 100, 172_800), (told + 100, told + 100)), 1):
        await boxes.accept(BOT, "7", number, b"{}")
        valkey.expire(seen, left)
        await boxes.accept(BOT, "7", number + 10, b"{}")
        assert then - 50 < valkey.ttl(seen) <= then


async def test_a_second_update_of_a_chat_moves_no_place_and_issues_nothing(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    await boxes.accept(BOT, CHAT, 1, BODY)
    before = valkey.zscore(f"by:chats:{BOT}", CHAT)
    second = await boxes.accept(BOT, CHAT, 2, BODY)
    assert (second.verdict, second.ticket) == ("accepted", None)
    assert valkey.zscore(f"by:chats:{BOT}", CHAT) == before
    assert [entry.split()[0] for entry in valkey.lrange(f"by:box:{BOT}:{CHAT}", 0, -1)] == ["1", "2"]


@pytest.mark.parametrize("update_id", [0, 65_535, 65_536, 2**32, 2**53 - 1])
async def test_a_known_update_changes_nothing(boxes: Mailboxes, valkey: "redis.Redis", update_id: int) -> None:
    await boxes.accept(BOT, CHAT, update_id, BODY)
    again = await boxes.accept(BOT, CHAT, update_id, BODY)
    assert (again.verdict, again.ticket) == ("known", None)
    assert valkey.llen(f"by:box:{BOT}:{CHAT}") == 1
    neighbour = update_id - 1 if update_id else 1
    assert (await boxes.accept(BOT, CHAT, neighbour, BODY)).verdict == "accepted"
    held = await take(boxes)
    assert held is not None
    assert held.update_id == update_id


async def test_the_seen_bits_of_two_bots_are_apart(boxes: Mailboxes) -> None:
    await boxes.accept(BOT, CHAT, 1, BODY)
    assert (await boxes.accept(BOT + 1, CHAT, 1, BODY)).verdict == "accepted"


async def test_a_full_bot_refuses_new_updates_whole_and_still_knows_old_ones(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    for update_id in range(TIMES.cap):
        await boxes.accept(BOT, str(update_id), update_id, BODY)
    assert (await boxes.accept(BOT, CHAT, 99, BODY)).verdict == "full"
    assert valkey.getbit(f"by:seen:{BOT}:0", 99) == 0
    assert (await boxes.accept(BOT, CHAT, 3, BODY)).verdict == "known"
    held = await take(boxes)
    assert held is not None
    await boxes.done(BOT, held, "me", more=False, sender=None)
    assert (await boxes.accept(BOT, CHAT, 99, BODY)).verdict == "accepted"


async def test_an_update_of_a_group_that_moved_goes_to_its_new_mailbox(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    valkey.hset(f"by:bot:{BOT}", "alias:-5", "-1005")
    await boxes.accept(BOT, "-5", 1, BODY)
    assert valkey.llen(f"by:box:{BOT}:-5") == 0
    held = await take(boxes)
    assert held is not None
    assert held.chat == "-1005"
    assert (await boxes.done(BOT, held, "me", more=True, sender=None)).verdict == "empty"


async def test_taking_leases_the_chat_that_waited_longest_and_counts_the_start(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    await boxes.accept(BOT, OTHER, 1, b'7 {"x": "a b"}')
    await asyncio.sleep(0.002)
    await boxes.accept(BOT, CHAT, 2, BODY)
    held = await take(boxes)
    assert held == Held(OTHER, 1, b'7 {"x": "a b"}', 1, suspect=False)
    assert owner(valkey, OTHER) == "me"
    assert 8_000 < (place(valkey, OTHER) or 0) <= 9_000
    assert valkey.hget(f"by:try:{BOT}", "1") == "1"
    second = await take(boxes)
    assert second is not None
    assert second.chat == CHAT


@pytest.mark.parametrize("holding", [False, True])
async def test_taking_where_nothing_is_ready_retires_the_ticket_of_a_slice_that_holds_nothing(
    boxes: Mailboxes, valkey: "redis.Redis", *, holding: bool
) -> None:
    assert await take(boxes) is None
    ticket = (await boxes.accept(BOT, CHAT, 1, BODY)).ticket
    assert ticket is not None
    assert await take_one(boxes, BOT, ticket.id, "me", None, "slow") is not None
    assert await take_one(boxes, BOT, ticket.id, "me", None, "slow", holding=holding) is None
    assert valkey.zrange(f"by:tix:{BOT}", 0, -1) == ([ticket.id] if holding else [])


async def test_who_asks_for_more_than_is_ready_keeps_the_ticket_for_what_was(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    ticket = (await boxes.accept(BOT, CHAT, 1, BODY)).ticket
    assert ticket is not None
    await boxes.accept(BOT, OTHER, 2, BODY)
    found = await boxes.take(BOT, ticket.id, ["a", "b", "c"], None, "slow")
    assert [(one.chat, one.update_id, one.attempt) for one in found] == [(CHAT, 1, 1), (OTHER, 2, 1)]
    assert [owner(valkey, chat) for chat in (CHAT, OTHER)] == ["a", "b"]
    assert ticket.id in valkey.zrange(f"by:tix:{BOT}", 0, -1)


async def test_of_more_than_was_asked_for_those_are_taken_that_have_waited_longest(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    valkey.zadd(f"by:chats:{BOT}", {"empty": 1})
    for number, chat in enumerate("abc"):
        await boxes.accept(BOT, chat, number, BODY)
        valkey.zadd(f"by:chats:{BOT}", {chat: 100 - number})
    found = await boxes.take(BOT, "t", ["x", "y"], None, "slow")
    assert [one.chat for one in found] == ["c", "b"]
    assert valkey.zscore(f"by:chats:{BOT}", "empty") is None
    assert valkey.zscore("by:bots", BOT) == valkey.zscore(f"by:chats:{BOT}", "a") == 100


async def test_taking_removes_a_place_without_mail_which_a_dying_script_may_leave(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    valkey.zadd(f"by:chats:{BOT}", {CHAT: 0})
    valkey.hset(f"by:own:{BOT}", CHAT, "gone")
    await boxes.accept(BOT, OTHER, 1, BODY)
    held = await take(boxes)
    assert held is not None
    assert held.chat == OTHER
    assert (place(valkey), owner(valkey)) == (None, None)


async def test_a_lease_that_passed_is_taken_by_the_next_who_comes(async_valkey: "redis.asyncio.Redis") -> None:
    boxes = Mailboxes(async_valkey, Times(lease=20, queued=10_000, running=10_000, share=2, cap=10))
    first = await taken(boxes, 1, token="first")
    got: list[Held] = []

    async def second() -> bool:
        held = await take(boxes, "second")
        got.extend([held] if held else [])
        return held is not None

    await until(second)
    assert got[0].attempt == 2
    assert got[0].suspect, "the first start never came back"
    assert (await boxes.done(BOT, first, "first", more=True, sender=None)).verdict == "lost"


async def test_done_drops_the_head_and_hands_out_the_next_under_the_same_lease(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    held = await taken(boxes, 1, 2)
    dropped = await boxes.done(BOT, held, "me", more=True, sender=None)
    assert dropped.verdict == "next"
    assert dropped.following is not None
    assert (dropped.following.update_id, dropped.following.attempt) == (2, 1)
    assert valkey.hgetall(f"by:try:{BOT}") == {"2": "1"}
    assert valkey.hget(f"by:bot:{BOT}", "held") == "1"
    assert owner(valkey) == "me"


async def test_done_on_the_last_update_leaves_no_trace_of_the_chat(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    held = await taken(boxes, 1)
    assert (await boxes.done(BOT, held, "me", more=True, sender=None)).verdict == "empty"
    assert (place(valkey), owner(valkey)) == (None, None)
    assert not valkey.exists(f"by:try:{BOT}", f"by:box:{BOT}:{CHAT}", "by:bots")
    assert valkey.hget(f"by:bot:{BOT}", "held") == "0"


async def test_done_at_the_end_of_a_slice_makes_the_chat_ready_behind_the_others(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    held = await taken(boxes, 1, 2)
    await boxes.accept(BOT, OTHER, 3, BODY)
    await asyncio.sleep(0.002)
    dropped = await boxes.done(BOT, held, "me", more=False, sender=None)
    assert (dropped.verdict, dropped.following) == ("released", None)
    assert owner(valkey) is None
    assert valkey.zrange(f"by:chats:{BOT}", 0, -1) == [OTHER, CHAT]


async def test_done_for_another_update_than_the_head_removes_nothing(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    held = await taken(boxes, 1, 2)
    other = Held(CHAT, 99, b"", 1, suspect=False)
    dropped = await boxes.done(BOT, other, "me", more=True, sender=None)
    assert dropped.following is not None
    assert dropped.following.update_id == held.update_id
    assert valkey.llen(f"by:box:{BOT}:{CHAT}") == 2


async def test_done_wakes_the_sender_in_the_same_step_also_for_a_duplicate(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    held = await taken(boxes, 1)
    dropped = await boxes.done(BOT, held, "me", more=True, sender=17)
    assert dropped.woken is not None
    assert (dropped.woken.task, dropped.woken.bot, dropped.woken.queue) == ("botyard.deliver", 17, "outbound")
    assert valkey.zrange("by:send", 0, -1) == ["17"]


async def test_a_failed_update_parks_its_chat_and_keeps_its_place_before_the_next(
    boxes: Mailboxes, valkey: "redis.Redis"
) -> None:
    held = await taken(boxes, 1, 2)
    assert await boxes.fail(BOT, held, "me", 2.0, counted=True)
    assert 1_500 < (place(valkey) or 0) <= 2_000
    assert owner(valkey) is None
    assert await take(boxes) is None
    assert (await boxes.accept(BOT, CHAT, 3, BODY)).ticket is None
    assert 1_000 < (place(valkey) or 0) <= 2_000, "accept does not lower a parked chat"
    valkey.zadd(f"by:chats:{BOT}", {CHAT: 0})
    again = await take(boxes)
    assert again is not None
    assert (again.update_id, again.attempt, again.suspect) == (1, 2, False)


async def test_an_uncounted_failure_gives_the_start_back(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    held = await taken(boxes, 1)
    await boxes.fail(BOT, held, "me", 0, counted=False)
    assert valkey.hgetall(f"by:try:{BOT}") == {}
    again = await take(boxes)
    assert again is not None
    assert (again.attempt, again.suspect) == (1, False)


async def test_only_a_start_that_never_came_back_makes_a_suspect(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    seen = []
    held = await taken(boxes, 1)
    for lost in (False, True, False, True):
        if lost:
            valkey.zadd(f"by:chats:{BOT}", {CHAT: 0})  # its lease has passed
        else:
            await boxes.fail(BOT, held, "me", 0, counted=True)
        taken_again = await take(boxes)
        assert taken_again is not None
        held = taken_again
        seen.append((held.attempt, held.suspect))
    assert seen == [(2, False), (3, True), (4, False), (5, True)]


async def test_an_uncounted_end_leaves_a_suspect_a_suspect(boxes: Mailboxes, valkey: "redis.Redis") -> None:
    await taken(boxes, 1)
    valkey.zadd(f"by:chats:{BOT}", {CHAT: 0})  # the first start never came back
    for _ in range(3):
        held = await take(boxes)
        assert held is not None
        assert (held.attempt, held.suspect) == (2, True), "it has not run since"
        await boxes.fail(BOT, held, "me", 0, counted=False)


async def test_who_lost_the_lease_changes_nothing(boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis") -> None:
    held = await taken(boxes, 1, 2, token="other")

    def state() -> list[object]:
        hashes = [valkey.hgetall(f"by:{name}:{BOT}") for name in ("own", "try", "bot")]
        lists = [valkey.lrange(f"by:box:{BOT}:{CHAT}", 0, -1), valkey.zrange(f"by:chats:{BOT}", 0, -1, withscores=True)]
        return [*hashes, *lists, valkey.zrange("by:bots", 0, -1, withscores=True), valkey.exists("by:send")]

    before = state()
    dropped = await boxes.done(BOT, held, "me", more=True, sender=17)
    assert (dropped.verdict, dropped.following, dropped.woken) == ("lost", None, None)
    assert not await boxes.fail(BOT, held, "me", 0, counted=True)
    assert not keeper.renew(BOT, CHAT, "me", "t")
    assert state() == before


async def test_renewing_keeps_the_lease_and_a_living_ticket(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    accepted = await boxes.accept(BOT, CHAT, 1, BODY)
    assert accepted.ticket is not None
    ticket = accepted.ticket.id
    await take_one(boxes, BOT, ticket, "me", None, "slow")
    valkey.zadd(f"by:chats:{BOT}", {CHAT: now(valkey) + 100})
    valkey.zadd(f"by:tix:{BOT}", {ticket: now(valkey) + 100})
    assert keeper.renew(BOT, CHAT, "me", ticket)
    assert (place(valkey) or 0) > 8_000
    assert score(valkey, f"by:tix:{BOT}", ticket) - now(valkey) > 9_000
    keeper.renew(BOT, CHAT, "me", "a ticket that died")
    assert valkey.zcard(f"by:tix:{BOT}") == 1
