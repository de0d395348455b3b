"""The one place that opens bot tokens. The web process never imports it."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from botyard.errors import InputError
from botyard.settings import get_settings


@lru_cache(maxsize=1)
def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in get_settings().require("secret_key").split(",")])


def seal(secret: str) -> bytes:
    """Encrypt a secret with the newest key."""
    return _keys().encrypt(secret.encode())


def open_sealed(sealed: bytes) -> str:
    """Decrypt what ``seal`` made with any of the keys.

    Raises:
        InputError: none of the keys opens it.
    """
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise InputError(
            "SECRET_KEY", "does not open the tokens stored in this database.", "Set the key that was in use before."
        ) from None
