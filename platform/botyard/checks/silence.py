"""Why a bot is silent: everything between a person's message and the bot's answer, looked at in that order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from telegram.error import InvalidToken, TelegramError

from botyard.bots.connection.doors import host_in
from botyard.bots.health.fetching import judged
from botyard.bots.health.verdicts import health_of, judge_deliveries
from botyard.bots.overview import BotDetails, OutboxLane, kept_details, outbox_lanes, sealed_token, waiting_mail
from botyard.bots.poll_state import poll_state
from botyard.bots.registry import find
from botyard.bots.removal import is_webhook_of
from botyard.checks.finding import SECONDS, Check, Finding, State, age, lasting, look_at_all
from botyard.checks.workers import worker_findings
from botyard.errors import InputError
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.address import method_url
from botyard.telegram.loading import find_kind
from botyard.telegram.request import AiohttpRequest, NotSent, Unanswered
from botyard.vault.opening import open_sealed

_LONG_SECONDS: Final = 60.0
"""An update or a send that has waited for longer is a sign of trouble."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What Telegram says about a bot: the answers, or what stood in the way."""

    profile: dict[str, Any] | None = None
    webhook: dict[str, Any] | None = None
    trouble: tuple[Finding, ...] = ()


def why_silent(name: str, settings: Settings) -> list[Finding]:
    """Look at everything that an answer of this bot depends on.

    Raises:
        InputError: there is no such bot.
    """
    bot = kept_details(name)
    checks: list[tuple[str, Check, str]] = [
        ("token", lambda: _intake(bot, settings), "Try again."),
        ("health", lambda: _health(bot), "Is PostgreSQL reachable? See `botyard doctor`."),
        ("mailboxes", lambda: _mailboxes(bot, settings), "Is Redis reachable? See `botyard doctor`."),
        ("workers", lambda: worker_findings({bot.queue, "outbound"}), "Is Redis reachable? See `botyard doctor`."),
        ("kind", lambda: _kind(bot), "Mend the bot's code."),
        ("sends", lambda: _sends(bot, settings), "Is PostgreSQL reachable? See `botyard doctor`."),
        ("dead letters", lambda: _dead(bot), "See `botyard dead list`."),
    ]
    return [_status(bot), *look_at_all(checks)]


def _status(bot: BotDetails) -> Finding:
    if bot.status == "active":
        return Finding("status", "ok", f"It is active; it was added {age(bot.added)}.")
    since = f"It became {bot.status} {age(bot.status_since)}"
    reason = f" ({bot.status_reason})" if bot.status_reason else ""
    served = find(bot.id)
    leaving = served is None or served.removed
    remedy = "Finish its removal." if leaving else f"`botyard bot resume {bot.id}` lets it go on."
    return Finding("status", "trouble", f"{since}{reason}: its updates wait.", remedy)


def _intake(bot: BotDetails, settings: Settings) -> list[Finding]:
    """Its token and how its updates come, and the last of them."""
    asked = asyncio.run(_ask(bot))
    found = list(asked.trouble)
    if asked.profile is not None:
        found.append(_profile(bot, asked.profile))
    if asked.webhook is not None:
        found += _webhook(bot, asked.webhook) if bot.intake == "webhook" else _polling(bot, asked.webhook, settings)
    elif bot.intake == "polling":
        found += _polling(bot, {}, settings)
    if bot.last_update is None:
        says, remedy = "No update has come yet, or none within three days.", "Write to it in Telegram."
        return [*found, Finding("last update", "warning", says, remedy)]
    return [*found, Finding("last update", "ok", f"The last update came {age(bot.last_update)}.")]


async def _ask(bot: BotDetails) -> Connection:
    """``getMe`` and ``getWebhookInfo``; that Telegram is away is a finding, too."""
    request = AiohttpRequest(SECONDS - 1)
    host = _host(bot.api_url)
    try:
        async with asyncio.timeout(SECONDS - 0.5):
            token = open_sealed(sealed_token(bot.id))
            profile: Any = await request.post(method_url(bot.api_url, token, "getMe"))
            webhook: Any = await request.post(method_url(bot.api_url, token, "getWebhookInfo"))
            return Connection(profile, webhook)
    except InputError as error:
        return Connection(trouble=(Finding("token", "trouble", f"{error.field} {error.problem}", error.remedy),))
    except InvalidToken:
        says = "Telegram does not accept its token: it was revoked, or the bot was deleted."
        remedy = "Take its present token from BotFather and give it to `botyard bot add`."
        return Connection(trouble=(Finding("token", "trouble", says, remedy),))
    except (NotSent, Unanswered, TimeoutError) as error:
        says = f"{host} cannot be reached ({type(error).__name__})."
        remedy = "Look at this machine's connection; updates and sends wait meanwhile, and nothing is lost."
        return Connection(trouble=(Finding("Telegram", "trouble", says, remedy),))
    except TelegramError as error:
        says = f"{host} answers with an error: {error.message}."
        return Connection(trouble=(Finding("Telegram", "trouble", says, "Try again in a minute."),))
    finally:
        await request.close()


