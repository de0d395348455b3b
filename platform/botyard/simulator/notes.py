"""What a developer's tools say beside a conversation: an error of the bot, at the message that caused it."""

from collections import deque
from dataclasses import dataclass

KEPT = 300
TEXT_LIMIT = 20_000
"""Characters of a note that are kept: a long traceback keeps its end, where the error is."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note. ``chat`` is bot (0 for a group or channel) and chat; ``message_id`` is 0 if unknown."""

    id: int
    at: float
    chat: tuple[int, int]
    bot_id: int
    update_id: int
    message_id: int
    title: str
    text: str


class Notes:
    """The newest notes, kept in memory only: after a restart nobody needs an old traceback."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque(maxlen=KEPT)
        self._last = 0

    def add(
        self, chat: tuple[int, int], *, at: float, bot_id: int, update_id: int, message_id: int, title: str, text: str
    ) -> Note:
        """Keep a note and return it with its number."""
        self._last += 1
        note = Note(self._last, at, chat, bot_id, update_id, message_id, title, text[-TEXT_LIMIT:])
        self._notes.append(note)
        return note

    def of(self, chat: tuple[int, int]) -> list[Note]:
        """Return the notes beside one chat, the oldest first."""
        return [note for note in self._notes if note.chat == chat]
