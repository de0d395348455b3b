"""What a run finds of what its bot remembers."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Memory:
    """What one conversation row holds: a chat's, a person's or the bot's own."""

    data: Any = field(default_factory=dict)
    """A dictionary, or an object of a class of the bot's own."""
    talks: dict[str, dict[tuple[Any, ...], Any]] = field(default_factory=dict)
    """States of conversation handlers, by handler and conversation key."""
