"""Connecting registered bots to Telegram, and letting go of them. Opens tokens: not for the web process."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select

from botyard.bots.connection.adding import NEW_KIND, NewBot, register_bot
from botyard.bots.connection.asking import Refused, TokenRefused, Unreachable
from botyard.bots.connection.doors import BOTH_VALID, host_in, webhook_url
from botyard.bots.connection.first_contact import introduce
from botyard.bots.connection.pictures import note_picture
from botyard.bots.connection.proving import prove
from botyard.bots.connection.steps import Say, Step, silently
from botyard.bots.connection.wanting import wanted_of
from botyard.bots.connection.webhooks import (
    Changed,
    Connection,
    asking_as,
    connection_of,
    delete_webhook,
    renew_secret,
    set_webhook,
)
from botyard.bots.health.fetching import judged
from botyard.bots.health.thefts import FIRST_PAUSE, PEACE, is_fought_for, is_own, taken
from botyard.bots.health.verdicts import Verdict, note
from botyard.bots.kinds import wanted_updates
from botyard.bots.registry import bot_by_telegram_id
from botyard.bots.stopping import REFUSED, stop_bot
from botyard.bots.token_shape import check_token
from botyard.errors import InputError
from botyard.events import WebhookSet
from botyard.settings import Settings
from botyard.telegram.loading import lasting_name
from botyard.telegram.request import AiohttpRequest
from db.engine import get_sessions
from db.models import Bot

_GONE: Final = ("bot", "is not here any more.", "See `botyard bot list`.")


@dataclass(frozen=True, slots=True)
class AddedBot:
    """A bot that is connected."""

    id: int
    username: str


async def add_bot(
    new: NewBot, request: AiohttpRequest, settings: Settings, say: Say = silently, *, proving: bool = False
) -> AddedBot:
    """Check a token with Telegram, register the bot, and connect it.

    A bot that is registered already takes over what is given, keeps the rest, and is connected again; Telegram is asked
    for the updates that the handlers of its kind can take.

    Args:
        new: what was given; a script may be named by any path.
        request: calls the Bot API.
        settings: of this process.
        say: is told each step when it is over.
        proving: whether a probe of our own goes to its webhook's address.

    Raises:
        InputError: the token or the kind is wrong, or the bot is connected elsewhere.
        Unreachable: Telegram cannot be asked.
    """
    check_token(new.token)
    if new.kind is not None:
        new = replace(new, kind=lasting_name(new.kind))
    # Before anything is written: a kind that cannot be used is the asker's mistake.
    wanted_updates(new.kind or _present_kind(new.token))
    registered = await register_bot(new, request, settings, say)
    # Whoever has its updates now was asked about before it was registered.
    await connect_bot(
        registered.id, request, settings, say, base=new.webhook_base_url, proving=proving, take_over=True
    )  # fmt: skip
    return AddedBot(registered.id, registered.username)


def _present_kind(token: str) -> str:
    """The kind of the bot to which this token belongs: it begins with the bot's number."""
    with get_sessions("system")() as session:
        bot = bot_by_telegram_id(session, int(token.partition(":")[0]))
        return bot.kind if bot is not None else NEW_KIND


async def connect_bot(
    bot_id: int, request: AiohttpRequest, settings: Settings, say: Say = silently, *, base: str | None = None,
    proving: bool = True, take_over: bool = False,
) -> None:  # fmt: skip
    """Set a bot's webhook, or take it away if its updates are fetched; what waits at Telegram is kept.

    The last step stands in the bot's health. A bot that is switched off is disconnected instead; one whose token is
    refused is stopped.

    Args:
        bot_id: its row.
        request: calls the Bot API.
        settings: whose address Telegram is given.
        say: is told each step when it is over.
        base: the address instead of the settings' own.
        proving: whether a probe of our own goes to the webhook's address.
        take_over: whether another system's webhook is replaced at once; it is with ``TAKE_OVER``, too.

    Raises:
        InputError: there is no such bot, Telegram refuses it, another system has its webhook, or its token or its kind
            cannot be used.
        Unreachable: Telegram cannot be asked, or not yet.
    """
    bot = await asyncio.to_thread(connection_of, bot_id)
    if bot is None:
        raise InputError(*_GONE)
    try:
        await introduce(bot.api_url, bot.contacted_at, settings)
        last = await _connect(bot, request, settings, say, base=base, proving=proving, take_over=take_over)
    except (InputError, Unreachable) as error:
        await asyncio.to_thread(_note_failure, bot, error)
        raise
    await asyncio.to_thread(note, bot_id, last)
    if bot.status != "inactive":
        await note_picture(await asyncio.to_thread(asking_as, bot, request), bot_id)
    if last.state == "trouble":
        raise InputError("webhook", last.says, last.remedy)


