"""What a bot is expected to say: the fields, and whether an act has them."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator, model_validator

from botyard.dialogues.transcript import Act


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) and value else [] if value == "" else value


def _rows(value: Any) -> Any:
    """Read a keyboard: rows of labels, or labels that stand in one row."""
    if not isinstance(value, list):
        value = _listed(value)
    flat = isinstance(value, list) and all(isinstance(label, str) for label in value)
    return [value] if flat and value else value


as_list = BeforeValidator(_listed)
"""Lets one text stand for a list of one."""
Rows = Annotated[list[list[str]], BeforeValidator(_rows)]


class Content(BaseModel):
    """A message, as far as it matters. What is not said may be anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = None
    contains: Annotated[list[str], as_list] = []
    pattern: str | None = None
    bold: str | None = None
    buttons: Rows | None = None
    keyboard: list[list[str]] | Literal["removed"] | None = None
    kind: str | None = None
    file: str | None = None
    files: int | None = None
    options: Annotated[list[str], as_list] | None = None
    reply_to: str | None = None

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"this is no regular expression: {error}") from None
        return pattern

    @field_validator("keyboard", mode="before")
    @classmethod
    def _keyboard(cls, value: Any) -> Any:
        return value if value == "removed" else _rows(value)

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if self.text is not None and self.pattern is not None:
            raise ValueError("say text or pattern, not both")
        return self

    def lacks(self, act: Act) -> str:
        """Say what an act lacks; nothing when it is as expected."""
        return next((words for words in (*self._words(act), *self._shape(act)) if words), "")

    def _words(self, act: Act) -> list[str]:
        text = act.text
        bold = [text_of(text, entity) for entity in act.fields.get("entities", ()) if entity["type"] == "bold"]
        return [
            "" if self.text in (None, text) else "the text is another",
            *("" if part in text else f"the text has no {part!r}" for part in self.contains),
            "" if self.pattern is None or re.fullmatch(self.pattern, text, re.DOTALL) else "the pattern does not fit",
            "" if self.bold is None or self.bold in bold else f"bold is {bold}",
            "" if self.reply_to is None or self.reply_to in act.answered else "it answers another message, or none",
        ]

    def _shape(self, act: Act) -> list[str]:
        fields = act.fields
        names = [file["name"] for file in fields.get("files", ())]
        buttons = labels(fields.get("buttons", ()))
        keyboard = fields.get("keyboard", [])
        options = fields.get("options", [])
        return [
            "" if self.buttons in (None, buttons) else f"the buttons are {buttons}",
            "" if self.keyboard in (None, keyboard) else f"the keyboard is {keyboard}",
            "" if self.kind in (None, fields.get("what")) else f"it is a {fields.get('what')}",
            "" if self.file is None or self.file in names else f"the files are {names}",
            "" if self.files in (None, len(names)) else f"there are {len(names)} files",
            "" if self.options in (None, options) else f"the options are {options}",
        ]

    def __str__(self) -> str:
        said = self.model_dump(exclude_unset=True)
        return ", ".join(f"{name} {value!r}" for name, value in said.items()) or "anything"


class Answer(BaseModel):
    """The answer to a pressed button."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = None
    alert: bool | None = None
    url: str | None = None

    def lacks(self, answer: dict[str, Any]) -> str:
        """Say what an answer lacks; nothing when it is as expected."""
        came = {"text": answer.get("text", ""), "alert": bool(answer.get("show_alert")), "url": answer.get("url", "")}
        wrong = {name: came[name] for name, value in self if value not in (None, came[name])}
        return ", ".join(f"{name} is {value!r}" for name, value in wrong.items())


def labels(rows: Any) -> list[list[str]]:
    """Return what stands on the buttons of an inline keyboard."""
    return [[button["text"] for button in row] for row in rows]


def text_of(text: str, entity: dict[str, Any]) -> str:
    """Return what an entity marks. Its place is counted in units of UTF-16."""
    units = text.encode("utf-16-le")
    first, length = 2 * entity["offset"], 2 * entity["length"]
    return units[first : first + length].decode("utf-16-le", "replace")
