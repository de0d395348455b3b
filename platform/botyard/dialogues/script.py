"""A dialogue: who takes part, and the steps, as they are written in a file. docs/dialogues.md describes the file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from botyard.dialogues.expected import Answer, Content, as_list

QUALIFIERS = frozenset({"by", "place", "within", "on", "reply_to"})
"""Fields of a step that say more about it, and are no step themselves."""


class Written(BaseModel):
    """Something written in a dialogue's file: unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class File(Written):
    """A file that a person sends. Without ``content`` something stands for it."""

    kind: Literal["photo", "audio", "document", "video", "animation", "voice", "video_note", "sticker"]
    name: str = ""
    content: str = ""
    mime_type: str = ""
    caption: str = ""


class Sending(Written):
    """What a person sends that is no text: exactly one of these."""

    file: File | None = None
    album: list[File] | None = None
    location: dict[str, float] | None = None
    venue: dict[str, Any] | None = None
    contact: dict[str, str] | None = None
    dice: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a person sends one thing at a time: {', '.join(type(self).model_fields)}")
        return self


class Tap(Written):
    """A button of a reply keyboard, and what it asks for."""

    text: str
    phone_number: str | None = None
    location: dict[str, float] | None = None
    data: str | None = None


class Payment(Written):
    """How a person pays."""

    tip: int = 0
    order: dict[str, Any] = {}


def _named(name: str) -> BeforeValidator:
    """Let a plain text stand for a mapping with this one field; nothing stands for an empty mapping."""

    def read(value: Any) -> Any:
        if value == "":
            return {}
        return {name: value} if isinstance(value, str) else value

    return BeforeValidator(read)


class Step(Written):
    """One step: exactly one field that says what happens, and what is said about it."""

    by: str = ""
    place: str = Field("", alias="in")
    on: str = ""
    reply_to: str | None = None
    within: float | None = Field(None, gt=0)

    say: str | None = None
    press: str | None = None
    tap: Annotated[Tap, _named("text")] | None = None
    send: Annotated[Sending, _named("dice")] | None = None
    edit: str | None = None
    delete: str | None = None
    vote: Annotated[list[str], as_list] | None = None
    react: str | None = None
    pay: Annotated[Payment, _named("tip")] | None = None
    ship: str | None = None
    inline: str | None = None
    choose: str | None = None
    join: str | None = None
    leave: str | None = None
    add: str | None = None
    remove: str | None = None
    promote: str | None = None
    block: bool | None = None

    wait: float | None = Field(None, gt=0)
    advance: float | None = Field(None, gt=0)
    restart: Literal[""] | None = None

    expect: Annotated[Content, _named("text")] | None = None
    expect_edit: Annotated[Content, _named("text")] | None = None
    expect_answer: Annotated[Answer, _named("text")] | None = None
    expect_delete: str | None = None
    expect_pin: str | None = None
    expect_reaction: str | None = None
    expect_results: Annotated[list[str], as_list] | None = None
    expect_payment: str | None = None
    expect_commands: Annotated[list[str], as_list] | None = None
    expect_call: dict[str, Any] | None = None
    silence: float | None = Field(None, gt=0)

    _line: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        said = sorted(self.model_fields_set - QUALIFIERS)
        if len(said) != 1:
            found = f"this one says {', '.join(said)}" if said else "this one says nothing"
            raise ValueError(f"a step says one thing that happens, and {found}")
        return self

    @property
    def verb(self) -> str:
        """What happens."""
        return next(iter(self.model_fields_set - QUALIFIERS))

    @property
    def given(self) -> Any:
        """What is said about it, as its model."""
        return getattr(self, self.verb)

    @property
    def line(self) -> int:
        """Where it stands in its file."""
        return self._line

    def __str__(self) -> str:
        given = self.given.model_dump(exclude_unset=True) if isinstance(self.given, BaseModel) else self.given
        more = [f"{name.replace('place', 'in')}: {getattr(self, name)}" for name in QUALIFIERS & self.model_fields_set]
        return ", ".join([f"{self.verb}: {given}".removesuffix(": "), *sorted(more)])


class Bot(Written):
    """What Telegram knows of the bot. ``options`` are those of ``botyard bot set``."""

    username: str = "a_test_bot"
    name: str = "Test"
    token: str = ""
    options: dict[str, str] = {}


class Person(Written):
    """Somebody who talks to the bot."""

    last_name: str = ""
    username: str = ""
    language_code: str = ""


class Group(Written):
    """A group, supergroup or channel; its first member has made it."""

    type: Literal["group", "supergroup", "channel"] = "supergroup"
    members: Annotated[list[str], as_list] = Field(min_length=1)
    bot: Literal["member", "administrator", "absent"] = "member"


def _people(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return {name: {} for name in value} if isinstance(value, list) else value


class Dialogue(Written):
    """A whole dialogue."""

    bot: Bot = Bot()
    people: Annotated[dict[str, Person], BeforeValidator(_people)] = {"Ann": Person()}
    groups: dict[str, Group] = {}
    seconds: float = Field(10.0, gt=0)
    steps: list[Step] = Field(min_length=1)

    _path: Path = PrivateAttr(Path("dialogue"))

    @property
    def path(self) -> Path:
        """Its file."""
        return self._path

    @field_validator("people")
    @classmethod
    def _somebody(cls, people: dict[str, Person]) -> dict[str, Person]:
        if not people:
            raise ValueError("somebody must talk to the bot")
        return people

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, group in self.groups.items():
            if name in self.people:
                raise ValueError(f"{name} is a person and a group")
            self._check(group.members, f"groups.{name}.members")
        for number, step in enumerate(self.steps):
            self._check([step.by], f"steps[{number}].by")
            if step.place and step.place not in {*self.people, *self.groups}:
                raise ValueError(f"steps[{number}].in: {step.place} is no person and no group")
            for verb in ("join", "leave"):
                if step.verb == verb and step.given not in self.groups:
                    raise ValueError(f"steps[{number}].{verb}: {step.given} is no group")
        return self

    def _check(self, names: list[str], place: str) -> None:
        unknown = next((name for name in names if name and name not in self.people), None)
        if unknown is not None:
            raise ValueError(f"{place}: {unknown} is not among people: {', '.join(self.people)}")

    def where(self, step: Step) -> str:
        """Where a step stands, for messages."""
        number = next(place for place, one in enumerate(self.steps, 1) if one is step)
        return f"{self.path}:{step.line}: step {number}"


PLACE = re.compile(r"(?:groups|steps|people)[.\[]\S*?(?=: )")
"""Where in the file a complaint of :class:`Dialogue` as a whole belongs."""
