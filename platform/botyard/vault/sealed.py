"""What a sealed secret is, and how secrets are called. Nothing is opened here, so every process may import it.

The bytes: a version (1), the id of the key (4), a nonce (12), and AES-256-GCM's ciphertext with its tag. What is
authenticated beside these is the row that the secret was sealed for, so that it opens in no other.
"""

from dataclasses import dataclass, field
from typing import Final

VERSION: Final = b"\x01"
ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = len(VERSION) + ID_BYTES + NONCE_BYTES
OLDER: Final = b"gAAAA"
"""How a Fernet token begins, which is what older code stored."""
OLDER_KEY_ID: Final = "older"
"""Stands for the key of what older code sealed, which does not say which one it is."""

# Whoever names a key beside the bytes may be wrong: a row that was sealed again by an older process, a hand.
KEY_ID_SQL: Final = f"""(CASE
 WHEN substring(sealed FROM 1 FOR 5) = convert_to('{OLDER.decode()}', 'UTF8') THEN '{OLDER_KEY_ID}'
 WHEN substring(sealed FROM 1 FOR 1) = decode('{VERSION.hex()}', 'hex') AND octet_length(sealed) >= {HEADER_BYTES}
 THEN encode(substring(sealed FROM {len(VERSION) + 1} FOR {ID_BYTES}), 'hex') ELSE key_id END)"""
"""Which key sealed a row of a table with secrets, by its bytes."""

ENDPOINT: Final = "endpoint"
"""The name of what signs messages to an endpoint, the current as the previous one; no bot's is so named."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is kept.

    Args:
        bot_id: the row of the bot whose it is; of an `ENDPOINT`, the row of that.
        name: what it is: see the functions below.
        sealed: its bytes, useless without the key.
    """

    bot_id: int
    name: str
    sealed: bytes = field(repr=False)

    @property
    def key_id(self) -> str | None:
        """Which key opens it; none for what older code sealed, and for what is no sealed secret at all."""
        if not self.sealed.startswith(VERSION) or len(self.sealed) < HEADER_BYTES:
            return None
        return self.sealed[len(VERSION) :][:ID_BYTES].hex()


def token_of(telegram_id: int) -> str:
    """The name of the token with which we are this Telegram bot."""
    return f"token:{telegram_id}"


def webhook_of(telegram_id: int) -> str:
    """The name of the secret that Telegram shows when it brings this Telegram bot's updates."""
    return f"webhook:{telegram_id}"


def service(name: str) -> str:
    """The name of the key of a service that a bot uses."""
    return f"service:{name}"


def bound_to(header: bytes, bot_id: int, name: str) -> bytes:
    """What is authenticated beside a secret: its header and its row."""
    return b"%b%d %b" % (header, bot_id, name.encode())
