"""What one worker process keeps between tasks, and when it is made: after the fork, on first use.

In a prefork child one loop thread serves everything. In a threads pool each slot has a loop for updates, and deliveries
share one loop with one connection pool.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from celery import signals
from celery.concurrency.thread import TaskPool as ThreadsPool
from redis import Redis
from redis.exceptions import RedisError

from botyard.bots import activity
from botyard.delivery.calls import ApiClient
from botyard.delivery.outbox import bots_with_due_rows, revive_forgotten
from botyard.delivery.slice import SendingSlice
from botyard.delivery.unanswered import answer_unanswered
from botyard.errors import InputError
from botyard.garbage import collect_seldom
from botyard.hosting import Host
from botyard.jobs.firing import fire_due
from botyard.mailbox.clock import Clock, sweep_once
from botyard.mailbox.duty import Duty
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.leases import Renewer
from botyard.mailbox.owners import Roll
from botyard.mailbox.protocol import fresh_id, mailbox_entry, times_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.manager import BotManager
from botyard.media.store import store_of
from botyard.processing.people import ACQUAINTANCES
from botyard.processing.retention import prune, prune_history, prune_media
from botyard.processing.slice import Slice, Tools
from botyard.schedules.dispatching import dispatch
from botyard.settings import get_settings
from botyard.sync import get_sync
from botyard.telegram.loading import find_kind, installed_kinds
from botyard.telemetry import metrics
from db.engine import DATABASE_TROUBLE, forget_connections
from db.prepared import Statements
from tasks.leaving import LEAVING
from tasks.loops import LoopThread, SlotLoops
from tasks.process_logs import say_ready

_SQL_SWEEP_SECONDS = 2.0
_FORGOTTEN_SECONDS = 30.0
_ROLL_SECONDS = 1.0
_FLUSH_SECONDS = 1.0
_TELL_SECONDS = 0.3
_DAYS_SECONDS = 5.0
_JOBS_SECONDS = 0.5
_SCHEDULES_SECONDS = 1.0
_COURTESY_SECONDS = 0.5
_IDLE_SECONDS = 10.0


class WorkerProcess:
    """Loops, clients and threads of one worker process.

    Args:
        slots: whether updates run on a loop per thread (threads pool) or on the process' loop (prefork).
    """

    def __init__(self, *, slots: bool) -> None:
        self.settings = get_settings()
        self.database = ThreadPoolExecutor(self.settings.database_pool_size, thread_name_prefix="database")
        self.redis = Redis.from_url(
            self.settings.require("redis_url"), socket_timeout=2, socket_connect_timeout=2, health_check_interval=25
        )
        self.manager = BotManager(get_sync(), self.redis)
        get_sync().on("users.erased", lambda _, data: ACQUAINTANCES.forget(int(data["id"] or 0)))
        get_sync().start()
        self.keeper = Keeper(self.redis, times_of(self.settings))
        self._roll = Roll(self.redis)
        with contextlib.suppress(RedisError):
            # Before it takes anything: an update that crashes its process may be its first.
            self._roll.call()
        self.tickets = CeleryTickets(celery_producer())
        self.tools = Tools(self.keeper, Renewer(self.settings.lease_seconds / 3), self.tickets, leaving=LEAVING.begun)
        self.loop = LoopThread()
        self.statements = Statements(self.loop.loop, self.settings.database_pool_size)
        self._slots = SlotLoops() if slots else None
        self._local = threading.local()
        self._shared_host: Host | None = None
        self._sender: SendingSlice | None = None
        self._duty = Duty(self.redis, fresh_id())
        self._clock = self._started_clock()

    def process_updates(self, telegram_id: int, ticket: str, stamp: int | None, queue: str) -> None:
        """Work one slice of a bot's updates."""
        if self._slots is None:
            self.loop.run(lambda: Slice(self._host(), self.tools, telegram_id, ticket, queue).run(stamp))
            return
        self._slots.run(lambda: self._on_own_host(telegram_id, ticket, stamp, queue))

    def deliver(self, bot_id: int, ticket: str, stamp: int | None) -> None:
        """Work one slice of a bot's outbox."""
        self.loop.run(lambda: self._deliver(bot_id, ticket, stamp))

    def wake_sleepers(self) -> None:
        """The net under lost wake-ups: bots with rows that are due have a sender."""
        found = bots_with_due_rows()
        # Who has a place there will be woken by the clock when it is due, and not before.
        places = self.redis.zmscore("by:send", found) if found else []  # type: ignore[arg-type]
        for bot_id, place in zip(found, places, strict=True):
            if place is None:
                self._wake(bot_id)

    def wake_senders(self, bots: Iterable[int]) -> None:
        """Rows of these bots were committed."""
        for bot_id in bots:
            self._wake(bot_id)

    def put(self, telegram_id: int, chat: str, number: int, content: bytes) -> None:
        """Put a job's firing into a mailbox. One that is full, or known to be gone, is asked again later."""
        ticket = self.keeper.accept(telegram_id, chat, number, mailbox_entry(content)).ticket
        if ticket is not None:
            self.tickets.send(ticket)

    def _wake(self, bot_id: int) -> None:
        ticket = self.keeper.wake(bot_id)
        if ticket is not None:
            self.tickets.send(ticket)

    def prune(self) -> int:
        """Forget what only served to recognise repetitions, and what settings keep no longer."""
        unused = prune_media(store_of(self.settings), self.settings.media_keep_hours)
        return prune() + prune_history(self.settings) + unused

    def repair(self) -> None:
        """Every sweep once: what the clocks do, for when there is none."""
        sweep_once(self.keeper, self.tickets)
        revive_forgotten()
        self.wake_sleepers()
        fire_due(self.put)
        dispatch()

    def stop(self) -> None:
        """End the threads; a last flush of the figures."""
        self._clock.stop()
        get_sync().stop()
        self.tools.renewer.stop()
        self.tools.watch.stop()
        with contextlib.suppress(RedisError, *DATABASE_TROUBLE):
            metrics.flush(self.redis)
            activity.write()
            self._roll.leave()
            self._duty.leave()
        self.loop.stop()

    def _started_clock(self) -> Clock:
        return Clock(
            [
                (_ROLL_SECONDS, self._roll.call),
                (_FLUSH_SECONDS, lambda: metrics.flush(self.redis)),
                (_TELL_SECONDS, activity.tell),
                (_DAYS_SECONDS, activity.write),
                (_IDLE_SECONDS, self._retire_idle),
            ],
            self.settings.clock_seconds,
            passing=DATABASE_TROUBLE,
            shared=[
                (self.settings.clock_seconds, lambda: sweep_once(self.keeper, self.tickets)),
                (_SQL_SWEEP_SECONDS, self.wake_sleepers),
                (_FORGOTTEN_SECONDS, revive_forgotten),
                (_JOBS_SECONDS, lambda: fire_due(self.put)),
                (_SCHEDULES_SECONDS, dispatch),
                (_COURTESY_SECONDS, lambda: answer_unanswered(self.redis, self._wake)),
            ],
            duty=self._duty,
        )

    def _retire_idle(self) -> None:
        """The loops of slots run only while there is work; they let go of what is idle then."""
        if self._shared_host is not None:
            self.loop.call_soon(self._shared_host.retire_idle)

    def _host(self) -> Host:
        if self._shared_host is None:
            self._shared_host = Host(self.settings, self.statements, self.database, self.manager)
        return self._shared_host

    async def _on_own_host(self, telegram_id: int, ticket: str, stamp: int | None, queue: str) -> None:
        if not hasattr(self._local, "host"):
            self._local.host = Host(self.settings, self.statements, self.database, self.manager)
        await Slice(self._local.host, self.tools, telegram_id, ticket, queue).run(stamp)

    async def _deliver(self, bot_id: int, ticket: str, stamp: int | None) -> None:
        host = self._host()
        api = self._api(host)
        await SendingSlice(host, api, host.limiter, self.keeper, self.tools.renewer, self.tickets).run(
            bot_id, ticket, stamp
        )

    @lru_cache(maxsize=1)  # noqa: B019 - lives as long as the process
    def _api(self, host: Host) -> ApiClient:
        return ApiClient(host.request, self.settings.backoff_seconds)


