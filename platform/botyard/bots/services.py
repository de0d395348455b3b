"""Adding bots and connecting them to Telegram. See docs/bots.md."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter, TelegramError

from botyard.bots import routing
from botyard.bots.kinds import wanted_updates
from botyard.bots.registry import bot_by_telegram_id, routing_of
from botyard.bots.token_shape import check_token
from botyard.errors import InputError, TransientError
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.address import host_of, method_url
from botyard.telegram.loading import lasting_name
from botyard.telegram.request import AiohttpRequest, JsonBody
from botyard.telegram.tokens import open_sealed, seal
from botyard.telemetry.redaction import redact
from db.engine import get_sessions
from db.models import Bot, BotIdentity, Event

_DEFAULT_CUSTOMER: Final = 1
_MAX_CONNECTIONS: Final = 40
_NEW_KIND, _NEW_QUEUE = "demo", "slow"


class Unreachable(TransientError):
    """The Bot API cannot be asked now: nothing was changed, the same may work later."""


@dataclass(frozen=True, slots=True)
class NewBot:
    """What is needed to add a bot."""

    token: str = field(repr=False)
    kind: str | None
    """Its kind; none: the one it has, or for a new bot the demo's."""
    api_url: str
    queue: str | None = None
    """Where its updates run; none: where they run now, or for a new bot with the slow ones."""
    webhook_base_url: str | None = None
    """Where Telegram reaches our web process; none: the bot's updates are fetched by long polling."""
    take_over: bool = False
    """Connect it even though its updates go to another address now."""


@dataclass(frozen=True, slots=True)
class AddedBot:
    """A bot that is connected."""

    id: int
    username: str


async def add_bot(new: NewBot, request: AiohttpRequest, settings: Settings) -> AddedBot:
    """Check a token with Telegram, register the bot, and connect it.

    A bot that is registered already takes over what is given, keeps the rest, and is connected again; Telegram is asked
    for the updates that the handlers of its kind can take.

    Raises:
        InputError: the token or the kind is wrong, or the bot is connected elsewhere.
        Unreachable: Telegram cannot be asked.
    """
    check_token(new.token)
    if new.kind is not None:
        new = replace(new, kind=lasting_name(new.kind))
    allowed = wanted_updates(new.kind or _present_kind(new.token))
    profile = await _call(request, new, "getMe", {})
    await _check_connection(new, request, int(profile["id"]))
    intake = "webhook" if new.webhook_base_url else "polling"
    bot_id, public_id, secret = _register(new, profile, intake, settings)
    if new.webhook_base_url:
        parameters = {
            "url": f"{new.webhook_base_url.rstrip('/')}/webhook/{public_id}",
            "secret_token": secret,
            "max_connections": _MAX_CONNECTIONS,
            "allowed_updates": allowed,
        }
        await _call(request, new, "setWebhook", parameters)
    else:
        # What is waiting at Telegram stays there for the first getUpdates, which says what is wanted.
        await _call(request, new, "deleteWebhook", {"drop_pending_updates": False})
    return AddedBot(bot_id, profile.get("username", ""))


async def _check_connection(new: NewBot, request: AiohttpRequest, telegram_id: int) -> None:
    """Another system may live on this bot: say so before it is cut off."""
    url = (await _call(request, new, "getWebhookInfo", {})).get("url", "")
    ours = new.webhook_base_url is not None and url.startswith(new.webhook_base_url.rstrip("/") + "/")
    if not url or ours or new.take_over or url.endswith(_path_of(telegram_id)):
        return
    raise InputError(
        "token",
        f"belongs to a bot whose updates go to {host_of(url)} now.",
        "Set TAKE_OVER=true to bring them here; those that wait at Telegram are kept.",
    )


def _path_of(telegram_id: int) -> str:
    """The path of the bot's webhook here, which nobody else has made up; the address before it may have changed."""
    with get_sessions("system")() as session:
        bot = bot_by_telegram_id(session, telegram_id)
        return f"/webhook/{bot.public_id}" if bot is not None else "/not ours"


def _present_kind(token: str) -> str:
    """The kind of the bot to which this token belongs: it begins with the bot's number."""
    with get_sessions("system")() as session:
        bot = bot_by_telegram_id(session, int(token.partition(":")[0]))
        return bot.kind if bot is not None else _NEW_KIND


def _register(new: NewBot, profile: dict[str, Any], intake: str, settings: Settings) -> tuple[int, str, str]:
    telegram_id = int(profile["id"])
    with get_sessions("system").begin() as session:
        bot = bot_by_telegram_id(session, telegram_id)
        if bot is None:
            bot = _new_bot(telegram_id)
            session.add(bot)
            session.add(_event(bot, "bot.added"))
        else:
            session.refresh(bot, with_for_update=True)
        if bot.status in ("inactive", "error"):
            # Its removal was interrupted, or its token was refused: whoever adds it wants it served.
            bot.status, bot.status_reason, bot.status_since = "active", None, datetime.now(UTC)
            session.add(_event(bot, "bot.active"))
        bot.kind, bot.queue = new.kind or bot.kind, new.queue or bot.queue
        if new.queue is not None:
            bot.settings = {**(bot.settings or {}), "queue": new.queue}
        bot.api_url, bot.intake = new.api_url, intake
        bot.name, bot.username = profile.get("first_name", ""), profile.get("username", "")
        bot.token_encrypted = seal(new.token)
        bot.config_version += 1
        session.flush()
        session.merge(BotIdentity(telegram_id=telegram_id, bot_id=bot.id, customer_id=bot.customer_id))
        found = bot.id, bot.public_id, open_sealed(bot.webhook_secret_encrypted)
        route = routing_of(bot)
    with redis_of(settings) as redis:
        routing.publish(redis, route)
    return found


def _new_bot(telegram_id: int) -> Bot:
    secret = secrets.token_urlsafe(32)
    return Bot(
        customer_id=_DEFAULT_CUSTOMER,
        telegram_id=telegram_id,
        public_id=secrets.token_urlsafe(16),
        webhook_secret_encrypted=seal(secret),
        webhook_secret_hash=sha256(secret.encode()).digest(),
        kind=_NEW_KIND,
        queue=_NEW_QUEUE,
        status="active",
        config_version=0,
    )


def _event(bot: Bot, name: str) -> Event:
    entity = f"telegram:{bot.telegram_id}"
    return Event(customer_id=bot.customer_id, bot_id=bot.id, type=name, entity=entity, actor="system", data={})


async def _call(request: AiohttpRequest, new: NewBot, method: str, params: dict[str, Any]) -> Any:
    try:
        return await request.post(method_url(new.api_url, new.token, method), JsonBody(orjson.dumps(params)))  # type: ignore[arg-type]
    except InvalidToken:
        raise InputError(
            "token", "is not accepted by Telegram.", "Copy it again from BotFather; a revoked token stays revoked."
        ) from None
    except (NetworkError, RetryAfter) as error:
        if isinstance(error, BadRequest):
            raise _refused(method, error) from None
        raise Unreachable(f"{host_of(new.api_url)} cannot be asked ({method}: {redact(error.message)}).") from None
    except TelegramError as error:
        raise _refused(method, error) from None


def _refused(method: str, error: TelegramError) -> InputError:
    return InputError("token", f"could not be checked: {method} failed ({redact(error.message)}).", "Try again later.")