def _note_failure(bot: Connection, error: InputError | Unreachable) -> None:
    found: Verdict | None = None
    if isinstance(error, Unreachable):
        found = Verdict("warning", "away", f"{error}", answered=False)
    elif isinstance(error, TokenRefused):
        found = refused_token(bot, error)
    elif not isinstance(error, Changed):
        found = Verdict("trouble", "connecting", f"{error}", answered=isinstance(error, Refused))
    if found is not None:
        note(bot.id, found)


async def _connect(
    bot: Connection, request: AiohttpRequest, settings: Settings, say: Say, *, base: str | None, proving: bool,
    take_over: bool,
) -> Verdict:  # fmt: skip
    if bot.status == "inactive":
        return await disconnect_bot(bot, request)
    asking = await asyncio.to_thread(asking_as, bot, request)
    if not (take_over or settings.take_over):
        info = await asking.call("getWebhookInfo")
        if (found := _elsewhere(bot, info, base or settings.webhook_address_for(bot.api_url))) is not None:
            return found
    if bot.intake == "polling":
        # What is waiting at Telegram stays there for the first getUpdates, which says what is wanted.
        await delete_webhook(asking)
        says = "Its updates are fetched: no webhook is set at Telegram."
        say(Step("polling", "ok", says))
        return Verdict("ok", "", says, facts={"webhook_host": None} | PEACE)
    base = base or settings.webhook_address_for(bot.api_url)
    if base is None:
        raise InputError("PUBLIC_URL", "is not set, and the bot's updates come by webhook.", "Set it, or add it anew.")
    allowed = await wanted_of(bot)
    secret = await set_webhook(asking, bot.id, base, allowed, "connected")
    return await _proven(webhook_url(base, bot.public_id), secret, say, proving=proving)


def _elsewhere(bot: Connection, info: dict[str, Any], base: str | None) -> Verdict | None:
    """What to say of another system that has its updates; nothing if none has."""
    url = info.get("url", "")
    if not url or is_own(url, bot, base):
        return None
    if bot.intake == "polling":
        return judged(None, info)
    until = bot.take_back_at if is_fought_for(bot) else datetime.now(UTC) + FIRST_PAUSE
    return taken(replace(bot, thefts=0), host_in(url), until)


async def _proven(url: str, secret: str, say: Say, *, proving: bool) -> Verdict:
    """The webhook is set: whether its address leads here."""
    last = Step("webhook", "ok", f"Telegram brings its updates to {host_in(url)}.")
    say(last)
    facts = {"webhook_host": host_in(url)} | PEACE
    if proving:
        last = await prove(url, secret)
        say(last)
        facts |= {"proven_at": datetime.now(UTC)} if last.state == "ok" else {}
    reason = "" if last.state == "ok" else "unproven"
    return Verdict(last.state, reason, last.says, last.remedy, facts=facts, events=(WebhookSet("connected"),))


async def disconnect_bot(bot: Connection, request: AiohttpRequest) -> Verdict:
    """Take our webhook away at Telegram, where its updates wait from now on; another system's is left alone.

    Raises:
        InputError: Telegram refuses it, or its token cannot be opened.
        Unreachable: Telegram cannot be asked.
    """
    asking = await asyncio.to_thread(asking_as, bot, request)
    url = (await asking.call("getWebhookInfo")).get("url", "")
    if url and is_own(url, bot):
        await delete_webhook(asking)
    says = "It is switched off: what is written to it waits at Telegram, for a day at most."
    return Verdict("ok", "", says, facts={"webhook_host": None})


def refused_token(bot: Connection, error: TokenRefused) -> Verdict | None:
    """Stop a bot whose token is refused; nothing if it was changed since, and may have another one by now."""
    if not stop_bot(bot.id, bot.config_version, REFUSED) and _is_changed(bot):
        return None
    remedy = "Take its present token from BotFather and give it to `botyard bot add`."
    return Verdict("trouble", "token", f"Its token {error.problem}", remedy)


def _is_changed(bot: Connection) -> bool:
    with get_sessions("system")() as session:
        return session.scalar(select(Bot.config_version).where(Bot.id == bot.id)) != bot.config_version


async def rotate_secret(bot_id: int, request: AiohttpRequest, settings: Settings) -> datetime:
    """Give a bot's webhook another secret at once; the earlier one is taken for an hour more, so that nothing is lost.

    Returns:
        until when.

    Raises:
        InputError: there is no such bot, it has no webhook, or Telegram refuses it.
        Unreachable: Telegram cannot be asked; the earlier secret is valid until it was.
    """
    bot = await asyncio.to_thread(connection_of, bot_id)
    if bot is None:
        raise InputError(*_GONE)
    base = settings.webhook_address_for(bot.api_url)
    if bot.intake != "webhook" or base is None or bot.status == "inactive":
        raise InputError("bot", "has no webhook here, and so no secret to change.", "")
    await introduce(bot.api_url, bot.contacted_at, settings)
    await asyncio.to_thread(renew_secret, bot_id)
    asking = await asyncio.to_thread(asking_as, bot, request)
    await set_webhook(asking, bot_id, base, None, "rotated")
    return datetime.now(UTC) + BOTH_VALID
