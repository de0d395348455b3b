"""Bringing what Telegram has of a bot to what it should be, and judging what it says. See docs/bots.md.

Source: https://core.telegram.org/bots/api#getwebhookinfo
"""

import asyncio
import math
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import select

from botyard.bots.asking import Asking, TokenRefused
from botyard.bots.connecting import PEACE, disconnect_bot, is_own
from botyard.bots.doors import host_in, webhook_url
from botyard.bots.fetching import judge_polling
from botyard.bots.health import Verdict, judge_deliveries
from botyard.bots.kinds import wanted_updates
from botyard.bots.stopping import REFUSED, stop_bot
from botyard.bots.webhooks import (
    CONNECTIONS,
    Connection,
    asking_as,
    delete_webhook,
    renew_secret,
    set_webhook,
)
from botyard.errors import InputError
from botyard.events import WebhookSet, WebhookStolen
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from botyard.telemetry import metrics
from db.engine import get_sessions
from db.models import Bot, InboxRow

_PROFILE_SECONDS: Final = 86_400
_FIRST_PAUSE: Final = timedelta(minutes=10)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_PEACE_AFTER: Final = timedelta(days=1)
_KIND_SECONDS: Final = 20.0
_RECENT_SECONDS: Final = 900.0
_WANTED_SECONDS: Final = 900.0
_MOST_WANTED: Final = 20_000
_wanted: dict[tuple[int, int, str], tuple[float, list[str] | None]] = {}
"""By bot, version and kind: when its code was looked at, and which updates it wants."""


class Reconciler:
    """Looks at bots, one at a time.

    Args:
        request: calls the Bot API.
        redis: an asyncio client.
        settings: of this process.
        remembering: whether what a bot's code wanted some minutes ago will do: to look at it takes its time.
    """

    def __init__(
        self, request: AiohttpRequest, redis: "Redis", settings: Settings, *, remembering: bool = False
    ) -> None:
        self._request = request
        self._redis = redis
        self._settings = settings
        self._remembering = remembering

    async def look_at(self, bot: Connection) -> Verdict:
        """Ask Telegram about a bot, and repair what is not as it should be. A bot whose token is refused is stopped.

        Raises:
            Unreachable: Telegram cannot be asked.
        """
        try:
            if bot.status == "inactive":
                return await disconnect_bot(bot, self._request)
            asking = await asyncio.to_thread(asking_as, bot, self._request)
            if await self._redis.set(f"by:profile:{bot.id}", "1", nx=True, ex=_PROFILE_SECONDS):
                await self._refresh(asking, bot)
            info = await asking.call("getWebhookInfo")
            if bot.intake == "polling":
                return await self._fetched(asking, bot, info)
            return await self._brought(asking, bot, info)
        except TokenRefused as error:
            if await asyncio.to_thread(_is_changed, bot):
                return Verdict("warning", "changed", "It was changed while it was looked at.", answered=False)
            await asyncio.to_thread(stop_bot, bot.id, bot.config_version, REFUSED)
            remedy = "Take its present token from BotFather and give it to `botyard bot add`."
            return Verdict("trouble", "token", f"Its token {error.problem}", remedy)
        except InputError as error:
            return Verdict("trouble", error.field.lower(), str(error), answered=error.field == "token")

    async def _refresh(self, asking: Asking, bot: Connection) -> None:
        """Take its name over, as it is at Telegram now."""
        profile: dict[str, Any] = await asking.call("getMe")
        if profile.get("id") != bot.telegram_id:
            raise InputError("token", "belongs to another bot.", "Give its own token to `botyard bot add`.")
        name, username = profile.get("first_name", ""), profile.get("username", "")
        if (name, username) != (bot.name, bot.username):
            await asyncio.to_thread(_rename, bot.id, name, username)

    async def _fetched(self, asking: Asking, bot: Connection, info: dict[str, Any]) -> Verdict:
        url = info.get("url", "")
        if url and is_own(url, bot):
            await delete_webhook(asking, bot.telegram_id)
            return Verdict("ok", "", "Our earlier webhook was taken away: its updates are fetched.")
        return await judge_polling(self._redis, bot.telegram_id, info)

    async def _brought(self, asking: Asking, bot: Connection, info: dict[str, Any]) -> Verdict:
        base = self._settings.webhook_address_for(bot.api_url)
        url = info.get("url", "")
        if base is None:
            remedy = "Set PUBLIC_URL, or add the bot again to have its updates fetched."
            return Verdict("trouble", "address", "Telegram is to bring its updates, but no address is set.", remedy)
        if url and not is_own(url, bot, base):
            return await self._stolen(asking, bot, base, host_in(url))
        days = self._settings.webhook_secret_days
        if days and bot.secret_since is not None:
            due = datetime.now(UTC) - timedelta(days=days)
            if bot.secret_since < due and await asyncio.to_thread(renew_secret, bot.id, due):
                return await self._set(asking, bot, base, "rotated", "It was time for another secret of its webhook.")
        allowed = await self._allowed(bot)
        if (drift := _drift(bot, info, base, allowed)) and await self._is_news(bot, drift[0], info, allowed):
            return await self._set(asking, bot, base, *drift)
        found = judge_deliveries(info, await asyncio.to_thread(_last_update, bot.telegram_id))
        if bot.thefts and bot.take_back_at is not None and bot.take_back_at < datetime.now(UTC) - _PEACE_AFTER:
            return replace(found, facts={**found.facts, **PEACE})
        return found

    async def _is_news(self, bot: Connection, reason: str, info: dict[str, Any], allowed: list[str] | None) -> bool:
        """Whether a call can mend it: a Bot API that knows not all kinds of updates shows others than it was told."""
        if reason != "updates":
            return True
        seen = f"{sorted(info.get('allowed_updates', ()))} {sorted(allowed or ())}"
        before: Any = await self._redis.set(f"by:updates:{bot.telegram_id}", seen, ex=_PROFILE_SECONDS, get=True)
        return before is None or str(before, "utf-8") != seen

    async def _set(self, asking: Asking, bot: Connection, base: str, reason: str, says: str) -> Verdict:
        await set_webhook(asking, bot.id, base, await self._allowed(bot), reason)
        facts = {"webhook_host": host_in(webhook_url(base, bot.public_id))}
        return Verdict("ok", "", f"{says} It was set.", facts=facts, events=(WebhookSet(reason),))

    async def _stolen(self, asking: Asking, bot: Connection, base: str, thief: str) -> Verdict:
        """Another system has set its own: it is taken back, but not again and again at once."""
        now = datetime.now(UTC)
        facts: dict[str, Any] = {"thief_host": thief, "webhook_host": thief}
        news = (WebhookStolen(thief),) if bot.reason != "stolen" or bot.thief_host != thief else ()
        metrics.THEFTS.inc(len(news))
        remedy = f"End it there first; `botyard bot reclaim {bot.id}` takes it back at once."
        if bot.take_back_at is not None and now < bot.take_back_at:
            says = (
                f"Two systems fight for its updates: {thief} has set its webhook again, after it was taken back "
                f"{_times(bot.thefts)}. It is taken back at {bot.take_back_at:%H:%M} UTC."
            )
            return Verdict("trouble", "stolen", says, remedy, facts=facts, events=news)
        thefts = bot.thefts + 1
        await set_webhook(asking, bot.id, base, await self._allowed(bot), "stolen")
        pause = min(_FIRST_PAUSE * 2 ** min(thefts - 1, 10), _LONGEST_PAUSE)
        facts |= {"thefts": thefts, "take_back_at": now + pause, "webhook_host": host_in(base)}
        says = f"Another system, {thief}, had set its webhook; it was taken back."
        remedy = f"End it there: whoever sets it last gets the updates. If it comes again, we wait {_lasting(pause)}."
        return Verdict("trouble", "stolen", says, remedy, facts=facts, events=(*news, WebhookSet("stolen")))

    async def _allowed(self, bot: Connection) -> list[str] | None:
        """What a bot wants; nothing, which leaves it as it is, for one whose kind cannot be loaded here."""
        key = (bot.id, bot.config_version, bot.kind)
        at, known = _wanted.get(key, (-math.inf, None))
        if self._remembering and time.monotonic() - at < _WANTED_SECONDS:
            return known
        if len(_wanted) >= _MOST_WANTED:
            _wanted.clear()
        try:
            async with asyncio.timeout(_KIND_SECONDS):
                found = await asyncio.to_thread(wanted_updates, bot.kind, bot.id)
        except (InputError, TimeoutError):
            found = None
        _wanted[key] = (time.monotonic(), found)
        return found