def _host(address: str) -> str:
    """The host of an address and its port, without what stands before it: that is a name and a password."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _profile(bot: BotDetails, profile: dict[str, Any]) -> Finding:
    username = profile.get("username", "")
    if profile.get("id") != bot.telegram_id:
        says = f"Its token belongs to another bot, @{username}."
        return Finding("token", "trouble", says, "Give its own token to `botyard bot add`.")
    if username != bot.username:
        says = f"Telegram calls it @{username} now, here it is @{bot.username}."
        return Finding("token", "warning", says, "`botyard bot add` with its token takes the new name over.")
    return Finding("token", "ok", f"Telegram accepts its token and calls it @{username}.")


def _webhook(bot: BotDetails, info: dict[str, Any]) -> list[Finding]:
    url = info.get("url", "")
    remedy = f"`botyard bot check {bot.id}` sets it again."
    if not url:
        return [Finding("webhook", "trouble", "No webhook is set at Telegram: its updates do not come.", remedy)]
    if not is_webhook_of(url, bot.public_id):
        says = f"Its updates go to {host_in(url)}, which is not this installation."
        remedy = f"End it there; `botyard bot reclaim {bot.id}` brings them back here."
        return [Finding("webhook", "trouble", says, remedy)]
    found = judge_deliveries(info, bot.last_update)
    return [Finding("webhook", found.state, found.says, found.remedy)]


def _polling(bot: BotDetails, info: dict[str, Any], settings: Settings) -> list[Finding]:
    try:
        with redis_of(settings) as redis:
            state = poll_state(redis, bot.telegram_id)
    except RedisError as error:
        says = f"Redis, where the poller says how it goes, cannot be reached ({type(error).__name__})."
        return [Finding("polling", "trouble", says, "See `botyard doctor`.")]
    found = judged(state, info)
    # A poller that cannot reach Telegram is why this bot is silent now, whether or not that is the bot's trouble.
    return [Finding("polling", "ok" if found.state == "ok" else "trouble", found.says, found.remedy)]


def _health(bot: BotDetails) -> list[Finding]:
    """What the health check has found, which looks every five minutes or so."""
    known = health_of(bot.id)
    if known.checked is None or known.health == "unknown":
        return [Finding("health", "ok", "No health check has looked at it yet; `botyard bot check` does it now.")]
    when = f"The last health check was {age(known.checked)}"
    if known.health == "ok":
        return [Finding("health", "ok", f"{when}. {known.health_says or ''}".strip())]
    state: State = "trouble" if known.health == "trouble" else "warning"
    since = f", and it is so since {age(known.health_since)}" if known.health_since else ""
    return [Finding("health", state, f"{when}{since}: {known.health_says}")]


def _mailboxes(bot: BotDetails, settings: Settings) -> list[Finding]:
    count, longest = waiting_mail(bot.telegram_id, settings)
    if not count:
        return [Finding("mailboxes", "ok", "No update waits here to be processed.")]
    oldest = longest or 0.0
    says = f"{count} updates wait here to be processed, the oldest for {lasting(oldest)}."
    if count >= settings.mailbox_cap:
        remedy = "The bot is slower than its updates come; until then its webhook answers 503. See `botyard logs`."
        return [Finding("mailboxes", "trouble", f"{says} That is all that MAILBOX_CAP allows.", remedy)]
    if oldest > _LONG_SECONDS:
        return [Finding("mailboxes", "trouble", says, "See what its handlers do: `botyard logs --level warning`.")]
    return [Finding("mailboxes", "ok", says)]


def _kind(bot: BotDetails) -> list[Finding]:
    try:
        find_kind(bot.kind)
    except InputError as error:
        return [Finding("kind", "trouble", f"Its kind cannot be loaded: {error.problem}", error.remedy)]
    except Exception as error:  # noqa: BLE001 - the bot's own code may raise anything when it is imported
        says = f"Its kind {bot.kind} cannot be loaded: {type(error).__name__}: {error}."
        return [Finding("kind", "trouble", says, "Mend the bot's code, then start the workers again.")]
    return [Finding("kind", "ok", f"Its kind {bot.kind} can be loaded.")]


def _sends(bot: BotDetails, settings: Settings) -> list[Finding]:
    return [_last_send(bot), *map(_lane, outbox_lanes(bot.id, settings))]


def _last_send(bot: BotDetails) -> Finding:
    if bot.last_send is None:
        return Finding("last send", "ok", "It has sent nothing yet, or nothing within three days.")
    when = age(bot.last_send)
    if bot.last_send_state == "sent":
        return Finding("last send", "ok", f"Telegram accepted its last send {when}.")
    says = f"Its last send ended as {bot.last_send_state} {when}: {bot.last_send_error or 'no answer came'}."
    return Finding("last send", "warning", says, f"See `botyard dead list --bot {bot.id}`.")


def _lane(lane: OutboxLane) -> Finding:
    name = f"lane {lane.lane}"
    words = [f"{lane.open} sends wait, the oldest for {lasting(lane.oldest_seconds)}."] if lane.open else []
    if lane.error:
        words.append(f"The last answer to one of them: {lane.error}.")
    if lane.closed_seconds:
        words.append(
            f"Telegram has closed {lane.closed_chats} of their chats for up to {lasting(lane.closed_seconds)}."
        )
    if lane.uncertain:
        words.append(f"{lane.uncertain} sends have an unknown outcome and are not repeated.")
    says = " ".join(words) or "Nothing waits."
    if lane.closed_seconds:
        return Finding(name, "warning", says, "They go out by themselves when that time is over.")
    if lane.open and lane.oldest_seconds > _LONG_SECONDS:
        return Finding(name, "trouble", says, "See `botyard logs --level warning`.")
    return Finding(name, "warning" if lane.uncertain else "ok", says)


def _dead(bot: BotDetails) -> Sequence[Finding]:
    if not bot.dead_letters:
        return [Finding("dead letters", "ok", "Nothing of it was given up.")]
    count = "1 update or send was" if bot.dead_letters == 1 else f"{bot.dead_letters} updates or sends were"
    remedy = f"`botyard dead list --bot {bot.id}` says why; `botyard dead replay` tries again."
    return [Finding("dead letters", "warning", f"{count} given up.", remedy)]
