"""Files that people upload to be sent by a bot: their content, and a reference that only this installation can make.

Content is named by what it is, and one customer's content must be nobody else's to send. So who uploads gets a sealed
reference: which content, for which bot, until when. Nothing needs to be remembered for it.
"""

import base64
import binascii
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Final

import orjson
from cryptography.exceptions import InvalidTag

from botyard.errors import InputError
from botyard.media.store import MediaGone, MediaStore
from botyard.vault.keys import Keyring

LARGEST: Final = 50 * 1024 * 1024
"""What Telegram takes from a bot."""
_PREFIX: Final = "file_"
_NONCE: Final = 12
_SPARE_SECONDS: Final = 3600
_LONGEST_NAME: Final = 200
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f/\\\"\ud800-\udfff]")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """Content that was uploaded.

    Args:
        content: its SHA-256 in hexadecimal digits.
        size: its bytes.
        name: how the file is called.
        type: its media type.
    """

    content: str
    size: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Referred:
    """An upload, and the reference by which a message names it until then."""

    reference: str
    upload: Upload
    until: datetime


def upload(
    store: MediaStore, keys: Keyring, keep_hours: float, bot_id: int, content: IO[bytes], name: str, kind: str
) -> Referred:
    """Keep content that a message of a bot will refer to.

    Args:
        store: where it goes.
        keys: seal the reference.
        keep_hours: how long the store keeps what nothing refers to.
        bot_id: whose messages may refer to it.
        content: at its beginning.
        name: how the file is called.
        kind: its media type.

    Raises:
        InputError: it is empty, too large, or its name or its type cannot be one.
    """
    named, typed = _fit_name(name), _fit_type(kind)
    kept = store.put(content)
    if not kept.size:
        raise InputError("content", "is empty.", "Send the bytes of a file as the body of the request.")
    until = int(time.time() + keep_hours * 3600) - _SPARE_SECONDS
    one = Upload(kept.name, kept.size, named, typed)
    return Referred(_sealed(keys, bot_id, one, until), one, datetime.fromtimestamp(until, UTC))


def referred(store: MediaStore, keys: Keyring, bot_id: int, reference: str) -> Upload:
    """What a reference names.

    Raises:
        InputError: it is none of this bot's, or its content is not kept any longer.
    """
    found = _opened(keys, bot_id, reference)
    if found is None:
        raise InputError("file", "is no file that was uploaded for this bot, or too old.", "Upload it again.")
    try:
        store.open(found.content).close()
    except MediaGone:
        raise InputError("file", "is no longer kept.", "Upload it again.") from None
    return found


def _sealed(keys: Keyring, bot_id: int, one: Upload, until: int) -> str:
    key, nonce = keys.newest(), os.urandom(_NONCE)
    plain = orjson.dumps([one.content, one.size, one.name, one.type, until])
    sealed = bytes.fromhex(key.id) + nonce + key.cipher.encrypt(nonce, plain, _purpose(bot_id))
    return _PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _opened(keys: Keyring, bot_id: int, reference: str) -> Upload | None:
    written = reference.removeprefix(_PREFIX)
    try:
        sealed = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    for key in keys.at_hand():
        name, rest = bytes.fromhex(key.id), sealed[len(key.id) // 2 :]
        if not sealed.startswith(name) or len(rest) <= _NONCE:
            continue
        try:
            plain = key.cipher.decrypt(rest[:_NONCE], rest[_NONCE:], _purpose(bot_id))
        except InvalidTag:
            return None
        content, size, called, kind, until = orjson.loads(plain)
        return Upload(content, size, called, kind) if until > time.time() else None
    return None


def _purpose(bot_id: int) -> bytes:
    return b"botyard upload for bot %d" % bot_id


def _fit_name(name: str) -> str:
    found = _UNFIT.sub("_", name).strip(". ")
    if not 0 < len(found) <= _LONGEST_NAME:
        raise InputError("name", f"a file's name has 1 to {_LONGEST_NAME} characters.", "Add ?name=report.pdf.")
    return found


def _fit_type(kind: str) -> str:
    found = kind.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(found):
        raise InputError("Content-Type", "is no media type.", "Write it as application/pdf.")
    return found
