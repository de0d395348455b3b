"""Each rule of the mailbox protocol's outbound half: the bell, waking, leaving."""

import os

import pytest
import redis

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from tests import rabbitmq
from tests.integration.mailbox_tools import score

BOT = 17


def place(valkey: "redis.Redis") -> float | None:
    score = valkey.zscore("by:send", str(BOT))
    seconds, micros = valkey.time()
    return None if score is None else score - seconds * 1000 - micros / 1000


async def test_a_bot_is_woken_once_however_often_it_is_called(keeper: Keeper, valkey: "redis.Redis") -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    assert (ticket.task, ticket.queue) == ("botyard.deliver", "outbound")
    assert keeper.wake(BOT) is None
    assert valkey.zcard(f"by:tix:send:{BOT}") == 1
    assert -500 < (place(valkey) or 1) <= 1


async def test_a_sender_without_work_leaves_no_trace(boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis") -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    bell = await boxes.send_take(BOT, ticket.id, "me", ticket.stamp)
    assert bell == "1"
    assert await boxes.send_release(BOT, "me", ticket.id, bell, None) is None
    assert sorted(valkey.keys("*")) == ["by:wait:outbound"]


async def test_two_senders_never_hold_one_outbox(boxes: Mailboxes, keeper: Keeper) -> None:
    keeper.wake(BOT)
    assert await boxes.send_take(BOT, "a", "one", None) is not None
    assert await boxes.send_take(BOT, "b", "other", None) is None
    assert not keeper.send_renew(BOT, "other", "b")
    assert keeper.send_renew(BOT, "one", "a")


async def test_a_row_that_came_after_the_last_look_keeps_the_sender_awake(boxes: Mailboxes, keeper: Keeper) -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    bell = await boxes.send_take(BOT, ticket.id, "me", None)
    assert bell is not None
    assert keeper.wake(BOT) is None, "it is awake: only the bell rings"
    successor = await boxes.send_release(BOT, "me", ticket.id, bell, None)
    assert successor is not None
    assert await boxes.send_take(BOT, successor.id, "next", None) == "2"


async def test_the_bell_beats_a_later_due_time(boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis") -> None:
    keeper.wake(BOT)
    bell = await boxes.send_take(BOT, "t", "me", None)
    assert bell is not None
    keeper.wake(BOT)
    await boxes.send_release(BOT, "me", "t", bell, 50.0)
    assert (place(valkey) or 0) <= 1


async def test_a_parked_bot_sleeps_until_its_next_row_and_an_urgent_row_wakes_it(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    bell = await boxes.send_take(BOT, ticket.id, "me", None)
    assert bell is not None
    assert await boxes.send_release(BOT, "me", ticket.id, bell, 50.0) is None
    assert 49_000 < (place(valkey) or 0) <= 50_000
    assert keeper.sweep() == []
    assert await boxes.send_take(BOT, "early", "me", None) is None
    assert keeper.wake(BOT) is not None
    assert await boxes.send_take(BOT, "t", "me", None) is not None


async def test_work_that_is_left_has_a_successor_at_once(boxes: Mailboxes, keeper: Keeper) -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    bell = await boxes.send_take(BOT, ticket.id, "me", None)
    assert bell is not None
    assert await boxes.send_release(BOT, "me", ticket.id, bell, 0.0) is not None


async def test_a_sender_that_lost_its_lease_only_gives_its_ticket_back(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    ticket = keeper.wake(BOT)
    assert ticket is not None
    bell = await boxes.send_take(BOT, ticket.id, "first", None)
    assert bell is not None
    valkey.zadd("by:send", {str(BOT): 0})  # the lease has passed
    assert await boxes.send_take(BOT, "guest", "second", None) is not None
    before = place(valkey)
    assert await boxes.send_release(BOT, "first", ticket.id, bell, None) is None
    assert valkey.hget("by:send:own", str(BOT)) == "second"
    assert abs((place(valkey) or 0) - (before or 0)) < 1_000
    assert valkey.zcard(f"by:tix:send:{BOT}") == 0


async def test_the_sweep_issues_for_a_bot_whose_time_has_come(keeper: Keeper, valkey: "redis.Redis") -> None:
    keeper.wake(BOT)
    assert keeper.sweep() == []
    valkey.delete(f"by:tix:send:{BOT}")
    assert [(ticket.task, ticket.bot, ticket.queue) for ticket in keeper.sweep()] == [
        ("botyard.deliver", BOT, "outbound")
    ]


async def test_the_wait_of_the_outbound_queue_lengthens_deadlines(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis"
) -> None:
    keeper.wake(BOT)
    seconds, _ = valkey.time()
    await boxes.send_take(BOT, "t", "me", seconds * 1000 - 100_000)
    ticket = keeper.wake(BOT + 1)
    assert ticket is not None
    assert score(valkey, f"by:tix:send:{BOT + 1}", ticket.id) - ticket.stamp >= 199_000


@pytest.mark.skipif(rabbitmq.SERVER in os.environ, reason="no script can look into a queue of RabbitMQ")
async def test_a_real_message_of_celery_says_how_old_it_is(keeper: Keeper, valkey: "redis.Redis") -> None:
    from botyard.mailbox.tickets import CeleryTickets, celery_producer

    ticket = keeper.wake(BOT)
    assert ticket is not None
    seconds, _ = valkey.time()
    old = type(ticket)(ticket.task, ticket.bot, ticket.id, (seconds - 20) * 1000, ticket.queue)
    producer = celery_producer()
    try:
        CeleryTickets(producer).send(old)
    finally:
        producer.close()
    assert valkey.llen("outbound") == 1
    other = keeper.wake(BOT + 1)
    assert other is not None
    # Twice the wait of the message that lies there, to the millisecond: both stamps are of Redis' own clock.
    assert score(valkey, f"by:tix:send:{BOT + 1}", other.id) - other.stamp == 2 * (other.stamp - old.stamp)
