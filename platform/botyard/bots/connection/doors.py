"""The doors through which updates come: an opaque path and a secret for each identity of a bot. See docs/webhook.md.

Nothing is opened here, so the web process may import it.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from botyard.vault.keys import keyring
from botyard.vault.sealed import SealedSecret, webhook_of
from botyard.vault.sealing import keep_secret
from db.engine import get_sessions
from db.models import Bot, BotIdentity, BotSecret

BOTH_VALID: Final = timedelta(hours=1)
"""For so long the earlier secret is taken after Telegram was told the new one: what is under way still shows it."""
PATH: Final = "/webhook/"
PROBE: Final = "X-Botyard-Probe"
"""The header by which this installation finds out whether an address leads to it."""


def webhook_url(base: str, public_id: str) -> str:
    """Where Telegram brings the updates of this door.

    Args:
        base: the address of the web process, as Telegram reaches it.
        public_id: the opaque name.
    """
    return f"{base.rstrip('/')}{PATH}{public_id}"


def public_id_in(url: str) -> str | None:
    """The opaque name in an address that looks like one of ours, whatever its host is."""
    try:
        before, path, name = urlsplit(url).path.rstrip("/").rpartition(PATH)
    except ValueError:
        return None
    return name if path and "/" not in name and not before else None


def new_public_id() -> str:
    """An opaque name that nobody else has made up."""
    return secrets.token_urlsafe(16)


def host_in(url: str) -> str:
    """The host of an address that somebody else has made up: the rest of it may hold their secrets."""
    try:
        return urlsplit(url).hostname or "an address without a name"
    except ValueError:
        return "an address that is none"


def proof_of(secret_hash: bytes, nonce: str) -> str:
    """What only this installation can answer to a probe: nobody else knows the secret's hash.

    Args:
        secret_hash: of the secret that the probe has shown.
        nonce: what the probe has asked.
    """
    return hmac.new(secret_hash, nonce.encode(), sha256).hexdigest()


def renew_door(session: Session, bot: Bot, telegram_id: int) -> str:
    """Give an identity of a bot a fresh secret, and a door if it has none.

    The secret before it stays valid until Telegram was told the new one, and an hour longer (`note_told`). Until then
    there is no third: Telegram may have heard of the new one though its answer was lost.

    Args:
        session: of the system role; the identity's row is locked until its end.
        bot: whose identity; its row must have its number already.
        telegram_id: which Telegram bot it is.

    Returns:
        the door's public name.
    """
    identity = session.get(BotIdentity, telegram_id, with_for_update=True)
    if identity is None:
        identity = BotIdentity(telegram_id=telegram_id, bot_id=bot.id, customer_id=bot.customer_id)
        session.add(identity)
    if identity.public_id is None:
        _take_from_row(identity, bot)
    if not is_untold(identity) or not _can_be_told(session, bot, telegram_id):
        if identity.secret_hash is not None and not is_untold(identity):
            identity.previous_secret_hash, identity.previous_until = identity.secret_hash, None
        secret = secrets.token_urlsafe(32)
        identity.secret_hash, identity.secret_since = sha256(secret.encode()).digest(), datetime.now(UTC)
        keep_secret(session, bot, webhook_of(telegram_id), secret)
    session.flush()
    assert identity.public_id is not None  # noqa: S101 - given above
    return identity.public_id


def _can_be_told(session: Session, bot: Bot, telegram_id: int) -> bool:
    """Whether the present secret is there, and a key that opens it."""
    kept = session.get(BotSecret, (bot.id, webhook_of(telegram_id)))
    key_id = None if kept is None else SealedSecret(bot.id, kept.name, bytes(kept.sealed)).key_id
    return key_id is not None and keyring().find(key_id) is not None


def _take_from_row(identity: BotIdentity, bot: Bot) -> None:
    """The row of a bot names the door of its present identity; of a bot of older code it has the secret's hash, too."""
    if bot.telegram_id != identity.telegram_id:
        identity.public_id = new_public_id()
        return
    identity.public_id = bot.public_id
    identity.secret_hash = identity.secret_hash or bot.webhook_secret_hash


def is_untold(identity: BotIdentity) -> bool:
    """Whether Telegram may still show the earlier secret, because nobody has told it the new one."""
    return identity.previous_secret_hash is not None and identity.previous_until is None


def note_told(telegram_id: int, secret: str | None) -> bool:
    """Telegram was told a secret, or that there is no webhook any more: the earlier one ends in an hour.

    Args:
        telegram_id: whose door.
        secret: the one it was told; none: its updates are fetched from now on.

    Returns:
        Whether that is the door's secret; if not, it was renewed meanwhile and must be told again.
    """
    with get_sessions("system").begin() as session:
        identity = session.get(BotIdentity, telegram_id, with_for_update=True)
        if identity is None:
            return True
        if secret is not None and identity.secret_hash not in (None, sha256(secret.encode()).digest()):
            return False
        if is_untold(identity):
            identity.previous_until = datetime.now(UTC) + BOTH_VALID
        return True
