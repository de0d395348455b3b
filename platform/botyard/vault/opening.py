"""The one place that opens secrets. The web process never imports it, not even through something else."""

from cryptography.exceptions import InvalidTag
from cryptography.fernet import InvalidToken, MultiFernet

from botyard.errors import InputError
from botyard.vault.keys import Keyring, keyring
from botyard.vault.sealed import ENDPOINT, HEADER_BYTES, ID_BYTES, OLDER, VERSION, SealedSecret, bound_to


def open_sealed(secret: SealedSecret, keys: Keyring | None = None) -> str:
    """A secret in clear.

    Args:
        secret: as it is kept.
        keys: with which to open it; those of this process if not given.

    Raises:
        InputError: no key at hand opens it, or these bytes were never sealed for this row.
    """
    keys = keys or keyring()
    if secret.sealed.startswith(OLDER):
        return _open_older(secret, keys)
    if secret.key_id is None:
        raise _altered(secret)
    key = keys.find(secret.key_id)
    if key is None:
        raise InputError(
            "SECRET_KEY",
            f"has no key {secret.key_id}, which sealed {_named(secret)}; at hand: {_ids(keys)}.",
            "Add that key again, after the newest one.",
        )
    header = secret.sealed[:HEADER_BYTES]
    nonce = header[len(VERSION) + ID_BYTES :]
    try:
        bound = bound_to(header, secret.bot_id, secret.name)
        return key.cipher.decrypt(nonce, secret.sealed[HEADER_BYTES:], bound).decode()
    except InvalidTag:
        raise _altered(secret) from None


def _open_older(secret: SealedSecret, keys: Keyring) -> str:
    try:
        return MultiFernet([key.fernet for key in keys.at_hand()]).decrypt(secret.sealed).decode()
    except InvalidToken:
        raise InputError(
            "SECRET_KEY",
            f"does not open {_named(secret)}, which older code sealed; at hand: {_ids(keys)}.",
            "Add the key that was in use then, after the newest one.",
        ) from None


def _altered(secret: SealedSecret) -> InputError:
    return InputError(
        "SECRET_KEY",
        f"does not open {_named(secret)}: what is stored there was altered, or sealed for another row.",
        "Give it a new secret.",
    )


def _named(secret: SealedSecret) -> str:
    if secret.name == ENDPOINT:
        return f"the signing secret of endpoint {secret.bot_id}"
    return f"{secret.name.partition(':')[0]} of bot {secret.bot_id}"


def _ids(keys: Keyring) -> str:
    return ", ".join(key.id for key in keys.at_hand())
