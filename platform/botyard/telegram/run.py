"""One update's run: what the bot remembers, and what its handlers did. Nothing of it is written before they ended."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

_SENDS_PER_UPDATE: Final = 4096


class Lane(IntEnum):
    """What goes first."""

    URGENT = 0
    REPLY = 1
    SCHEDULED = 2
    BULK = 3


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


@dataclass(slots=True)
class Memory:
    """What one conversation row holds: a chat's, a person's or the bot's own."""

    data: dict[Any, Any] = field(default_factory=dict)
    talks: dict[str, dict[tuple[Any, ...], Any]] = field(default_factory=dict)
    """States of conversation handlers, by handler and conversation key."""


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
    chat: Memory = field(default_factory=Memory)
    user: Memory = field(default_factory=Memory)
    bot: Memory = field(default_factory=Memory)
    sends: list[Send] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)
    started_at: datetime | None = None
    """When its handlers were started."""
    closed: bool = False
    """It has ended: what a task that outlived it sends can no longer be written with it."""

    def queue(self, send: Send) -> None:
        """Note a send, to go out after the commit."""
        last = self.sends[-1] if self.sends else None
        send.n = last.n + max(last.items, 1) if last else 1
        self.sends.append(send)

    def answers(self, query_id: str) -> bool:
        """Whether a callback query is answered by what was noted so far."""
        return any(
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
