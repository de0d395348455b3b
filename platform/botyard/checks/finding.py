"""What a check found, and how long it may look."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

from botyard.errors import InputError

State = Literal["ok", "warning", "trouble"]
T = TypeVar("T")

SECONDS: Final = 3.0
"""How long one check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing, and what to do about it.

    Args:
        check: what was looked at.
        state: whether it is as it should be.
        says: what was found.
        remedy: what to do; empty when there is nothing to do.
    """

    check: str
    state: State
    says: str
    remedy: str = ""


Check = Callable[[], Sequence[Finding]]


def within(work: Callable[[], T], seconds: float = SECONDS) -> T:
    """What ``work`` returns, if it does so in time; its thread is left behind otherwise.

    Raises:
        TimeoutError: it took longer.
    """
    ended: list[T] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            ended.append(work())
        except BaseException as error:  # noqa: BLE001 - handed on below, in the caller's thread
            failed.append(error)

    # A daemon, not an executor: the end of the program must not wait for it.
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not ended:
        raise TimeoutError
    return ended[0]


def look(name: str, check: Check, remedy: str = "") -> list[Finding]:
    """The findings of one check; whatever goes wrong in it is a finding, too."""
    try:
        return list(within(check))
    except TimeoutError:
        return [Finding(name, "trouble", f"This could not be found out within {SECONDS:g} seconds.", remedy)]
    except InputError as error:
        return [Finding(name, "trouble", str(error), remedy)]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is broken; a bot's code may even call sys.exit
        return [Finding(name, "trouble", f"This could not be found out ({type(error).__name__}).", remedy)]


def look_at_all(checks: Sequence[tuple[str, Check, str]]) -> list[Finding]:
    """Every check, side by side; their findings in the order of the checks."""
    found: list[list[Finding]] = [[] for _ in checks]

    def one(place: int) -> None:
        found[place] = look(*checks[place])

    threads = [threading.Thread(target=one, args=(place,), daemon=True) for place in range(len(checks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [finding for findings in found for finding in findings]


def age(moment: datetime | float) -> str:
    """How long ago that was, in words: ``3 minutes ago``."""
    at = datetime.fromtimestamp(moment, UTC) if isinstance(moment, float | int) else moment
    return f"{lasting((datetime.now(UTC) - at).total_seconds())} ago"


def lasting(seconds: float) -> str:
    """A time in words, in its largest unit: ``3 minutes``."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return _counted(int(seconds // length), unit)
    return _counted(max(int(seconds), 0), "second")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
