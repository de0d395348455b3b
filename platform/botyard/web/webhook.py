"""The webhook receiver: a bare ASGI path beside the framework, because every update passes here. See docs/webhook.md.

Source: https://core.telegram.org/bots/api#setwebhook
"""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from botyard.bots.connection.doors import PATH, PROBE, proof_of
from botyard.bots.registry import Intake, find_intake
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import mailbox_entry
from botyard.mailbox.tickets import TicketQueue
from botyard.telegram.keys import awaited_query, chat_key
from botyard.telemetry import metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger(__name__)

PREFIX: Final = PATH
_MAX_BODY: Final = 1024 * 1024
_MOST_DIGITS: Final = 12
# Far beyond Telegram's ids; up to here a provisional message id, which is made of it, fits 64 bits.
_LARGEST_ID: Final = 2**49
_PUBLIC_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# An acknowledgement comes a second later for each 10,000 updates that wait for the bot.
_HELD_PER_SECOND: Final = 10_000
_LONGEST_PAUSE: Final = 1.0
_RETRY_AFTER: Final = (b"retry-after", b"2")
# What is answered to every update that is taken in.
_WELL: Final = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_count_taken_in: Final = metrics.ACKNOWLEDGED.one_of(status=200)
_NOTHING_MORE: Final = {"type": "http.response.body", "body": b""}
# Changes are told to every process; this is for one that was not heard.
_KNOWN_SECONDS: Final = 300.0
_UNKNOWN_SECONDS: Final = 1.0
_NEVER: Final = (-math.inf, None)
# Who shows another secret, or comes to a closed door, may know of a change that was not heard here. The database is
# asked once a second for it at most, however many such requests there are.
_AGAIN_SECONDS: Final = 1.0
_PROBE: Final = PROBE.lower().encode()
_NONCE: Final = re.compile(rb"[A-Za-z0-9_-]{1,64}")
# Names of nobody, and lookups of names that are not known yet: whoever guesses must neither fill the memory nor keep
# the database busy. After a restart the first updates of more bots than this come again two seconds later.
_MOST_UNKNOWN: Final = 10_000
_MOST_LOOKUPS: Final = 100


class Intakes:
    """Whose webhook a path is, remembered for a while; a known one outlives an absent database."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Intake]] = {}
        """By public name: when the database was asked, and its answer. There are no more than doors."""
        self._unknown: dict[str, float] = {}
        """Names of nobody, and when the database said so."""
        self._asking: dict[str, asyncio.Task[Intake | None]] = {}
        self._again: dict[str, float] = {}
        """When the database was last asked because what is remembered did not do."""
        self._forgotten = 0

    def known(self, public_id: str) -> Intake | None:
        """The door behind a path, if the database named it a while ago at most."""
        asked, intake = self._known.get(public_id, _NEVER)
        return intake if time.monotonic() < asked + _KNOWN_SECONDS else None

    async def find(self, public_id: str) -> Intake | None:
        """The door behind a path.

        Raises:
            Refusal: it was never seen, and too many others that never were are looked up already.
            SQLAlchemyError: it was never seen, and the database cannot be asked.
        """
        now = time.monotonic()
        if now < self._unknown.get(public_id, -math.inf) + _UNKNOWN_SECONDS:
            return None
        asked, intake = self._known.get(public_id, _NEVER)
        if intake is None:
            if public_id not in self._asking and len(self._asking) >= _MOST_LOOKUPS:
                raise Refusal(503)
            return await asyncio.shield(self._ask_soon(public_id))
        if now >= asked + _KNOWN_SECONDS:
            # It does not wait for a slow database: what is remembered serves until the answer is there.
            self._ask_soon(public_id)
        return intake

    async def find_again(self, public_id: str) -> Intake | None:
        """The same of a door that was found, asked for now; but what is remembered if that was done a second ago."""
        now = time.monotonic()
        asked_lately = now < self._again.get(public_id, -math.inf) + _AGAIN_SECONDS
        if asked_lately and public_id not in self._asking:
            return self._known.get(public_id, (0.0, None))[1]
        if not asked_lately:
            self._again[public_id] = now
        return await asyncio.shield(self._ask_soon(public_id))

    def forget(self, bot_id: int | None) -> None:
        """Something of a bot was changed: ask the database the next time; none: of any bot. From this loop only.

        What is known serves on until the answer is there, so an absent database stops nobody.
        """
        self._forgotten += 1
        self._unknown.clear()
        for public_id, (_, intake) in self._known.items():
            if bot_id is None or intake.bot_id == bot_id:
                self._known[public_id] = (-math.inf, intake)

    def _ask_soon(self, public_id: str) -> asyncio.Task[Intake | None]:
        asking = self._asking.get(public_id)
        if asking is None:
            asking = self._asking[public_id] = asyncio.create_task(self._ask(public_id))
            asking.add_done_callback(lambda _: self._asking.pop(public_id, None))
        return asking

    async def _ask(self, public_id: str) -> Intake | None:
        asked, forgotten = time.monotonic(), self._forgotten
        try:
            intake = await asyncio.get_running_loop().run_in_executor(None, find_intake, public_id)
        except SQLAlchemyError as error:
            log.warning("intake_not_refreshed", error=type(error).__name__)
            intake = self._known.get(public_id, (0.0, None))[1]
            if intake is None:
                raise
        # What was forgotten meanwhile may have been read just before it was changed.
        asked = asked if forgotten == self._forgotten else -math.inf
        if intake is not None:
            self._known[public_id] = (asked, intake)
            return intake
        self._known.pop(public_id, None)
        self._again.pop(public_id, None)
        if len(self._unknown) >= _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[public_id] = asked
        return None


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The request is not taken in; Telegram, or whoever it was, gets this status."""

    status: int


