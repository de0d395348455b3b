"""Sealing secrets. The web process may import it: nothing is opened here."""

import os
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from botyard.vault.keys import Key, keyring
from botyard.vault.sealed import NONCE_BYTES, VERSION, bound_to
from db.models import Bot, BotSecret


def seal(bot_id: int, name: str, secret: str) -> tuple[bytes, str]:
    """Seal a secret with the newest key, for one row.

    Args:
        bot_id: the row of the bot whose it is.
        name: what it is: see `botyard.vault.sealed`.
        secret: the secret itself.

    Returns:
        what is to be kept, and the id of its key.

    Raises:
        InputError: there is no key.
    """
    key = keyring().newest()
    return seal_with(key, bot_id, name, secret), key.id


def seal_with(key: Key, bot_id: int, name: str, secret: str) -> bytes:
    """Seal a secret with this key, for one row: for whoever seals many, as `seal` asks for the newest key each time."""
    nonce = os.urandom(NONCE_BYTES)
    header = VERSION + bytes.fromhex(key.id) + nonce
    return header + key.cipher.encrypt(nonce, secret.encode(), bound_to(header, bot_id, name))


def keep_secret(session: Session, bot: Bot, name: str, secret: str) -> None:
    """Seal a secret and keep it in the caller's transaction, in the place of the one of this name.

    Args:
        session: of the system role.
        bot: whose it is; its row must have its number already.
        name: what it is: see `botyard.vault.sealed`.
        secret: the secret itself.

    Raises:
        InputError: there is no key.
    """
    sealed, key_id = seal(bot.id, name, secret)
    # Locked and read anew: beside the bytes that a rotation has written meanwhile ours would name the wrong key.
    kept = session.get(BotSecret, (bot.id, name), with_for_update=True, populate_existing=True)
    row = kept or BotSecret(bot_id=bot.id, name=name, customer_id=bot.customer_id)
    row.sealed, row.key_id, row.changed_at = sealed, key_id, datetime.now(UTC)
    session.add(row)