_lock = threading.Lock()
_process: list[WorkerProcess] = []


def worker_process(*, slots: bool = False) -> WorkerProcess:
    """This process' one ``WorkerProcess``, made on first use."""
    with _lock:
        if not _process:
            _process.append(WorkerProcess(slots=slots))
        return _process[0]


def _before_fork(**_: Any) -> None:
    """What was imported so far is shared with the children: who looks for garbage in its pages would copy them."""
    if get_settings().environment == "development":
        # While code is edited: a child that loads it at its first update would find what cannot run yet, though the
        # others still run what was there before.
        for name in installed_kinds():
            with contextlib.suppress(InputError):
                find_kind(name)
    collect_seldom()


def _in_child(**_: Any) -> None:
    """A prefork child begins: what it inherited of connections is not its own."""
    forget_connections()
    worker_process()


def _when_ready(sender: Any = None, **_: Any) -> None:
    """A threads worker is ready: it has no children, so everything lives here."""
    if isinstance(getattr(sender, "pool", None), ThreadsPool):
        worker_process(slots=True)
    say_ready()


def _on_exit(**_: Any) -> None:
    if _process:
        _process[0].stop()


def connect_processes() -> None:
    """Hook into the life of worker processes."""
    hooks: list[tuple[Any, Callable[..., Any]]] = [
        (signals.worker_init, _before_fork),
        (signals.worker_process_init, _in_child),
        (signals.worker_ready, _when_ready),
        (signals.worker_process_shutdown, _on_exit),
        (signals.worker_shutdown, _on_exit),
    ]
    for signal, hook in hooks:
        signal.connect(hook, weak=False)
