"""What a longer work says while it goes on: one sentence for each step, with its remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "trouble"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step that is over.

    Args:
        name: one word for programs.
        state: whether it went as it should.
        says: a sentence for people.
        remedy: what to do; empty when there is nothing to do.
    """

    name: str
    state: State
    says: str
    remedy: str = ""


Say = Callable[[Step], None]


def silently(_: Step) -> None:
    """Tell nobody."""
