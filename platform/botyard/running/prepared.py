"""Whether this state folder was prepared already for exactly what is about to start: then a start need not do it again.

Only for the servers that `botyard run` keeps itself: of others it cannot know what happened to them in between.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from botyard.settings import Settings

_MIGRATIONS: Final = Path(__file__).parent.parent.parent.parent / "db" / "migrations" / "versions"


def _fingerprint(settings: Settings) -> dict[str, Any]:
    return {
        "migrations": sorted(path.name for path in _MIGRATIONS.glob("*.py")),
        "webhook": settings.webhook_base_url,
        "simulator": f"{settings.simulator_host}:{settings.simulator_port}",
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


@dataclass(frozen=True, slots=True)
class OwnBot:
    """What became of the bot of BOT_TOKEN at this start.

    Args:
        username: its name at Telegram; empty while it is not connected.
        warnings: sentences for the person who started it.
    """

    username: str = ""
    warnings: tuple[str, ...] = ()


def note_own_bot(state: Path, own: OwnBot) -> None:
    """Leave it for the supervisor."""
    draft = state / "own_bot.new"
    draft.write_text(json.dumps(asdict(own)), encoding="utf-8")
    draft.replace(state / "own_bot.json")


def own_bot(state: Path) -> OwnBot:
    """What was noted last."""
    try:
        noted = json.loads((state / "own_bot.json").read_text(encoding="utf-8"))
        return OwnBot(noted["username"], tuple(noted["warnings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return OwnBot()
