"""Whether this state folder was prepared already for exactly what is about to start: then a start need not do it again.

Only for the servers that `botyard run` keeps itself: of others it cannot know what happened to them in between.
"""

import json
from pathlib import Path
from typing import Any, Final

from botyard.settings import Settings

_MIGRATIONS: Final = Path(__file__).parent.parent.parent.parent / "db" / "migrations" / "versions"


def _fingerprint(settings: Settings) -> dict[str, Any]:
    return {
        "migrations": sorted(path.name for path in _MIGRATIONS.glob("*.py")),
        "webhook": settings.webhook_base_url,
        "api": settings.api_url,
    }


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
