"""Secrets of bots for the services that they use: kept, named, removed; opened only where a bot's code runs.

Nothing is opened here, so the web process may import it. See docs/configuration.md.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from botyard.bots.naming import find_bot
from botyard.errors import InputError
from botyard.events import BotRestarted, record
from botyard.vault.sealed import SealedSecret, service
from botyard.vault.sealing import keep_secret
from db.engine import get_sessions
from db.models import Bot, BotSecret

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PREFIX: Final = service("")
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class SecretLine:
    """A secret, without the secret itself.

    Args:
        name: as the bot's code knows it.
        changed_at: when it was last given.
        key_id: which key opens it.
    """

    name: str
    changed_at: datetime
    key_id: str


def set_secret(bot_name: str, name: str, secret: str) -> SecretLine:
    """Keep a secret of a bot, in the place of the one of this name; its application is built anew everywhere.

    Args:
        bot_name: any of the bot's names: see `botyard.bots.naming`.
        name: how its code is to know the secret.
        secret: the secret itself.

    Raises:
        InputError: there is no such bot, the name or the secret is none, or there is no key to seal it with.
    """
    _check_name(name)
    if not secret or len(secret.encode(errors="replace")) > _MOST_BYTES:
        raise InputError("secret", f"is empty, or longer than {_MOST_BYTES} bytes.", "Give it again.")
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise InputError("secret", "is no text.", "Encode it, in base64 for example.") from None
    with get_sessions("system").begin() as session:
        bot = _locked(session, bot_name)
        keep_secret(session, bot, service(name), secret)
        _note(session, bot)
        session.flush()
        return _line(session.get_one(BotSecret, (bot.id, service(name))))


def list_secrets(bot_name: str) -> list[SecretLine]:
    """The names of a bot's secrets for services.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        return [_line(row) for row in _rows(session, find_bot(session, bot_name).id)]


def remove_secret(bot_name: str, name: str) -> None:
    """Forget a secret of a bot; its application is built anew everywhere.

    Raises:
        InputError: there is no such bot, or it has no such secret.
    """
    with get_sessions("system").begin() as session:
        bot = _locked(session, bot_name)
        row = session.get(BotSecret, (bot.id, service(name)))
        if row is None:
            problem = f"@{bot.username} has no secret {name!r}."
            raise InputError("name", problem, f"See `botyard bot secret list {bot.username}`.")
        session.delete(row)
        _note(session, bot)


def sealed_secrets(session: Session, bot_id: int) -> dict[str, SealedSecret]:
    """A bot's secrets for services as they are kept, by the names that its code knows."""
    return {
        row.name.removeprefix(_PREFIX): SealedSecret(bot_id, row.name, bytes(row.sealed))
        for row in _rows(session, bot_id)
    }


def _rows(session: Session, bot_id: int) -> list[BotSecret]:
    query = select(BotSecret).where(BotSecret.bot_id == bot_id, BotSecret.name.startswith(_PREFIX))
    return list(session.scalars(query.order_by(BotSecret.name)))


def _line(row: BotSecret) -> SecretLine:
    return SecretLine(row.name.removeprefix(_PREFIX), row.changed_at, row.key_id)


def _locked(session: Session, bot_name: str) -> Bot:
    bot = find_bot(session, bot_name)
    session.refresh(bot, with_for_update=True)
    return bot


def _note(session: Session, bot: Bot) -> None:
    bot.config_version += 1
    record(session, bot, BotRestarted())


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        remedy = "Letters, digits, _, . and -, a letter first, 64 at most: OPENAI_API_KEY, for example."
        raise InputError("name", "is no name for a secret.", remedy)
