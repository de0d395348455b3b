"""What a bot did in a dialogue, written so that two runs of the same dialogue compare equal."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ANSWERS = "answers"
"""Where answers to presses, inline queries and payments stand: they have no order among the messages of a chat."""
ACCOUNT = "account"
"""Where stands what the bot says about itself, such as its commands."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a bot did.

    Args:
        kind: ``message``, ``edit``, ``delete``, ``pin``, ``reaction``, ``answer`` or ``call``.
        place: the chat by the name of its person or group, :data:`ANSWERS` or :data:`ACCOUNT`.
        subject: the message or question it is about, such as ``message 2`` (the bot's second one there), ``Ann 1``.
        fields: what it did, without ids and moments.
        answered: text and name of the message that it replies to, for expectations.
    """

    kind: str
    place: str
    subject: str
    fields: Mapping[str, Any]
    answered: tuple[str, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The text or caption, as people read it."""
        return str(self.fields.get("text", ""))

    def __str__(self) -> str:
        shown = " ".join(f"{name}={_shown(value)}" for name, value in sorted(self.fields.items()))
        return " ".join(part for part in (self.kind, self.subject, shown) if part)


@dataclass(slots=True)
class Transcript:
    """Everything that a bot did, by place and in order.

    Two transcripts are equal when the bot did the same in each chat. What people did is in ``story``, for reading.
    """

    acts: dict[str, list[Act]] = field(default_factory=dict)
    story: list[str] = field(default_factory=list, compare=False)

    def add(self, act: Act) -> None:
        """Take an act down."""
        acts = self.acts.setdefault(act.place, [])
        if act.place == ACCOUNT:
            # A setting is what it was set to last, however often that was said.
            acts[:] = sorted([*(old for old in acts if old.subject != act.subject), act], key=lambda one: one.subject)
        elif act.place == ANSWERS:
            acts.append(act)
            acts.sort(key=lambda one: order(one.subject))
        else:
            acts.append(act)
        self.story.append(f"{act.place} < {act}")

    def lines(self) -> list[str]:
        """Return it as text, chat by chat; equal transcripts have equal lines."""
        return [
            line for place in sorted(self.acts) for line in (f"{place}:", *(f"  {act}" for act in self.acts[place]))
        ]

    def difference(self, other: "Transcript", names: Iterable[str] = ("this", "that")) -> str:
        """Return how another one differs, as a diff; nothing when they are equal."""
        first, second = names
        return "\n".join(difflib.unified_diff(self.lines(), other.lines(), first, second, lineterm="", n=2))


def order(subject: str) -> tuple[str, int]:
    """Return the place of a question among others: ``press 10`` comes after ``press 9``."""
    name, _, number = subject.rpartition(" ")
    return (name, int(number)) if number.isdigit() else (subject, 0)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
