"""This machine and its state folder, as `botyard doctor` looks at them."""

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from botyard.checks.finding import Finding, lasting
from botyard.settings import Settings, unreadable
from botyard.supervisor import read_status, running_pid

_OLDEST_PYTHON: Final = (3, 11)
_FULL_BYTES: Final = 500_000_000
_SCANT_BYTES: Final = 2_000_000_000
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SECRET_FILES: Final = ("secrets.json", "environment.json")
_WORKING: Final = ("web", "worker", "beat")


def python_findings() -> list[Finding]:
    """The version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return [Finding("Python", "trouble", f"This is Python {version}.", "Use Python 3.11 or newer.")]
    return [Finding("Python", "ok", f"This is Python {version}.")]


def readable_settings() -> tuple[Settings | None, list[Finding]]:
    """The settings with every bad value replaced by its default, and a finding for each; values are never repeated."""
    try:
        return _without_bad_values({})
    except (UnicodeDecodeError, OSError) as error:
        trouble = unreadable(error)
        settings, findings = _without_bad_values({"_env_file": None})
        says = f"{trouble.field} {trouble.problem} Nothing of it was taken."
        return settings, [Finding("settings", "trouble", says, trouble.remedy), *findings]


def _without_bad_values(source: dict[str, Any]) -> tuple[Settings | None, list[Finding]]:
    findings, replaced = [], {}
    try:
        return Settings(**source), [Finding("settings", "ok", "Every setting has a possible value.")]
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            name = str(one["loc"][0]) if one["loc"] else ""
            problem = one["msg"].removeprefix("Value error, ")
            says = f"{name.upper()}: {problem}." if name else f"{problem}."
            remedy = "Correct it in the environment or in .env; see docs/settings.md."
            findings.append(Finding("settings", "trouble", says, remedy))
            if name in Settings.model_fields:
                replaced[name] = Settings.model_fields[name].get_default()
    try:
        return Settings(**source, **replaced), findings
    except ValidationError:
        return None, findings


def state_findings(state: Path) -> list[Finding]:
    """Who may read the state folder, and how much room its disk has."""
    if not state.exists():
        return [
            *_room(_existing(state)),
            Finding("state folder", "ok", f"{state} does not exist yet: nothing ran here."),
        ]
    return [*_permissions(state), *_room(state)]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _permissions(state: Path) -> list[Finding]:
    mine = state.stat().st_uid == os.getuid()
    if not mine or not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        says = f"{state} belongs to another user, or cannot be written."
        return [Finding("state folder", "trouble", says, "Run as its owner, or set STATE_DIR to another folder.")]
    found = []
    for path in (state, *(state / name for name in _SECRET_FILES)):
        if path.exists() and path.stat().st_mode & _OTHERS:
            right = "700" if path.is_dir() else "600"
            says = f"Other users of this machine may reach {path}, where secrets are kept."
            found.append(Finding("state folder", "trouble", says, f"chmod {right} {path}"))
    return found or [Finding("state folder", "ok", f"{state} and the secrets in it are for its owner only.")]


def _room(path: Path) -> list[Finding]:
    free = shutil.disk_usage(path).free
    says = f"{free / 1e9:.1f} GB are free on the disk of {path}."
    remedy = "Make room: when the disk is full nothing can be kept, and webhooks answer 503."
    if free < _FULL_BYTES:
        return [Finding("disk", "trouble", says, remedy)]
    return [Finding("disk", "warning" if free < _SCANT_BYTES else "ok", says, remedy if free < _SCANT_BYTES else "")]


def supervised_findings(state: Path, *, elsewhere: bool) -> list[Finding]:
    """What `botyard run` keeps running in the state folder.

    Args:
        state: the folder.
        elsewhere: the environment names servers, so the processes may be kept running by something else.
    """
    if running_pid(state) is None:
        if elsewhere:
            says = "`botyard run` keeps nothing running here; whether beat and the web process live cannot be seen."
            return [Finding("processes", "ok", says)]
        return [Finding("processes", "trouble", f"Nothing runs in {state}.", "Start it with `botyard run`.")]
    running = {one.name: one for one in read_status(state)}
    down = [name for name, one in running.items() if one.pid is None]
    missing = [name for name in _WORKING if name not in running]
    if down or missing:
        says = f"Not running: {', '.join([*down, *missing])}."
        return [Finding("processes", "trouble", says, "They are started again by themselves; see `botyard logs`.")]
    often = {name: one.restarts for name, one in running.items() if one.restarts}
    if often:
        says = "Started again since the start: " + ", ".join(f"{name} ({count} times)" for name, count in often.items())
        return [Finding("processes", "warning", f"{says}.", "See why in their logs: `botyard logs --process NAME`.")]
    return [Finding("processes", "ok", f"All {len(running)} processes run, beat among them; none was started again.")]


def clock_finding(whose: str, theirs: float, ours: float, tolerated: float) -> list[Finding]:
    """Whether another clock agrees with this machine's.

    Args:
        whose: whose clock it is.
        theirs: what it shows, in seconds since the epoch.
        ours: what ours showed at that moment.
        tolerated: by how many seconds they may differ.
    """
    apart = ours - theirs
    if abs(apart) <= tolerated:
        return [Finding("clock", "ok", f"The clock agrees with that of {whose}.")]
    direction = "ahead of" if apart > 0 else "behind"
    says = f"This machine's clock is {lasting(abs(apart))} {direction} that of {whose}."
    return [Finding("clock", "trouble", says, "Let NTP set both clocks; answers are too late or too early otherwise.")]
