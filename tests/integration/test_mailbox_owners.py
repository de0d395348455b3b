"""What the dead of this machine hold is free at once; what the living and others hold is theirs."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import redis

from botyard.mailbox import owners
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.owners import Roll, owner_token, owner_tokens
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES
from tasks.processes import WorkerProcess
from tests.integration.mailbox_tools import BODY, BOT, CHAT, OTHER, owner, place, take

SENDER = 7


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as started:
        yield started
        started.kill()


@pytest.fixture
def roll(raw_valkey: "redis.Redis") -> Roll:
    return Roll(raw_valkey)


def enrolled(valkey: "redis.Redis", pid: int, *, started: str | None = None) -> str:
    """A process on the roll of this machine, by its name."""
    name = owners._process(pid)
    if started is not None:
        name = f"{name.rpartition('-')[0]}-{started}"
    valkey.sadd(f"by:procs:{owners.machine()}", name)
    return name


async def hold(boxes: Mailboxes, name: str) -> None:
    """A chat and a bot's outbox, leased by a process."""
    await boxes.accept(BOT, CHAT, 1, BODY)
    assert await take(boxes, f"{name}.1") is not None


async def test_what_a_killed_process_holds_is_free_at_once(
    boxes: Mailboxes, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    name = enrolled(valkey, child.pid)
    await hold(boxes, name)
    valkey.zadd("by:send", {str(SENDER): 9_999_999_999_999})
    valkey.hset("by:send:own", str(SENDER), f"{name}.2")
    assert roll.call() == 0
    child.kill()
    child.wait()
    assert roll.call() == 2
    assert owner(valkey) is None
    assert (place(valkey) or 0) <= 0
    assert valkey.hgetall("by:send:own") == {}
    assert valkey.smembers(f"by:procs:{owners.machine()}") == {owners._process(os.getpid())}
    again = await take(boxes, owner_token())
    assert again is not None
    assert (again.update_id, again.attempt, again.suspect) == (1, 2, True)


async def test_the_places_of_a_dead_process_tickets_are_free_too(
    boxes: Mailboxes, keeper: Keeper, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    name = enrolled(valkey, child.pid)
    await hold(boxes, name)
    valkey.zadd("by:send", {str(SENDER): 9_999_999_999_999})
    valkey.hset("by:send:own", str(SENDER), f"{name}.2")
    for places, tickets in ((f"by:tix:{BOT}", "ab"), (f"by:tix:send:{SENDER}", "c")):
        valkey.zadd(places, dict.fromkeys(tickets, 9_999_999_999_999))
    child.kill()
    child.wait()
    assert keeper.sweep() == []
    roll.call()
    assert sorted((ticket.task, ticket.bot) for ticket in keeper.sweep()) == [(DELIVER, SENDER), (PROCESS_UPDATES, BOT)]


async def test_one_whose_parent_has_not_noticed_is_dead_all_the_same(
    boxes: Mailboxes, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    await hold(boxes, enrolled(valkey, child.pid))
    child.kill()
    with open(f"/proc/{child.pid}/stat", encoding="ascii") as stat:  # noqa: ASYNC230, PTH123
        while " Z " not in stat.read():
            stat.seek(0)
    assert roll.call() == 1


async def test_another_process_with_the_number_of_a_dead_one_holds_nothing_of_it(
    boxes: Mailboxes, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    await hold(boxes, enrolled(valkey, child.pid, started="1"))
    assert roll.call() == 1


async def test_what_the_living_and_other_machines_hold_stays_theirs(
    boxes: Mailboxes, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    dead = enrolled(valkey, child.pid, started="1")
    await hold(boxes, f"{'0' * 12}-{child.pid}-1")
    await boxes.accept(BOT, OTHER, 2, BODY)
    assert await take(boxes, owner_token()) is not None
    before = valkey.hgetall(f"by:own:{BOT}")
    assert roll.call() == 0
    assert valkey.hgetall(f"by:own:{BOT}") == before
    assert dead not in {one.decode() if isinstance(one, bytes) else one for one in before.values()}


async def test_what_is_held_by_tokens_that_were_drawn_together_is_freed_too(
    boxes: Mailboxes, valkey: "redis.Redis", roll: Roll, child: "subprocess.Popen[bytes]"
) -> None:
    tokens, name = owner_tokens(3), enrolled(valkey, child.pid)
    assert len(set(tokens)) == 3
    ours = owners._process(os.getpid())
    for number, (chat, token) in enumerate(zip((CHAT, OTHER), tokens, strict=False)):
        await boxes.accept(BOT, chat, number, BODY)
        assert await take(boxes, token.replace(ours, name)) is not None
    child.kill()
    child.wait()
    assert roll.call() == 2
    assert valkey.hgetall(f"by:own:{BOT}") == {}


async def test_a_process_that_has_stopped_is_off_the_roll(valkey: "redis.Redis", roll: Roll) -> None:
    roll.call()
    assert valkey.scard(f"by:procs:{owners.machine()}") == 1
    roll.leave()
    assert valkey.exists(f"by:procs:{owners.machine()}") == 0


def test_a_worker_process_is_on_the_roll_before_it_takes_anything(valkey: "redis.Redis") -> None:
    process = WorkerProcess(slots=False)
    try:
        assert valkey.smembers(f"by:procs:{owners.machine()}") == {owners._process(os.getpid())}
    finally:
        process.stop()
