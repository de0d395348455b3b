"""PostgreSQL's own programs: the right version, and no password where others may read it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from botyard.backups.errors import BackupFailed
from botyard.embedded.postgres import find_installations

_SECONDS: Final = 6 * 3600.0
_PROBE_SECONDS: Final = 10.0
_LAST_WORDS: Final = 500


def program(name: str, server_major: int) -> Path:
    """``pg_dump`` or ``pg_restore`` of the server's version or a newer one.

    Source: https://www.postgresql.org/docs/current/app-pgdump.html (it refuses servers that are newer than itself)

    Raises:
        BackupFailed: there is none on this machine.
    """
    seen = []
    for found in _candidates(name):
        major = _major(found)
        if major >= server_major:
            return found
        seen.append(str(major))
    older = f", only of version {', '.join(seen)}" if seen else ""
    raise BackupFailed(
        f"There is no {name} for PostgreSQL {server_major} here{older}. Install postgresql-client-{server_major}."
    )


def run(tool: Path, url: str, arguments: Sequence[str | Path], **environment: str) -> None:
    """Run one of them against a database.

    Args:
        tool: the program.
        url: of the database; its password goes through the environment.
        arguments: beside those that say where the database is.
        environment: more variables.

    Raises:
        BackupFailed: it ended with an error; its last words are told.
    """
    parts = make_url(url)
    told = {
        "PGHOST": parts.host or "", "PGPORT": str(parts.port or 5432), "PGUSER": parts.username or "",
        "PGPASSWORD": str(parts.password or ""), "PGDATABASE": parts.database or "", "PGAPPNAME": "botyard backup",
        "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C", **environment,
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    try:
        done = subprocess.run(
            [tool, *arguments], env={**kept, **told}, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{tool.name} did not end within {_SECONDS / 3600:g} hours.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
        raise BackupFailed(f"{tool.name} ended with code {done.returncode}: {said}")


def _candidates(name: str) -> Iterator[Path]:
    if found := shutil.which(name):
        yield Path(found)
    for installation in find_installations():
        path = installation.programs / name
        if path.is_file():
            yield path


def _major(binary: Path) -> int:
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0
