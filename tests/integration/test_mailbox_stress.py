"""The mailboxes under threads and faults: tickets lost and doubled, workers killed, pauses longer than the lease.

PostgreSQL is a dictionary behind a lock, with the two rules that it keeps in the product: a unique inbox key and a
version per conversation. In the end every chat must hold exactly its updates, in the order of their arrival.
"""

import asyncio
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import Held, Ticket, Times, fresh_id
from tests.integration.mailbox_tools import take_one
from tests.services import Services

BOTS, CHATS, WORKERS, SLICE, SECONDS = 3, 4, 6, 5, 6.0
LEASE = 60
TIMES = Times(lease=LEASE, queued=80, running=80, share=2, cap=10_000)
LONG = LEASE * 2.5 / 1000
QUEUE = "slow"


class Database:
    """Which updates were resolved, and what they did to their chat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inbox: set[tuple[int, int]] = set()
        self.chats: dict[tuple[int, str], list[int]] = defaultdict(list)

    def load(self, bot: int, chat: str, update: int) -> tuple[bool, int]:
        with self._lock:
            return (bot, update) in self._inbox, len(self.chats[bot, chat])

    def commit(self, bot: int, chat: str, update: int, version: int) -> bool:
        """False: somebody else wrote since the load."""
        with self._lock:
            if (bot, update) in self._inbox:
                return True
            if len(self.chats[bot, chat]) != version:
                return False
            self._inbox.add((bot, update))
            self.chats[bot, chat].append(update)
            return True


class Run:
    """The threads of one stress run, and what they saw."""

    def __init__(self, url: str, seed: int) -> None:
        self.url, self.seed = url, seed
        self.database, self.counts = Database(), Counter[str]()
        self.arrived: dict[tuple[int, str], list[int]] = defaultdict(list)
        self.closed, self.drained = threading.Event(), threading.Event()
        self.problems: list[BaseException] = []
        self.redis = redis.Redis.from_url(url)

    def thread(self, work: Callable[..., Any], *args: Any) -> threading.Thread:
        def watched() -> None:
            try:
                work(*args)
            except BaseException as error:  # noqa: BLE001 - shown by the test
                self.problems.append(error)

        thread = threading.Thread(target=watched)
        thread.start()
        return thread

    def push(self, ticket: Ticket) -> None:
        self.redis.lpush(ticket.queue, f'{ticket.bot} {ticket.id} "stamp": {ticket.stamp}')

    def web(self, bot: int) -> None:
        asyncio.run(self._web(bot))

    async def _web(self, bot: int) -> None:
        rnd = random.Random(self.seed * 10 + bot)
        update = bot * 1_000_000 + rnd.randrange(65_000, 65_500)  # crosses a block of seen bits
        async with redis.asyncio.Redis.from_url(self.url) as client:
            boxes = Mailboxes(client, TIMES)
            while not self.closed.is_set():
                update, chat = update + 1, str(rnd.randrange(CHATS))
                for repeat in range(2 if rnd.random() < 0.1 else 1):
                    accepted = await boxes.accept(bot, chat, update, b"{}")
                    assert accepted.verdict == ("known" if repeat else "accepted")
                    if accepted.ticket:
                        self.push(accepted.ticket)
                self.arrived[bot, chat].append(update)
                await asyncio.sleep(rnd.random() * 0.006)

    def worker(self, number: int) -> None:
        asyncio.run(self._worker(random.Random(self.seed * 100 + number)))

    async def _worker(self, rnd: random.Random) -> None:
        async with redis.asyncio.Redis.from_url(self.url) as client:
            boxes = Mailboxes(client, TIMES)
            while not self.drained.is_set():
                message: Any = self.redis.rpop(QUEUE)
                fault = rnd.random()
                if not message:
                    await asyncio.sleep(0.003)
                elif fault < 0.03:
                    self.counts["ticket lost"] += 1
                else:
                    if fault < 0.06:
                        self.redis.lpush(QUEUE, message)
                        self.counts["ticket doubled"] += 1
                    bot, ticket, _, stamp = message.split()
                    await self._slice(boxes, rnd, int(bot), ticket.decode(), int(stamp))

    async def _slice(self, boxes: Mailboxes, rnd: random.Random, bot: int, ticket: str, stamp: int | None) -> None:
        left = SLICE
        while left > 0:
            token = fresh_id()
            held = await take_one(boxes, bot, ticket, token, stamp, QUEUE)
            stamp = None
            if held is None:
                return
            while held is not None:
                raised = await self._process(rnd, bot, held)
                if raised is None:
                    self.counts["killed"] += 1
                    return
                left -= 1
                held = await self._end(boxes, bot, held, token, raised=raised, more=left > 0)
        successor = await boxes.finish(bot, ticket)
        if successor:
            self.push(successor)

    async def _end(
        self, boxes: Mailboxes, bot: int, held: Held, token: str, *, raised: bool, more: bool
    ) -> Held | None:
        if raised:
            kept = await boxes.fail(bot, held, token, 0.02, counted=True)
            self.counts["parked" if kept else "lost"] += 1
            return None
        dropped = await boxes.done(bot, held, token, more=more, sender=None)
        self.counts[dropped.verdict] += 1
        return dropped.following

    async def _process(self, rnd: random.Random, bot: int, held: Held) -> bool | None:
        """Load, run, commit. None: killed on the way; true: the handler raised; false: resolved."""
        known, version = self.database.load(bot, held.chat, held.update_id)
        fault = rnd.random()
        if known:
            return False
        if fault < 0.02:
            return None
        if fault < 0.04:
            self.counts["paused"] += 1
            await asyncio.sleep(LONG)
        elif fault < 0.06:
            return True
        while not self.database.commit(bot, held.chat, held.update_id, version):
            self.counts["stale"] += 1
            known, version = self.database.load(bot, held.chat, held.update_id)
        if rnd.random() < 0.02:
            return None
        if rnd.random() < 0.01:
            await asyncio.sleep(LONG)
        return False

    def sweeper(self) -> None:
        keeper = Keeper(self.redis, TIMES)
        while not self.drained.is_set():
            for ticket in keeper.sweep(100):
                self.counts["swept"] += 1
                self.push(ticket)
            time.sleep(0.02)


def stress(url: str, seconds: float, seed: int) -> Run:
    run = Run(url, seed)
    web = [run.thread(run.web, bot) for bot in range(1, BOTS + 1)]
    rest = [run.thread(run.worker, number) for number in range(WORKERS)] + [run.thread(run.sweeper)]
    try:
        time.sleep(seconds)
        run.closed.set()
        for thread in web:
            thread.join()
        deadline = time.monotonic() + 20
        while run.redis.zcard("by:bots") and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(LONG * 2)  # for those who are pausing
    finally:
        run.closed.set()
        run.drained.set()
        for thread in rest:
            thread.join()
    return run


@pytest.mark.parametrize("seed", [1])
def test_every_chat_gets_exactly_its_updates_in_order_through_every_fault(
    clean: Services, valkey: "redis.Redis", seed: int
) -> None:
    run = stress(clean.redis_url, SECONDS, seed)
    print(sum(map(len, run.arrived.values())), dict(run.counts))
    assert run.problems == []
    assert {key: run.database.chats[key] for key in run.arrived} == dict(run.arrived)
    for fault in ("killed", "paused", "ticket lost", "ticket doubled", "lost", "parked"):
        assert run.counts[fault] > 0, f"the run saw no {fault!r}: it proves nothing about it"
    left = {str(key).split(":")[1] for key in valkey.keys("by:*")}
    assert left <= {"seen", "bot", "wait", "tix"}, "an empty yard leaves nothing else"
    assert {valkey.hget(f"by:bot:{bot}", "held") for bot in range(1, BOTS + 1)} == {"0"}
