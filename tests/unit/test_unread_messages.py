"""A message that is made when somebody looks at it: nobody sees that it was not there before."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from telegram import Chat, Message
from telegram.ext import ExtBot

from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.telegram.objects import read_quickly
from botyard.telegram.unread import unread

_FIELDS: dict[str, Any] = {"date": datetime(2026, 1, 1, tzinfo=UTC), "chat": Chat(5, "private"), "text": "hello"}
BOT: Any = ExtBot("1:invented")


def whole_message() -> Message:
    message = Message(message_id=-7, **_FIELDS)
    message.set_bot(BOT)
    return message


@pytest.fixture
def made() -> list[Message]:
    """What was made, in order."""
    return []


@pytest.fixture
def message(made: list[Message]) -> Message:
    def make() -> Message:
        made.append(whole_message())
        return made[-1]

    return unread(make)


@pytest.fixture
def whole() -> Message:
    return whole_message()


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


def test_what_is_set_before_the_first_look_stays(message: Message, whole: Message) -> None:
    read_quickly()
    message.text = "other"
    assert (message.chat, message.text) == (whole.chat, "other")
    message.text = "another"
    assert message.text == "another"


def test_it_is_kept_like_a_message(message: Message, whole: Message) -> None:
    kept, expected = (Codec().dump(Memory({"last": one}), "user_data") for one in (message, whole))
    assert kept == expected


def test_a_look_that_fails_can_be_repeated(whole: Message) -> None:
    tries = iter([False, True])

    def make() -> Message:
        if next(tries):
            return whole
        raise ValueError("not now")

    message = unread(make)
    with pytest.raises(ValueError, match="not now"):
        _ = message.text
    assert message.text == "hello"


def test_threads_that_look_at_once_see_one_message(made: list[Message], message: Message) -> None:
    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(lambda _: (message.text, message.message_id), range(64)))
    assert set(seen) == {("hello", -7)}
    assert len(made) == 1
