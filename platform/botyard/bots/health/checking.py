"""Looking after all bots: whose turn it is, many at a time, and never too many at one Bot API. See docs/bots.md."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import LockError, RedisError
from sqlalchemy import text

from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.first_contact import KNOWN_FOR, FirstContacts, is_known
from botyard.bots.connection.webhooks import Connection, connection_of
from botyard.bots.health.reconciling import Reconciler
from botyard.bots.health.verdicts import Verdict, note
from botyard.bots.registry import forget_left
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.telegram.address import host_of
from botyard.telegram.request import AiohttpRequest
from db.engine import DATABASE_TROUBLE, get_sessions

log = structlog.get_logger(__name__)

FEW: Final = 1000
"""Up to so many bots each is checked every five minutes."""
_TICKS: Final = 40
"""In so many ticks, a minute each, all of more bots are: so Telegram still knows each when its turn comes."""
_SIDE_BY_SIDE: Final = 32
_SECONDS: Final = 45.0
_PER_SECOND: Final = 10
"""So many a second are enough, unless the round would not be over in time: updates need the processor meanwhile."""
_SPREAD_SECONDS: Final = 30.0
_LEASE: Final = "by:checks"
_LEASE_SECONDS: Final = 90.0
_SILENT_HOST: Final = 5
_SOON: Final = timedelta(seconds=270)
_LATER: Final = timedelta(minutes=35)
_AWAY: Final = "by:api_away"

# Those whose updates have stopped go first, beside those that have not been looked at for longest: `usual` is ten times
# the time between two updates of yesterday. A bot that is switched off is of interest as long as it has a webhook.
# Each Bot API has places of its own, and so have the bots that it does not know: where one has to wait for it or for a
# permit, those behind it are of its own kind.
_DUE: Final = text("""
WITH found AS (
  SELECT b.id, b.api_url, h.checked_at, h.next_check, coalesce(h.contacted_at > now() - :known_for, false) AS known,
         coalesce(u.received_at < now() - usual.time, false) AS silent,
         coalesce(h.pending > 0 OR h.state = 'trouble', false) AS stopped
    FROM bots b LEFT JOIN bot_health h ON h.bot_id = b.id
    LEFT JOIN bot_days d ON d.bot_id = b.id AND d.day = current_date - 1 AND d.updates >= 24
    LEFT JOIN LATERAL (
      SELECT greatest(interval '15 min', interval '1 day' * 10 / d.updates) AS time) usual ON true
    LEFT JOIN LATERAL (
      SELECT i.received_at FROM inbox i WHERE i.telegram_id = b.telegram_id AND i.update_id > 0
       ORDER BY i.update_id DESC LIMIT 1) u ON d.updates IS NOT NULL
   WHERE b.removal_began IS NULL
     AND (b.status IN ('active', 'paused', 'maintenance') OR b.status = 'inactive' AND h.webhook_host IS NOT NULL)
), placed AS (
  SELECT id, known, row_number() OVER (PARTITION BY api_url, known ORDER BY
           stopped OR silent OR coalesce(checked_at < now() - interval '45 min', true) DESC,
           checked_at NULLS FIRST, id) AS place
    FROM found
   WHERE next_check IS NULL OR next_check <= now()
      OR silent AND coalesce(checked_at <= now() - interval '270 s', true)
)
SELECT id FROM placed WHERE place <= :most ORDER BY known DESC, place, id
""")


@dataclass(slots=True)
class Round:
    """What became of one tick.

    Args:
        checked: how many bots were looked at, by state.
        later: how many have to wait for a permit, or for a Bot API that is away.
        away: the Bot APIs that answered for nobody.
    """

    checked: Counter[str] = field(default_factory=Counter)
    later: int = 0
    away: dict[str, str] = field(default_factory=dict)


class _Host:
    """How one Bot API has answered in this round, and whether it may hear of more bots."""

    def __init__(self) -> None:
        self.answered = False
        self.full = False
        """There are no more permits for now."""
        self.streak = 0
        """How often in a row it has not."""
        self.says = ""
        self.waiting: list[tuple[int, Verdict]] = []

    @property
    def away(self) -> bool:
        """Whether it is of no use to ask it again now."""
        return self.streak >= _SILENT_HOST


class Checker:
    """One round of health checks.

    Args:
        request: calls the Bot API.
        redis: an asyncio client.
        settings: of this process.
    """

    def __init__(self, request: AiohttpRequest, redis: "Redis", settings: Settings) -> None:
        self._redis = redis
        self._contacts = FirstContacts(redis, settings)
        self._request, self._settings = request, settings
        self._hosts: dict[str, _Host] = {}
        self._round = Round()

    async def check_due(self) -> Round | None:
        """Check the bots whose turn it is; nothing if another process is at it.

        What is not done when the time is over is done first the next time.
        """
        lease = self._redis.lock(_LEASE, timeout=_LEASE_SECONDS, blocking=False)
        if not await lease.acquire():
            return None
        try:
            reconciler = Reconciler(self._request, self._redis, self._settings, remembering=True)
            due, many = await asyncio.to_thread(due_bots)
            await self._check_all(reconciler, due, many=many)
            await self._end_round()
            await asyncio.to_thread(forget_left)
        finally:
            try:
                await lease.release()
            except LockError:
                log.warning("checks_overran")
        return self._round

    async def check(self, bot_id: int) -> Verdict:
        """Check one bot now.

        Raises:
            InputError: there is no such bot.
        """
        bot = await asyncio.to_thread(connection_of, bot_id)
        if bot is None:
            raise InputError("bot", "is not here, or is being removed.", "See `botyard bot list`.")
        try:
            if not is_known(bot.contacted_at):
                await self._contacts.wait(bot.api_url)
            found = await Reconciler(self._request, self._redis, self._settings).look_at(bot)
        except Unreachable as error:
            found = _away(error)
        await asyncio.to_thread(note, bot_id, found, _SOON)
        return found

    async def _check_all(self, reconciler: Reconciler, due: Sequence[int], *, many: bool) -> None:
        left = enumerate(due)
        pause = min(1 / _PER_SECOND, _SPREAD_SECONDS / max(1, len(due)))
        began = time.monotonic()

        async def work() -> None:
            for place, bot_id in left:
                await asyncio.sleep(max(0.0, began + place * pause - time.monotonic()))
                if time.monotonic() > began + _SECONDS:
                    return
                try:
                    await self._check_one(reconciler, bot_id, many=many)
                except (RedisError, *DATABASE_TROUBLE):
                    raise
                except Exception:  # what is odd about one bot must not keep the others from their turn
                    log.exception("bot_not_checked", bot=bot_id)

        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(work())

    async def _check_one(self, reconciler: Reconciler, bot_id: int, *, many: bool) -> None:
        bot = await asyncio.to_thread(connection_of, bot_id)
        if bot is None:
            return
        host = self._hosts.setdefault(bot.api_url, _Host())
        if host.away or not (is_known(bot.contacted_at) or await self._may_begin(bot.api_url, host)):
            self._round.later += 1
            return
        try:
            found = await reconciler.look_at(bot)
        except Unreachable as error:
            host.streak += 1
            host.says = str(error)
            host.waiting.append((bot_id, _away(error)))
            return
        if found.answered:
            host.answered, host.streak = True, 0
        await self._note(bot, found, many=many)

    async def _may_begin(self, api_url: str, host: _Host) -> bool:
        """Whether the Bot API may hear of one more bot that it does not know."""
        # Whoever asks in vain once is not served sooner by asking for each.
        host.full = host.full or bool(await self._contacts.permit(api_url))
        return not host.full

    async def _note(self, bot: Connection, found: Verdict, *, many: bool) -> None:
        well = found.state == "ok"
        # Not all at the same moment the next time, either.
        wait = _LATER * random.uniform(0.9, 1.1) if many and well else _SOON  # noqa: S311 - no secret
        await asyncio.to_thread(note, bot.id, found, wait)
        self._round.checked[found.state] += 1

    async def _end_round(self) -> None:
        """A Bot API that answers for others is in trouble with this bot; one that answers for nobody is away itself."""
        for api_url, host in self._hosts.items():
            if host.away or (host.waiting and not host.answered):
                self._round.away[host_of(api_url)] = host.says
                self._round.later += len(host.waiting)
                continue
            for bot_id, found in host.waiting:
                await asyncio.to_thread(note, bot_id, found, _SOON)
                self._round.checked[found.state] += 1
        before = {str(key, "utf-8") for key in await self._redis.hkeys(_AWAY)}  # type: ignore[arg-type]
        for name, says in self._round.away.items():
            if name not in before:
                log.warning("bot_api_away", host=name, says=says)
            await self._redis.hsetnx(_AWAY, name, f"{time.time():.0f} {says}")
        answered = {host_of(api_url) for api_url, host in self._hosts.items() if host.answered}
        if back := before & answered - set(self._round.away):
            log.info("bot_api_back", hosts=sorted(back))
            await self._redis.hdel(_AWAY, *back)


def _away(error: Unreachable) -> Verdict:
    remedy = "Look at the connection to it; updates and sends wait meanwhile, and nothing is lost."
    return Verdict("warning", "away", str(error), remedy, answered=False)


def due_bots() -> tuple[list[int], bool]:
    """The bots whose turn it is, in the order of their turns; and whether there are so many that they take turns."""
    with get_sessions("system")() as session:
        count = session.execute(text("SELECT count(*) FROM bots")).scalar_one()
        most = count if count <= FEW else -(-count // _TICKS)
        return list(session.scalars(_DUE, {"most": most, "known_for": KNOWN_FOR})), count > FEW


@asynccontextmanager
async def checker(settings: Settings) -> AsyncIterator[Checker]:
    """A checker with clients of its own, in the running loop."""
    request = AiohttpRequest(settings.api_timeout_seconds)
    redis = Redis.from_url(settings.require("redis_url"), socket_timeout=5, socket_connect_timeout=5)
    try:
        yield Checker(request, redis, settings)
    finally:
        await request.close()
        await redis.aclose()