class Webhook:
    """Takes updates in.

    Args:
        mailboxes: where they go.
        tickets: where the tickets go that they cause.
        intakes: whose webhook a path is.
        calm: how many updates may wait for a bot before its acknowledgements come later.
    """

    def __init__(self, mailboxes: Mailboxes, tickets: TicketQueue, intakes: Intakes, calm: int) -> None:
        self._mailboxes = mailboxes
        self._tickets = tickets
        self._intakes = intakes
        self._calm = calm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 only when Redis has the update, 503 when Telegram is to bring it again."""
        body = b""
        try:
            status, body = await self._take_in(scope, receive)
        except Refusal as refusal:
            status = refusal.status
        except (RedisError, SQLAlchemyError, OSError) as error:
            log.warning("update_not_accepted", error=type(error).__name__)
            status = 503
        except Exception:
            # The edge of the process: whatever it was, the update is not ours yet, so it must come again.
            log.exception("update_not_accepted")
            status = 503
        if status == 200 and not body:
            _count_taken_in()
            await send(_WELL)
            await send(_NOTHING_MORE)
            return
        metrics.ACKNOWLEDGED.inc(status=status)
        await _answer(send, status, body)

    async def _take_in(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            raise Refusal(405)
        headers = dict(scope["headers"])
        intake, secret_hash = await self._enter(scope["path"][len(PREFIX) :], headers)
        if (nonce := headers.get(_PROBE)) is not None:
            if not _NONCE.fullmatch(nonce):
                raise Refusal(400)
            return 200, proof_of(secret_hash, nonce.decode()).encode()
        if intake.closed:
            raise Refusal(503)
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            raise Refusal(415)
        body = await _read(headers, receive)
        update, update_id = _parse(body)
        entry = mailbox_entry(body)
        accepted = await self._mailboxes.accept(
            intake.telegram_id, chat_key(update), update_id, entry, awaited_query(update)
        )
        if accepted.verdict == "full":
            raise Refusal(503)
        if accepted.verdict == "gone":
            raise Refusal(404)
        self._tickets.send_soon(accepted.ticket)
        if accepted.held > self._calm:
            # It is ours, and Telegram may know a little later: what would only wait here waits there, and taking a
            # flood in leaves the processor to the bots that are not flooded.
            await asyncio.sleep(min(accepted.held / _HELD_PER_SECOND, _LONGEST_PAUSE))
        return 200, b""

    async def _enter(self, public_id: str, headers: dict[bytes, bytes]) -> tuple[Intake, bytes]:
        """The door that somebody came to, and the hash of the secret with which they may come in."""
        intake = self._intakes.known(public_id)
        if intake is None:
            intake = await self._intakes.find(public_id) if _PUBLIC_ID.fullmatch(public_id) else None
        if intake is None:
            raise Refusal(404)
        given = headers.get(b"x-telegram-bot-api-secret-token", b"")
        secret_hash = intake.secret_of(given, time.time())
        if secret_hash is None or intake.closed:
            intake = await self._intakes.find_again(public_id)
            secret_hash = None if intake is None else intake.secret_of(given, time.time())
        if intake is None or secret_hash is None:
            raise Refusal(401)
        return intake, secret_hash


async def _read(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The body, read no further than it may be long."""
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > _MOST_DIGITS or int(announced) > _MAX_BODY:
        raise Refusal(413)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MAX_BODY:
            raise Refusal(413)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunk


def _parse(body: bytes) -> tuple[dict[str, Any], int]:
    try:
        update = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(400) from None
    update_id = update.get("update_id") if isinstance(update, dict) else None
    # Telegram's ids are positive; negative ones are ours, for replays.
    if type(update_id) is not int or not 0 <= update_id < _LARGEST_ID:
        raise Refusal(400)
    return update, update_id


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    if status == 503:
        headers.append(_RETRY_AFTER)
    if status == 413:
        # What is left of the body is not read: the connection cannot be used again.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
