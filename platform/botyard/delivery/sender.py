"""One slice's way from claimed rows to results: real ids, permits, calls. See docs/delivery.md."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from botyard.bots import activity
from botyard.bots.registry import ServedBot
from botyard.bots.stopping import REFUSED, stop_bot
from botyard.delivery.calls import ApiClient, with_real_ids
from botyard.delivery.outbox import Outbox, Result, Row, Verdict
from botyard.delivery.uploading import Upload, Uploader
from botyard.hosting import Host
from botyard.limiter import PAID, Limiter, Permission, Permit
from botyard.mailbox.leases import Lease
from botyard.media.attached import FILES
from botyard.media.known import KnownFiles
from botyard.sent_messages import real_ids
from botyard.telegram.outbox_bot import provisional_ids
from botyard.telegram.request import UPLOAD_SECONDS
from botyard.telegram.test_mode import HELD_BACK, audience_of
from botyard.telemetry import metrics
from botyard.vault.opening import open_sealed
from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

# To fetch files from where they are kept, and to record what became of the call.
_READ_SECONDS: Final = 90.0
_FREE_AT_ONCE: Final = 4
_PAID_AT_ONCE: Final = 50
_GIVEN_UP: Final = ("dead", "expired", "dropped")


@dataclass(frozen=True, slots=True)
class Ready:
    """A row that may be sent at its permit's moment."""

    row: Row
    params: dict[str, Any]
    permit: Permit


