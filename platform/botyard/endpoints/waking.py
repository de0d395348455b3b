"""Who hears of news sees to it that a worker looks: by a ticket, of which there is only one at a time.

A ticket that is lost is made good by the clock of any worker that sends, and by beat every minute.
"""

import threading
import time
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from botyard.endpoints.claiming import any_due
from botyard.events import FREQUENT
from botyard.sync import Data, SyncService
from botyard.sync.service import RESYNC
from db.engine import DATABASE_TROUBLE, get_engine

log = structlog.get_logger(__name__)

SEND_EVENTS: Final = "botyard.send_events"
DUE: Final = "endpoints.due"
"""Told when something is to be sent that is no news of a bot."""
_TICKET: Final = "by:send_events"
_TICKET_MILLISECONDS: Final = 10_000
_LOOK_SECONDS: Final = 2.0
_BURST_SECONDS: Final = 0.05
_KEPT_SECONDS: Final = 300.0
_KEY: Final = "endpoints:customers"
_INTERESTED: Final = """
SELECT customer_id, bool_or(coalesce(types && cast(:frequent AS text[]), false)) FROM endpoints
 WHERE status = 'active' GROUP BY customer_id
"""


class Tickets:
    """Issues the ticket.

    Args:
        redis: where it is noted that there is one.
        app: sends it.
    """

    def __init__(self, redis: "Redis", app: Celery) -> None:
        self._redis = redis
        self._app = app

    def issue(self) -> None:
        """Let a worker look, unless one is going to."""
        if self._redis.set(_TICKET, 1, nx=True, px=_TICKET_MILLISECONDS):
            self._app.send_task(SEND_EVENTS, queue="outbound", retry=False, argsrepr="", kwargsrepr="")

    def taken(self) -> None:
        """A worker looks now: what comes from here on needs another ticket."""
        self._redis.delete(_TICKET)


class Watch:
    """Hears of news in a process that sends, and looks every two seconds whether something has become due.

    Args:
        sync: tells of news.
        tickets: for whoever sends.
    """

    def __init__(self, sync: SyncService, tickets: Tickets) -> None:
        self._sync = sync
        self._tickets = tickets
        self._heard: set[tuple[int | None, bool]] = set()
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoints", daemon=True)
        self._ends = [sync.on(event, self._hear) for event in ("events.*", "activity.noted", "endpoints.*", RESYNC)]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        for end in self._ends:
            end()
        self._stopped.set()
        self._news.set()
        self._thread.join(timeout=5)

    def _hear(self, event: str, data: Data) -> None:
        customer = data.get("customer")
        if event == RESYNC or event.startswith("endpoints."):
            self._sync.invalidate_cache(_KEY)
            customer = None
        self._heard.add((customer if isinstance(customer, int) else None, event == "activity.noted"))
        self._news.set()

    def _run(self) -> None:
        looked = 0.0
        while not self._stopped.is_set():
            self._news.wait(_LOOK_SECONDS)
            self._news.clear()
            try:
                wanted = self._concerns_somebody()
                if not wanted and time.monotonic() - looked >= _LOOK_SECONDS:
                    looked = time.monotonic()
                    wanted = any_due()
                if wanted:
                    self._tickets.issue()
                    # News come in bursts: one look is for all of them.
                    self._stopped.wait(_BURST_SECONDS)
            except (RedisError, OperationalError, OSError, *DATABASE_TROUBLE) as error:
                log.warning("endpoints_not_looked_after", error=type(error).__name__)
                self._stopped.wait(_LOOK_SECONDS)
            except Exception:  # the edge of a thread: if it ended here, nothing would be sent in time any more
                log.exception("endpoints_not_looked_after")
                self._stopped.wait(_LOOK_SECONDS)

    def _concerns_somebody(self) -> bool:
        heard = set()
        while self._heard:
            heard.add(self._heard.pop())
        if not heard:
            return False
        if (None, False) in heard:
            return True
        interested = self._sync.load(_KEY, _KEPT_SECONDS, _interested)
        return any(customer in interested and (interested[customer] or not frequent) for customer, frequent in heard)


def _interested() -> dict[int | None, bool]:
    """The customers with endpoints, and whether one of these takes frequent events."""
    with get_engine("system").connect() as connection:
        rows = connection.execute(text(_INTERESTED), {"frequent": list(FREQUENT)})
        return {customer: bool(frequent) for customer, frequent in rows}
