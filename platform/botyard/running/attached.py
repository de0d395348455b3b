"""Commands beside a running `botyard run`: they find its servers by what it noted in the state folder."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from botyard.errors import BotyardError
from botyard.settings import Settings, get_settings
from botyard.supervisor import running_pid

_NOTE: Final = "environment.json"


def note_environment(state: Path, environment: Mapping[str, str]) -> None:
    """Keep what the processes of this run were told; for its user only, as there are passwords in it."""
    draft = state / f"{_NOTE}.new"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(dict(environment)), encoding="utf-8")
    draft.replace(state / _NOTE)


class NotRunning(BotyardError):
    """Nothing runs here, and the environment names no servers either."""


def attached_settings() -> Settings:
    """The settings of the installation that runs in the state folder, or of the environment if that names servers.

    Raises:
        NotRunning: neither is there.
    """
    attach()
    settings = get_settings()
    if settings.database_url is None or settings.redis_url is None:
        raise NotRunning(
            f"Nothing runs in {settings.state_dir.absolute()}. Start it with `botyard run`, or set DATABASE_URL and "
            "REDIS_URL to those of the installation that is meant."
        )
    return settings


def attach(named: Settings | None = None) -> None:
    """Take the running installation's settings for this process, unless its environment names a database itself.

    Args:
        named: the settings of the environment, from one that must go on where some of them are bad.
    """
    settings = named or get_settings()
    state = settings.state_dir.absolute()
    if settings.database_url is not None or running_pid(state) is None:
        return
    try:
        noted = json.loads((state / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    os.environ.update({name: value for name, value in noted.items() if name not in os.environ})
    get_settings.cache_clear()