class Sender:
    """Turns the rows that a slice claimed into results.

    Args:
        api: calls of the Bot API.
        limiter: permits.
        outbox: whose rows they are.
        bot: who sends.
        host: clients of this loop.
        lease: the slice's; without it nothing is sent.
    """

    def __init__(
        self, api: ApiClient, limiter: Limiter, outbox: Outbox, bot: ServedBot, host: Host, lease: Lease
    ) -> None:
        self._api = api
        self._limiter = limiter
        self._outbox = outbox
        self.bot = bot
        self._host = host
        self._lease = lease
        self._token = open_sealed(bot.token)
        self._audience = audience_of(host.settings)
        self._uploader = Uploader(api, host.media, KnownFiles(bot.id, bot.customer_id), host.database)
        self.uploading = 0
        """Calls under way that carry files, and so may take long."""
        self._rate_opens = 0.0
        self._paced_at_once = _FREE_AT_ONCE

    @property
    def rate_closed(self) -> float:
        """Seconds until it is worth while to ask for sends of paced lanes again."""
        return max(self._rate_opens - time.monotonic(), 0.0)

    @property
    def paced_room(self) -> int:
        """How many rows of paced lanes to claim: those that get no permit are claimed and given back for nothing."""
        return 0 if self.rate_closed else self._paced_at_once

    async def prepare(self, rows: list[Row], results: list[Result]) -> list[Ready]:
        """The rows that may be sent in a moment, with their final parameters; the others get a result."""
        real = await self._real_ids(rows)
        ready = []
        for row in rows:
            params = with_real_ids(row.params, real)
            if self._audience.holds_back(row.method, row.params, row.chat):
                log.warning("send_held_back", bot=self.bot.id, row=row.id, method=row.method, chat=row.chat)
                metrics.HELD_BACK.inc(bot=self.bot.id)
                results.append(self._unsent(row, "dropped", HELD_BACK))
            elif row.unreachable is not None:
                results.append(self._unsent(row, "dropped", row.unreachable))
            elif row.late:
                results.append(self._unsent(row, "expired", "its last useful moment has passed"))
            elif params is None:
                results.append(self._unsent(row, "dead", "the message it refers to was never sent"))
            else:
                ready.append((row, params))
        return await self._permitted(ready, results)

    def _unsent(self, row: Row, verdict: Verdict, why: str) -> Result:
        result = Result(row.id, row.attempt, verdict, error=why, fingerprint=why)
        self._count_end(row, result)
        return result

    async def _real_ids(self, rows: list[Row]) -> dict[int, int | None]:
        wanted: dict[int, list[int]] = {}
        for row in rows:
            if row.telegram_id is not None and (numbers := provisional_ids(row.params)):
                wanted.setdefault(row.telegram_id, []).extend(numbers)
        found: dict[int, int | None] = {}
        loop = asyncio.get_running_loop()
        for telegram_id, numbers in wanted.items():
            ask = partial(real_ids, self.bot.customer_id, telegram_id, numbers)
            found |= await loop.run_in_executor(self._host.database, ask)
        return found

    async def _permitted(self, ready: list[tuple[Row, dict[str, Any]]], results: list[Result]) -> list[Ready]:
        wanted = [self._wanted(row, params) for row, params in ready]
        going = []
        permits = await self._limiter.reserve(self.bot.id, wanted)
        self._note_rate([permit for permit in permits if permit.wanted.rate])
        for (row, params), permit in zip(ready, permits, strict=True):
            if permit.granted:
                going.append(Ready(row, params, permit))
            else:
                results.append(Result(row.id, row.attempt, "queued", due_in=permit.ask_again, cause="permit"))
        return going

    def _note_rate(self, permits: list[Permit]) -> None:
        if any(permit.wanted.rate == PAID for permit in permits):
            self._paced_at_once = _PAID_AT_ONCE
        elif permits:
            self._paced_at_once = _FREE_AT_ONCE
        if crowded := [permit.ask_again for permit in permits if permit.crowded]:
            self._rate_opens = time.monotonic() + min(crowded)

    def _wanted(self, row: Row, params: dict[str, Any]) -> Permission:
        paid = params.get("allow_paid_broadcast") is True
        wanted = self._limiter.permission(row.method, row.chat, row.lane, paid=paid)
        # An album counts as the messages that it is.
        return replace(wanted, weight=len(params["media"])) if row.method == "sendMediaGroup" else wanted

    async def send(self, ready: Ready) -> Result:
        """Make the call; or give the row back if the lease may have passed while this process stood still."""
        if FILES not in ready.params:
            return await self._call(ready, None)
        self.uploading += 1
        # It takes longer than the slice's lease was to be renewed for.
        self._lease.until = max(self._lease.until, time.monotonic() + UPLOAD_SECONDS + _READ_SECONDS)
        try:
            upload = await self._uploader.prepare(ready.row, ready.params)
            if isinstance(upload, Result):
                self._count_end(ready.row, upload)
                return upload
            with upload:
                return await self._call(ready, upload)
        finally:
            self.uploading -= 1

    async def _call(self, ready: Ready, upload: Upload | None) -> Result:
        row = ready.row
        try:
            await self._limiter.come(self.bot.id, ready.permit)
        except RedisError as error:
            log.warning("permit_not_used", bot=self.bot.id, row=row.id, error=type(error).__name__)
            return Result(row.id, row.attempt, "queued")
        if time.monotonic() > self._lease.renewed_at + self._host.settings.lease_seconds:
            return Result(row.id, row.attempt, "queued")
        if upload is None:
            result = await self._api.send(row, ready.params, self.bot.api_url, self._token)
        else:
            result = await self._uploader.send(upload, self.bot.api_url, self._token)
        if result.verdict == "sent":
            self._count(row)
            await self._learn(row, result)
        else:
            log.warning(
                "send_failed", bot=self.bot.id, row=row.id, method=row.method, verdict=result.verdict,
                error=result.error, retry_in=result.due_in,
            )  # fmt: skip
            if result.uncertain:
                metrics.UNCERTAIN.inc(bot=self.bot.id)
                activity.note(self.bot, "uncertain")
            self._count_end(row, result)
            try:
                await self._follow(row, result)
            except (RedisError, *DATABASE_TROUBLE) as trouble:
                # What became of the row stands all the same; the next refusal tells it again.
                log.warning("refusal_not_followed", bot=self.bot.id, row=row.id, error=type(trouble).__name__)
        return result

    async def _learn(self, row: Row, result: Result) -> None:
        """A channel can be written to by its name as well: both are one chat to the limits."""
        if row.chat.startswith("@") and result.chat_id is not None:
            with contextlib.suppress(RedisError):
                await self._limiter.learn(self.bot.id, row.chat, str(result.chat_id))

    def _count_end(self, row: Row, result: Result) -> None:
        if result.verdict in _GIVEN_UP:
            metrics.GIVEN_UP.inc(bot=self.bot.id, lane=row.lane.name.lower(), state=result.verdict)
            activity.note(self.bot, "unsent")

    async def _follow(self, row: Row, result: Result) -> None:
        """What a refusal means beyond its row."""
        if result.flood_seconds and await self._limiter.close(self.bot.id, row.chat, result.flood_seconds):
            log.warning("bot_closed", bot=self.bot.id, seconds=result.flood_seconds)
        if result.moved_to is not None:
            await self._host.follow_group(self.bot, row.chat, result.moved_to)
        if result.token_refused:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._host.database, stop_bot, self.bot.id, self.bot.config_version, REFUSED)

    def _count(self, row: Row) -> None:
        metrics.SENT.inc(bot=self.bot.id, lane=row.lane.name.lower())
        activity.note(self.bot, "sent")
        if row.caused_at is not None:
            metrics.RESPONSE_SECONDS.observe((datetime.now(UTC) - row.caused_at).total_seconds(), bot=self.bot.id)
