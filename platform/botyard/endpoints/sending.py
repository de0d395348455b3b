"""Sending what waits: a slice in one event loop, with many attempts side by side. The web process never imports it.

Why in the threads worker of bots' sends, and not with the health checks: waiting for somebody's server takes no
processor, and the maintenance worker has a child or two that everybody needs. A slice takes one slot, however many
attempts it has under way; an endpoint has two of these at most, a customer ten, so a slow one keeps nobody waiting.
"""

import asyncio
import email.utils
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar

import structlog

from botyard.endpoints.claiming import Claimed, Outcome, claim, conclude
from botyard.endpoints.signing import signed_headers
from botyard.endpoints.spreading import discard_waiting, spread_events
from botyard.errors import InputError
from botyard.outbound_http import Answer, Ask, OutboundError, OutboundHttp
from db.engine import DATABASE_TROUBLE, storable

log = structlog.get_logger(__name__)
T = TypeVar("T")

SECONDS: Final = 15.0
"""Within so many an endpoint answers."""
SLICE_SECONDS: Final = 20.0
"""For so long new attempts are begun; those under way are waited for."""
_UNSETTLED_SECONDS: Final = 5.0
_MOST_ANSWER: Final = 64 * 1024
_KEPT_ANSWER: Final = 4096
_AT_ONCE: Final = 64
_SHORTEST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_LATER: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Sender:
    """Sends for all customers; one for each process.

    Args:
        http: the guarded client of this event loop.
        database: threads in which the database is asked.
    """

    def __init__(self, http: OutboundHttp, database: Executor) -> None:
        self._http = http
        self._database = database
        self._news = asyncio.Event()
        self._at_work = False
        self._flying: set[asyncio.Task[None]] = set()

    async def run(self) -> bool | None:
        """Begin attempts until nothing is due, or the slice is over.

        Returns:
            whether there may be more to do; none: another slice of this process is at it, and was told.
        """
        if self._at_work:
            self._news.set()
            return None
        self._at_work = True
        try:
            return await self._work(time.monotonic())
        finally:
            self._at_work = False

    async def land(self) -> None:
        """Wait for the attempts that are under way: each ends in time by itself."""
        if self._flying:
            await asyncio.wait(set(self._flying))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def _work(self, began: float) -> bool:
        pause = _SHORTEST_PAUSE
        await self._in_thread(discard_waiting)
        while True:
            self._news.clear()
            spread = await self._in_thread(spread_events)
            taken = await self._in_thread(lambda: claim(max(0, _AT_ONCE - len(self._flying))))
            for one in taken:
                self._begin(one)
            lasted = time.monotonic() - began
            if lasted > SLICE_SECONDS:
                return True
            busy = bool(taken or spread.seen)
            waits = spread.unsettled and lasted < _UNSETTLED_SECONDS
            if not (busy or waits or self._flying):
                return False
            if not busy:
                pause = min(2 * pause, _LONGEST_PAUSE)
                await self._something_new(pause)
            else:
                pause = _SHORTEST_PAUSE

    def _begin(self, one: Claimed) -> None:
        task = asyncio.create_task(self._attempt(one))
        self._flying.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._flying.discard(task)
        # Its endpoint may have another one.
        self._news.set()

    async def _something_new(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _attempt(self, one: Claimed) -> None:
        try:
            outcome = await self._send(one)
            await self._in_thread(lambda: conclude(one, outcome))
        except DATABASE_TROUBLE as error:
            # The lease runs out, and it is sent again.
            log.warning("endpoint_attempt_not_recorded", endpoint=one.endpoint_id, error=type(error).__name__)
        except Exception:  # the edge of a task that nobody waits for: the lease runs out, and it is sent again
            log.exception("endpoint_attempt_failed", endpoint=one.endpoint_id, message=one.id)

    async def _send(self, one: Claimed) -> Outcome:
        began, at = time.monotonic(), datetime.now(UTC)
        body = one.body.encode()

        def outcome(**found: object) -> Outcome:
            return Outcome(at, round((time.monotonic() - began) * 1000), **found)  # type: ignore[arg-type]

        try:
            # Reading a key may ask a file or a command.
            headers = await self._in_thread(
                lambda: signed_headers(one.id, int(at.timestamp()), body, one.endpoint_id, one.sealed)
            )
        except InputError as error:
            log.warning("endpoint_message_not_signed", endpoint=one.endpoint_id, error=str(error))
            return outcome(error="it could not be signed; this is the installation's fault", ours=True)
        try:
            answer = await self._http.ask(
                Ask("POST", one.url, body, headers, seconds=SECONDS, most_bytes=_MOST_ANSWER, cut=True)
            )
        except (InputError, OutboundError) as error:
            return outcome(error=str(error))
        return outcome(
            status=answer.status, error=_why_not(answer.status), retry_after=_retry_after(answer),
            answer=storable(answer.body[:_KEPT_ANSWER].decode("utf-8", "replace")),
            gone=answer.status == HTTPStatus.GONE,
        )  # fmt: skip

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._database, work)


def _why_not(status: int) -> str | None:
    """Why a status does not count as delivered."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"it answered {status}: redirects are not followed"
    return f"it answered {status}"


def _retry_after(answer: Answer) -> float | None:
    """For how many seconds it wants no other attempt."""
    return seconds_of(answer.headers) if answer.status in _LATER else None


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """What ``Retry-After`` says, as seconds or as a date; none for what it may not say."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        at = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
