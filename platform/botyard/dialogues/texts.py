"""Texts as people read them: without marks, with what these marks mean."""

import json
from typing import Any

from botyard.dialogues.control import Control
from botyard.dialogues.errors import OrderRefused

TOKEN = "4299999999:AAAA-reads-what-others-write"  # noqa: S105 - of a bot that lives in simulators only
BOT = 4299999999
READER = 899_999_999
PLAIN = 4096


class Texts:
    """Reads texts of the Bot API with their ``parse_mode`` or entities.

    A bot of its own sends each to a person of its own: so the simulator's reading is the only one there is.

    Args:
        control: the simulator.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._read: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._ready = False

    def read(self, text: str, parse_mode: str, entities: Any) -> tuple[str, list[dict[str, Any]]]:
        """Return a text as it is shown, and its entities. What the simulator refuses is returned as it came."""
        if not text.strip():
            return "", []
        key = json.dumps([text, parse_mode, entities])
        if key not in self._read:
            self._read[key] = self._ask(text, {"parse_mode": parse_mode, "entities": entities})
        return self._read[key]

    def _ask(self, text: str, how: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        if not self._ready:
            self._enter()
        given = {name: value for name, value in how.items() if value}
        try:
            message = self._control.call(TOKEN, "sendMessage", chat_id=READER, text=text, **given)
        except OrderRefused:
            return text, []
        return message["text"], message.get("entities", [])

    def _enter(self) -> None:
        self._control.post("bots", token=TOKEN, username="reads_texts_bot", name="Reader")
        self._control.post("people", id=READER, first_name="Reader")
        self._control.post("settings", bot_id=BOT, flood=False)
        # Unblocking opens the chat, and leaves no update behind that nobody would fetch.
        self._control.post("block", bot_id=BOT, person_id=READER, blocked=False)
        self._ready = True
