"""What must be known of a bot to connect it, and the two calls that do it. Opens secrets: not for the web process.

Source: https://core.telegram.org/bots/api#setwebhook
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from botyard.bots.connection.asking import Asking
from botyard.bots.connection.doors import is_untold, note_told, renew_door, webhook_url
from botyard.bots.registry import sealed_token
from botyard.errors import InputError
from botyard.telegram.request import AiohttpRequest
from botyard.telemetry import metrics
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import SealedSecret, token_of, webhook_of
from db.engine import get_sessions
from db.models import Bot, BotHealth, BotIdentity, BotSecret

CONNECTIONS: Final = 40
_MOST_TIMES: Final = 5
_WITH_HEALTH: Final = (
    select(Bot, BotHealth).outerjoin(BotHealth, BotHealth.bot_id == Bot.id).where(Bot.id == bindparam("bot"))
)


class Changed(InputError):
    """The bot became another one at Telegram while it was worked on: whoever changed it connects it."""

    def __init__(self) -> None:
        super().__init__("bot", "was given another token meanwhile.", "Try again.")
        self.args = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """A bot as far as its connection to Telegram goes, as the database has it now."""

    id: int
    telegram_id: int
    kind: str
    name: str
    username: str
    status: str
    config_version: int
    intake: str
    api_url: str
    token: SealedSecret
    secret: SealedSecret | None
    public_id: str
    public_ids: frozenset[str]
    """Of all its identities."""
    secret_since: datetime | None
    untold: bool
    """Telegram may not know the present secret yet."""
    contacted_at: datetime | None
    pending: int | None
    reason: str | None
    """What the last health check found."""
    thief_host: str | None
    thefts: int
    take_back_at: datetime | None


def connection_of(bot_id: int) -> Connection | None:
    """What is known now; nothing if there is no such bot, or it is being removed."""
    with get_sessions("system")() as session:
        # For each of ten thousand bots, again and again: few statements, and not one for each row.
        found = session.execute(_WITH_HEALTH, {"bot": bot_id}).one_or_none()
        if found is None or found.Bot.removal_began is not None:
            return None
        bot, health = found
        identities = session.scalars(select(BotIdentity).where(BotIdentity.bot_id == bot_id)).all()
        present = next((one for one in identities if one.telegram_id == bot.telegram_id), None)
        names = token_of(bot.telegram_id), webhook_of(bot.telegram_id)
        kept = session.scalars(select(BotSecret).where(BotSecret.bot_id == bot_id, BotSecret.name.in_(names)))
        token, secret = map({one.name: one for one in kept}.get, names)
        doors = {bot.public_id, *(one.public_id for one in identities if one.public_id)}
        return Connection(
            bot.id, bot.telegram_id, bot.kind, bot.name, bot.username, bot.status, bot.config_version, bot.intake,
            bot.api_url, sealed_token(bot, token.sealed if token else None), _secret(bot, secret),
            (present and present.public_id) or bot.public_id, frozenset(doors),
            present.secret_since if present and present.public_id else None,
            present is not None and is_untold(present),
            health.contacted_at if health else None, health.pending if health else None,
            health.reason if health else None, health.thief_host if health else None,
            health.thefts if health else 0, health.take_back_at if health else None,
        )  # fmt: skip


def _secret(bot: Bot, kept: BotSecret | None) -> SealedSecret | None:
    sealed = kept.sealed if kept is not None else bot.webhook_secret_encrypted
    return None if sealed is None else SealedSecret(bot.id, webhook_of(bot.telegram_id), bytes(sealed))


def asking_as(bot: Connection, request: AiohttpRequest) -> Asking:
    """The Bot API as this bot sees it.

    Raises:
        InputError: its token cannot be opened.
    """
    return Asking(request, bot.api_url, open_sealed(bot.token))


async def set_webhook(asking: Asking, bot_id: int, base: str, allowed: list[str] | None, reason: str) -> str:
    """Tell Telegram where the updates of a bot go, and with which secret; what waits there is kept.

    Args:
        asking: the Bot API as this bot.
        bot_id: its row.
        base: the address of this installation, as Telegram reaches it.
        allowed: which kinds of updates are wanted; none leaves that as it is.
        reason: one word, for the figures.

    Returns:
        the secret that Telegram knows now.

    Raises:
        Changed: the bot is another one at Telegram now, and this token's webhook is none of ours to set.
        TokenRefused, InputError, Unreachable: as `Asking.call`; or its secret cannot be opened.
    """
    for _ in range(_MOST_TIMES):
        bot = await asyncio.to_thread(_with_secret, bot_id)
        # Its door and its secret are of the row as it is now; the token may be of what it was before.
        if bot.telegram_id != asking.telegram_id:
            raise Changed
        assert bot.secret is not None  # noqa: S101 - it was given one
        secret = await asyncio.to_thread(open_sealed, bot.secret)
        wanted = {} if allowed is None else {"allowed_updates": allowed}
        url = webhook_url(base, bot.public_id)
        await asking.call("setWebhook", url=url, secret_token=secret, max_connections=CONNECTIONS, **wanted)
        metrics.WEBHOOKS_SET.inc(reason=reason)
        # Whoever renewed it meanwhile may have told Telegram before us: then ours was the last word, and a wrong one.
        if await asyncio.to_thread(note_told, bot.telegram_id, secret):
            return secret
    raise InputError("bot", "gets new secrets faster than Telegram can be told.", "Look for what renews them.")


def _with_secret(bot_id: int) -> Connection:
    bot = connection_of(bot_id)
    if bot is None:
        raise InputError("bot", "is not here any more.", "See `botyard bot list`.")
    if bot.secret is None or bot.secret_since is None:
        renew_secret(bot_id)
        return _with_secret(bot_id)
    return bot


def renew_secret(bot_id: int, older_than: datetime | None = None) -> bool:
    """Give the webhook of a bot another secret; both are taken until Telegram was told, and an hour longer.

    Args:
        bot_id: its row.
        older_than: only if the present one is; whoever else wants the same is then done.

    Returns:
        whether it has another one.
    """
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id)
        if bot is None:
            return False
        identity = session.get(BotIdentity, bot.telegram_id, with_for_update=True)
        if identity is not None and older_than is not None and identity.secret_since >= older_than:
            return False
        renew_door(session, bot, bot.telegram_id)
        return True


async def delete_webhook(asking: Asking) -> None:
    """Let the updates of a bot wait at Telegram; none is dropped."""
    await asking.call("deleteWebhook", drop_pending_updates=False)
    await asyncio.to_thread(note_told, asking.telegram_id, None)
