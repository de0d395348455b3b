"""One update's run: what the bot remembers, and what its handlers did. Nothing of it is written before they ended."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from botyard.jobs.changes import JobChanges
from botyard.journal import Journal
from botyard.state.memory import Memory

_SENDS_PER_UPDATE: Final = 4096


class Lane(IntEnum):
    """What goes first."""

    URGENT = 0
    REPLY = 1
    SCHEDULED = 2
    BULK = 3

    @property
    def is_paced(self) -> bool:
        """Whether it shares the bot's rate: it goes to many at once, and nobody waits for it."""
        return self >= Lane.SCHEDULED


@dataclass(slots=True)
class Send:
    """A call of the Bot API, to be made by the outbox."""

    method: str
    params: dict[str, Any]
    chat_key: str
    lane: Lane
    after: int | None
    """The provisional id of the message it edits, deletes or answers."""
    items: int = 1
    """How many messages it makes: an album's have provisional ids one after the other."""
    n: int = 0
    """The number of its first message, from 1; set when it is noted."""
    written: bool = False
    """Whether it stands in the outbox already: it was written while the run was going on, or in an earlier one."""

    def is_like(self, other: "Send") -> bool:
        """Whether it is the same call, but for what buttons carry, which is numbered anew each time."""
        return (self.method, _but_buttons(self.params)) == (other.method, _but_buttons(other.params))


@dataclass(slots=True)
class UpdateRun:
    """The update that is being handled in this context.

    Args:
        update_id: as Telegram (or a replay) numbered it.
        chat_key: the key of its mailbox.
        chat_id: the chat whose ``chat_data`` is loaded, if it has one.
        user_id: the person whose ``user_data`` is loaded, if there is one.
        last_attempt: whether the bot's error handlers are to run.
    """

    update_id: int
    chat_key: str
    chat_id: int | None = None
    user_id: int | None = None
    last_attempt: bool = False
    retries: bool = True
    """Whether a handler that raises makes the whole update start again."""
    directly: bool = False
    """Whether handlers wait for the answer to each send."""
    lane: Lane = Lane.REPLY
    """In which what it sends waits, if it answers nothing urgent."""
    chat: Memory = field(default_factory=Memory)
    user: Memory = field(default_factory=Memory)
    bot: Memory = field(default_factory=Memory)
    sends: list[Send] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)
    jobs: JobChanges = field(default_factory=JobChanges)
    answered: set[str] = field(default_factory=set)
    """The callback queries that were answered at once."""
    dropped: set[str] = field(default_factory=set)
    """Keyboards that are to be forgotten with it, by their numbers."""
    cleared: datetime | None = None
    """All keyboards that were made before are to be forgotten with it."""
    started_at: datetime | None = None
    """When its handlers were started."""
    journal: Journal | None = None
    """Of the calls that it makes at once."""
    earlier: dict[int, Send] = field(default_factory=dict)
    """What earlier runs of the same update have written, by number: it is not written again."""
    real_ids: dict[int, int] = field(default_factory=dict)
    """Of the messages that its memory, or its job, knows by provisional ids."""
    unsent: frozenset[int] = frozenset()
    """Provisional ids in the memory it was given, of messages that are not sent yet."""
    on_send: Callable[[], None] | None = None
    """Called when a send was noted."""
    in_turn: Callable[[str], Awaitable[None]] | None = None
    """Waits until what it has sent to a chat is there: a call that goes at once is not to overtake it."""
    _next: int = 1
    closed: bool = False
    """It has ended: what a task that outlived it sends can no longer be written with it."""

    def moved_to(self, chat: Any) -> str | None:
        """The id of what a group has become, if the update came from there under its old one."""
        came_from = str(self.chat_id)
        # Whatever happens in a group has the group's own key, unless that was followed to another group's.
        followed = came_from != self.chat_key and self.chat_key.startswith("-")
        return self.chat_key if followed and str(chat) == came_from else None

    def queue(self, send: Send) -> None:
        """Note a send, to go out after the commit."""
        if self._next + send.items > _SENDS_PER_UPDATE:
            raise ValueError(f"one update may cause at most {_SENDS_PER_UPDATE - 1} messages")
        send.n = self._next
        before = self.earlier.get(send.n)
        if before is not None and before.is_like(send):
            send.written = True
        elif before is not None:
            # It went another way this time: what was sent then stays, and this comes behind it.
            send.n = max(number + one.items for number, one in self.earlier.items())
        self._next = send.n + max(send.items, 1)
        self.sends.append(send)
        if self.on_send is not None:
            self.on_send()

    def provisional(self) -> set[int]:
        """The ids in this run's hands that stand for messages without one."""
        numbers = (number for send in self.sends for number in range(send.n, send.n + max(send.items, 1)))
        return {*self.unsent, *(provisional_id(self.update_id, number) for number in numbers)}

    def answers(self, query_id: str) -> bool:
        """Whether a callback query is answered by what was noted or called so far."""
        return query_id in self.answered or any(
            send.method == "answerCallbackQuery" and send.params.get("callback_query_id") == query_id
            for send in self.sends
        )

    def last_provisional_id(self) -> int:
        """The id by which handlers know the message of the last send; an album's first one."""
        return provisional_id(self.update_id, self.sends[-1].n if self.sends else 0)

    def last_provisional_ids(self) -> list[int]:
        """The ids by which handlers know the messages of the last send."""
        last = self.sends[-1]
        return [provisional_id(self.update_id, last.n + number) for number in range(last.items)]


current_run: ContextVar[UpdateRun] = ContextVar("current_run")
starting: ContextVar[Journal | None] = ContextVar("starting", default=None)
"""The journal of an application that is being started in this context."""


directly: ContextVar[bool] = ContextVar("directly", default=False)
"""Whether sends of this context go to Telegram at once, and their answers are waited for."""


def current_journal() -> Journal | None:
    """Where calls of this context are noted; none: they are nothing that may run again."""
    run = current_run.get(None)
    journal = starting.get() if run is None or run.closed else run.journal
    return None if journal is None or journal.closed else journal


def _but_buttons(params: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != "reply_markup"}


def provisional_id(update_id: int, n: int) -> int:
    """A message id for a message that is not sent yet: negative, so that it is never a real one.

    Args:
        update_id: of the update that caused the send; negative for a replay.
        n: which message of the update it is, from 1 to 4095.

    Raises:
        ValueError: an update caused more sends than can be numbered.
    """
    if n >= _SENDS_PER_UPDATE:
        raise ValueError(f"one update may cause at most {_SENDS_PER_UPDATE - 1} messages")
    return -((abs(update_id) * 2 + (update_id < 0)) * _SENDS_PER_UPDATE + n)


def of_provisional_id(message_id: int) -> tuple[int, int]:
    """The update id and the number of the message behind a provisional id."""
    rest, n = divmod(-message_id, _SENDS_PER_UPDATE)
    update_id, negative = divmod(rest, 2)
    return (-update_id if negative else update_id), n
