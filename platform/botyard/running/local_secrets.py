"""The secrets of a local installation: made at random at its first start, kept for its user only."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from botyard.errors import InputError

_FORMAT: Final = 1
_DEMO_ID: Final = 7_000_000_001


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """Everything that is made up once."""

    postgres_password: str = field(default_factory=_password)
    application_password: str = field(default_factory=_password)
    system_password: str = field(default_factory=_password)
    redis_password: str = field(default_factory=_password)
    flower_password: str = field(default_factory=_password)
    secret_key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    demo_token: str = field(default_factory=lambda: f"{_DEMO_ID}:{secrets.token_urlsafe(27)[:35].ljust(35, 'A')}")


def load_or_make(folder: Path) -> LocalSecrets:
    """The secrets of this state folder.

    Raises:
        InputError: the file is there and cannot be used.
    """
    path = folder / "secrets.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _make(path)
    except (OSError, ValueError) as error:
        raise InputError(
            "STATE_DIR", f"{path} cannot be read ({type(error).__name__}).", "Run as its owner, or restore the file."
        ) from None
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise InputError(
            "STATE_DIR", f"{path} was made by another version of Botyard.", "Use that version, or a new folder."
        )
    names = {one.name for one in fields(LocalSecrets)}
    return LocalSecrets(**{name: value for name, value in stored.items() if name in names})


def _make(path: Path) -> LocalSecrets:
    made = LocalSecrets()
    draft = path.with_suffix(".new")
    # Written whole or not at all: a start that is killed here leaves no half of a file.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, **asdict(made)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return made
