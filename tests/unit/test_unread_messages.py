"""A message that is made when somebody looks at it: nobody sees that it was not there before."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from telegram import Chat, Message
from telegram.ext import ExtBot

from botyard.telegram.unread import unread

_FIELDS: dict[str, Any] = {"date": datetime(2026, 1, 1, tzinfo=UTC), "chat": Chat(5, "private"), "text": "hello"}
BOT: Any = ExtBot("1:invented")


@pytest.fixture
def made() -> list[Message]:
    """What was made, in order."""
    return []


@pytest.fixture
def message(made: list[Message]) -> Message:
    def fill(empty: Message) -> None:
        made.append(empty)
        Message.__init__(empty, message_id=-7, **_FIELDS)
        empty.set_bot(BOT)

    return unread(fill)


@pytest.fixture
def whole() -> Message:
    finished = Message(message_id=-7, **_FIELDS)
    finished.set_bot(BOT)
    return finished


def test_nobody_looks_and_nothing_is_made(message: Message, made: list[Message]) -> None:
    assert isinstance(message, Message)
    kept = [message]
    assert kept
    assert made == []


LOOKS: list[Callable[[Message], Any]] = [
    lambda one: one.message_id, lambda one: one.text, lambda one: one.photo, lambda one: one.to_dict(), hash, repr,
    lambda one: one.link, lambda one: one.effective_attachment, lambda one: one.get_bot() is BOT,
    lambda one: copy.deepcopy(one).to_json(), lambda one: pickle.loads(pickle.dumps(one)).text,  # noqa: S301 - our own
    lambda one: copy.copy(one).text, lambda one: one.api_kwargs, lambda one: hasattr(one, "nonsense"),
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_whatever_is_asked_is_answered_as_by_a_message(
    message: Message, whole: Message, made: list[Message], look: Callable[[Message], Any]
) -> None:
    assert look(message) == look(whole)
    assert (len(made), type(message)) == (1, Message)
    assert look(message) == look(whole), "a second look"
    assert len(made) == 1


def test_it_is_what_it_stands_for_from_either_side(message: Message, whole: Message) -> None:
    assert whole == message
    assert message == whole
    assert {whole, message} == {message}


def test_it_cannot_be_changed_before_or_after(message: Message) -> None:
    for _ in range(2):
        with pytest.raises(AttributeError, match="can't be set"):
            message.text = "other"
        assert message.text == "hello"
