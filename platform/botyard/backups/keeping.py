"""Which backups stay: the last of each of 7 days, 4 weeks and 12 months."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

DAYS: Final = 7
WEEKS: Final = 4
MONTHS: Final = 12

_PERIODS: Final[tuple[tuple[int, Callable[[datetime], Any]], ...]] = (
    (DAYS, lambda at: at.date()),
    (WEEKS, lambda at: at.isocalendar()[:2]),
    (MONTHS, lambda at: (at.year, at.month)),
)


def kept(made: Iterable[datetime]) -> set[datetime]:
    """Which of these moments are kept: of the latest days, weeks and months in which there is one, its last."""
    newest = sorted(made, reverse=True)
    stay: set[datetime] = set()
    for count, period_of in _PERIODS:
        seen: dict[Any, datetime] = {}
        for at in newest:
            seen.setdefault(period_of(at), at)
        stay |= set(list(seen.values())[:count])
    return stay
