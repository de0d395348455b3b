"""Bringing what Telegram has of a bot to what it should be, and judging what it says. See docs/bots.md.

Source: https://core.telegram.org/bots/api#getwebhookinfo
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import select

from botyard.bots.connection.asking import Asking, Refused, TokenRefused
from botyard.bots.connection.connecting import disconnect_bot, refused_token
from botyard.bots.connection.doors import host_in, webhook_url
from botyard.bots.connection.pictures import note_picture
from botyard.bots.connection.wanting import known_wanted_of, wanted_of
from botyard.bots.connection.webhooks import Changed, Connection, asking_as, delete_webhook, renew_secret, set_webhook
from botyard.bots.health.drifting import LOST, Drift, Tried, drifts
from botyard.bots.health.fetching import judge_polling
from botyard.bots.health.thefts import PEACE, PROGRAM, is_fought_for, is_own, taken, taken_back
from botyard.bots.health.verdicts import Verdict, judge_deliveries
from botyard.errors import InputError
from botyard.events import WebhookSet
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from db.engine import get_sessions
from db.models import Bot, InboxRow

_PROFILE_SECONDS: Final = 86_400
_PEACE_AFTER: Final = timedelta(days=1)
_CHANGED: Final = Verdict("warning", "changed", "It was changed while it was looked at.", answered=False)


class Reconciler:
    """Looks at bots, one at a time.

    Args:
        request: calls the Bot API.
        redis: an asyncio client.
        settings: of this process.
        remembering: whether a bot's code is looked at once for each of its versions only: to do so takes its time.
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
            if bot.intake == "polling":
                return await self._fetched(asking, bot)
            return await self._brought(asking, bot)
        except TokenRefused as error:
            return await asyncio.to_thread(refused_token, bot, error) or _CHANGED
        except Changed:
            return _CHANGED
        except InputError as error:
            return Verdict("trouble", error.field.lower(), str(error), answered=isinstance(error, Refused))

    async def _refresh(self, asking: Asking, bot: Connection) -> None:
        """Take its name over, as it is at Telegram now."""
        profile: dict[str, Any] = await asking.call("getMe")
        if profile.get("id") != bot.telegram_id:
            raise Refused("token", "belongs to another bot.", "Give its own token to `botyard bot add`.")
        name, username = profile.get("first_name", ""), profile.get("username", "")
        if (name, username) != (bot.name, bot.username):
            await asyncio.to_thread(_rename, bot.id, name, username)
        await note_picture(asking, bot.id)

    async def _fetched(self, asking: Asking, bot: Connection) -> Verdict:
        info = await asking.call("getWebhookInfo")
        url = info.get("url", "")
        if url and is_own(url, bot):
            await delete_webhook(asking)
            return Verdict("ok", "", "Our earlier webhook was taken away: its updates are fetched.")
        return await judge_polling(self._redis, bot.telegram_id, info)

    async def _brought(self, asking: Asking, bot: Connection) -> Verdict:
        tried = Tried(self._redis, bot.telegram_id)
        await tried.read()
        info = await asking.call("getWebhookInfo")
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
                says = "It was time for another secret of its webhook."
                return await self._set(asking, bot, base, "rotated", says, info)
        found = list(drifts(bot, info, base, await self._allowed(bot)))
        if (mended := await self._mended(asking, bot, base, info, found, tried)) is not None:
            return mended
        await tried.forget(info, found)
        judged = judge_deliveries(info, await asyncio.to_thread(_last_update, bot.telegram_id))
        if bot.thefts and bot.take_back_at is not None and bot.take_back_at < datetime.now(UTC) - _PEACE_AFTER:
            return replace(judged, facts={**judged.facts, **PEACE})
        return judged

    async def _mended(
        self, asking: Asking, bot: Connection, base: str, info: dict[str, Any], found: list[Drift], tried: Tried
    ) -> Verdict | None:
        """What came of mending the gravest difference that a call can mend; nothing if there is none."""
        for drift in found:
            if not tried.was_in_vain(drift):
                verdict = await self._set(asking, bot, base, drift.reason, drift.says, info)
                await tried.note(drift)
                return verdict
            await tried.note(drift)
            if drift.reason in LOST:
                return await self._stolen(asking, bot, base, host_in(info["url"]) if info.get("url") else PROGRAM)
        return None

    async def _set(
        self, asking: Asking, bot: Connection, base: str, reason: str, says: str, info: dict[str, Any]
    ) -> Verdict:  # fmt: skip
        await set_webhook(asking, bot.id, base, await self._allowed(bot), reason)
        facts = {
            "webhook_host": host_in(webhook_url(base, bot.public_id)),
            "pending": int(info.get("pending_update_count", 0)),
        }
        return Verdict("ok", "", f"{says} It was set.", facts=facts, events=(WebhookSet(reason),))

    async def _stolen(self, asking: Asking, bot: Connection, base: str, thief: str) -> Verdict:
        """Another system has set its own: it is taken back, but not again and again at once."""
        if is_fought_for(bot):
            return taken(bot, thief)
        await set_webhook(asking, bot.id, base, await self._allowed(bot), "stolen")
        return taken_back(bot, thief, host_in(base))

    async def _allowed(self, bot: Connection) -> list[str] | None:
        """What a bot wants; nothing, which leaves it as it is, for one whose kind cannot be loaded here."""
        if self._remembering:
            return await known_wanted_of(bot)
        try:
            return await wanted_of(bot)
        except InputError:
            return None


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
