"""Queue ``outbound``: events of customers are sent to their endpoints; see docs/endpoints.md."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from celery import signals
from celery.concurrency.thread import TaskPool as ThreadsPool

from botyard.endpoints.retention import prune_messages
from botyard.endpoints.sending import SECONDS, SLICE_SECONDS, Sender
from botyard.endpoints.waking import SEND_EVENTS, Tickets, Watch
from botyard.mailbox.tickets import celery_producer
from botyard.outbound_http import Allowed, OutboundHttp
from botyard.sync import get_sync
from tasks import app
from tasks.base import YardTask
from tasks.processes import WorkerProcess, worker_process

QUEUE: Final = "outbound"
# A slice, its last attempts with their records, and a margin.
_SOFT: Final = int(SLICE_SECONDS + SECONDS) + 20

_THREADS: Final = 2

_lock = threading.Lock()
_senders: dict[int, Sender] = {}
_tickets: list[Tickets] = []
_watches: list[Watch] = []


@app.task(name=SEND_EVENTS, base=YardTask, soft_time_limit=_SOFT, time_limit=_SOFT + 30)
def send_events() -> None:
    """Send what is due to customers' endpoints, for one time slice."""
    process = worker_process()
    tickets = _tickets_of(process)
    tickets.taken()
    sender = _sender_of(process)
    left = process.loop.run(sender.run)
    if left:
        tickets.issue()
    if left is not None:
        process.loop.run(sender.land)


@app.task(name="botyard.prune_endpoints", base=YardTask, acks_late=False)
def prune_endpoints() -> None:
    """Forget what was sent long ago."""
    prune_messages()


def _sender_of(process: WorkerProcess) -> Sender:
    with _lock:
        if id(process) not in _senders:
            http = OutboundHttp(Allowed.of(process.settings.outbound_allowed))
            # Threads of its own: bots' sends do not wait for these.
            _senders[id(process)] = Sender(http, ThreadPoolExecutor(_THREADS, thread_name_prefix="endpoints"))
        return _senders[id(process)]


def _tickets_of(process: WorkerProcess) -> Tickets:
    with _lock:
        if not _tickets:
            _tickets.append(Tickets(process.redis, celery_producer()))
        return _tickets[0]


@signals.worker_ready.connect(weak=False)
def _watch(sender: Any = None, **_: Any) -> None:
    """A worker that sends is ready: it hears of news, and issues tickets."""
    # The parent of a prefork pool runs no tasks and must keep no threads: beat's tick is enough for its children.
    if not isinstance(getattr(sender, "pool", None), ThreadsPool) or QUEUE not in sender.app.amqp.queues.consume_from:
        return
    watch = Watch(get_sync(), _tickets_of(worker_process()))
    _watches.append(watch)
    watch.start()


@signals.worker_shutdown.connect(weak=False)
def _end(**_: Any) -> None:
    for watch in _watches:
        watch.stop()
    for sender in _senders.values():
        with contextlib.suppress(RuntimeError):
            worker_process().loop.run(sender.close)
