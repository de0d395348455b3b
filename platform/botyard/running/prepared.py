"""Whether this state folder was prepared already for exactly what is about to start: then a start need not do it again.

Only for the servers that `botyard run` keeps itself: of others it cannot know what happened to them in between.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from botyard.settings import Settings

_MIGRATIONS: Final = Path(__file__).parent.parent.parent.parent / "db" / "migrations" / "versions"


def _fingerprint(settings: Settings) -> dict[str, Any]:
    return {
        "migrations": sorted(path.name for path in _MIGRATIONS.glob("*.py")),
        "webhook": settings.webhook_base_url,
        "simulator": f"{settings.simulator_host}:{settings.simulator_port}",
        "own": _own(settings),
    }


def _own(settings: Settings) -> str | None:
    """What the connection of the bot of BOT_TOKEN depends on, as a digest: the token must stand in no file."""
    if settings.bot_token is None:
        return None
    parts = (settings.bot_token.get_secret_value(), settings.bot_kind, settings.api_url, settings.public_url or "")
    return sha256("\n".join(parts).encode()).hexdigest()


def _note(state: Path) -> Path:
    # Beside the data it speaks of: whoever removes the one removes the other.
    return state / "postgres" / "botyard-prepared.json"


def is_prepared(state: Path, settings: Settings) -> bool:
    """The database is migrated and the demo bot connected, at these addresses."""
    if settings.database_url is not None or not (state / "simulator.json").exists():
        return False
    try:
        return bool(json.loads(_note(state).read_text(encoding="utf-8")) == _fingerprint(settings))
    except (OSError, ValueError):
        return False


def note_prepared(state: Path, settings: Settings) -> None:
    """Remember it for the next start."""
    draft = _note(state).with_suffix(".new")
    draft.write_text(json.dumps(_fingerprint(settings)), encoding="utf-8")
    draft.replace(_note(state))


def note_own_bot(state: Path, username: str | None) -> None:
    """The name of the bot of BOT_TOKEN, for the greeting."""
    (state / "own_bot").write_text(username or "", encoding="utf-8")


def own_bot(state: Path) -> str:
    """Its name, or nothing."""
    try:
        return (state / "own_bot").read_text(encoding="utf-8")
    except OSError:
        return ""