def _drift(bot: Connection, info: dict[str, Any], base: str, allowed: list[str] | None) -> tuple[str, str] | None:
    """What is not as we have set it: a word, and a sentence."""
    url = info.get("url", "")
    if not url:
        return "missing", "Its webhook was missing at Telegram."
    if url != webhook_url(base, bot.public_id):
        return "moved", "Its webhook led to an earlier address of ours."
    if info.get("max_connections", CONNECTIONS) != CONNECTIONS:
        return "connections", "Its webhook had another number of connections."
    refused = "401" in info.get("last_error_message", "") and info.get("pending_update_count")
    if bot.untold or (refused and time.time() - info.get("last_error_date", 0) < _RECENT_SECONDS):
        return "secret", "Telegram did not know the present secret of its webhook."
    if allowed is not None and sorted(info.get("allowed_updates", ())) != sorted(allowed):
        return "updates", "Its webhook asked for other kinds of updates than its handlers take."
    return None


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _lasting(pause: timedelta) -> str:
    minutes = int(pause.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes / 60:g} hours"


def _is_changed(bot: Connection) -> bool:
    """Whether it may have another token than the one that was refused."""
    with get_sessions("system")() as session:
        return session.scalar(select(Bot.config_version).where(Bot.id == bot.id)) != bot.config_version


def _rename(bot_id: int, name: str, username: str) -> None:
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id, with_for_update=True)
        if bot is not None:
            bot.name, bot.username = name, username
            bot.config_version += 1


def _last_update(telegram_id: int) -> datetime | None:
    query = select(InboxRow.received_at).where(InboxRow.telegram_id == telegram_id, InboxRow.update_id > 0)
    with get_sessions("system")() as session:
        return session.scalar(query.order_by(InboxRow.update_id.desc()).limit(1))
