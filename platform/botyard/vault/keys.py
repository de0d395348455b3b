"""The keys that seal and open secrets: where they come from, and those that this process has. See docs/secrets.md."""

import shlex
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Final

import structlog
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from botyard.errors import InputError
from botyard.settings import Settings, get_settings, key_bytes
from botyard.vault.sealed import ID_BYTES

log = structlog.get_logger(__name__)

_REREAD_SECONDS: Final = 2.0
_COMMAND_SECONDS: Final = 10.0


class Key:
    """One key, made of the 32 bytes that somebody keeps.

    Args:
        master: these bytes.
    """

    __slots__ = ("_root", "cipher", "fernet", "id")

    def __init__(self, master: bytes) -> None:
        self.id = _derived(master, b"botyard key id", ID_BYTES).hex()
        """Tells which key it is, and nothing of it."""
        self.cipher = AESGCM(_derived(master, b"botyard secrets", len(master)))
        self.fernet = Fernet(urlsafe_b64encode(master))
        """Opens what older code sealed."""
        self._root = _derived(master, b"botyard derived", len(master))

    def derived(self, purpose: str) -> bytes:
        """32 bytes for another purpose than sealing: always the same ones, and of no use for any other purpose."""
        return _derived(self._root, purpose.encode(), len(self._root))


def _derived(master: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(master)


def read_keys(settings: Settings) -> list[Key]:
    """The keys as their source has them now, newest first.

    Raises:
        InputError: no source is set, it cannot be read, or what it gives are no keys.
    """
    name, text = _text_of(settings)
    try:
        keys = [Key(master) for master in key_bytes(text)]
    except ValueError as error:
        raise InputError(name, f"{error}.") from None
    if not keys:
        raise InputError(name, "gives no key.", "Make one with `botyard keys generate`.")
    return keys


def _text_of(settings: Settings) -> tuple[str, str]:
    if settings.secret_key_file is not None:
        try:
            return "SECRET_KEY_FILE", settings.secret_key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = f"{settings.secret_key_file} cannot be read ({type(error).__name__})."
            raise InputError("SECRET_KEY_FILE", problem, "Let this user read it.") from None
    if settings.secret_key_command is not None:
        return "SECRET_KEY_COMMAND", _output_of(settings.secret_key_command.get_secret_value())
    if settings.secret_key is None:
        raise InputError("SECRET_KEY", "is not set.", "Set it, SECRET_KEY_FILE or SECRET_KEY_COMMAND.")
    return "SECRET_KEY", settings.secret_key.get_secret_value()


def _output_of(command: str) -> str:
    try:
        # Its standard error is ours: what it has to say is for whoever wrote the command.
        ran = subprocess.run(
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=True
        )
        return ran.stdout.decode()
    except subprocess.CalledProcessError as error:
        problem = f"its command ended with status {error.returncode}."
    except subprocess.TimeoutExpired:
        problem = f"its command did not end within {_COMMAND_SECONDS:.0f} seconds."
    except (OSError, ValueError) as error:
        problem = f"its command cannot be run ({type(error).__name__})."
    raise InputError("SECRET_KEY_COMMAND", problem, "Run it by hand, as the user of this process.")


class Keyring:
    """The keys of a process. A file or a command is read again when something was sealed with a key unknown so far.

    Keys that are no longer there stay with the process until its end: it may still hold what they sealed.

    Args:
        settings: which source to read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lasting = settings.secret_key is not None
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._reread = -_REREAD_SECONDS

    def at_hand(self) -> list[Key]:
        """The keys, newest first.

        Raises:
            InputError: they cannot be had.
        """
        with self._lock:
            if not self._keys:
                self._read()
            return list(self._keys.values())

    def newest(self) -> Key:
        """The key that seals from now on: whoever rotates keys must not be overtaken, so their source is asked again.

        Raises:
            InputError: no key can be had.
        """
        with self._lock:
            if not self._keys:
                self._read()
            elif not self._lasting:
                self._read_again()
            return next(iter(self._keys.values()))

    def find(self, key_id: str) -> Key | None:
        """The key of this id, if it is at hand or can be had.

        Raises:
            InputError: no key can be had at all.
        """
        with self._lock:
            if not self._keys:
                self._read()
            now = time.monotonic()
            if key_id not in self._keys and not self._lasting and now - self._reread > _REREAD_SECONDS:
                self._reread = now
                self._read_again()
            return self._keys.get(key_id)

    def _read(self) -> None:
        self._keys = {key.id: key for key in read_keys(self._settings)} | self._keys

    def _read_again(self) -> None:
        """A store that is away for a moment stops nobody who has keys."""
        try:
            self._read()
        except InputError as error:
            log.warning("keys_not_read", error=str(error))


@lru_cache(maxsize=1)
def keyring() -> Keyring:
    """The keyring of this process."""
    return Keyring(get_settings())
