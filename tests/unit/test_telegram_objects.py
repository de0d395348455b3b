"""Telegram's objects are the same, however quickly they are read."""

import inspect
import json
import re
import subprocess
import sys
import textwrap
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from telegram import Message, TelegramObject
from telegram.ext import Defaults, ExtBot

from botyard.telegram import objects
from botyard.telegram.objects import PLAIN, read_whole

GUARD = '''
def __setattr__(self, key: str, value: object) -> None:
    """Overrides :meth:`object.__setattr__` to prevent the overriding of attributes.

    Raises:
        :exc:`AttributeError`
    """
    # protected attributes can always be set for convenient internal use
    if key[0] == "_" or not self._frozen:
        super().__setattr__(key, value)
        return

    raise AttributeError(
        f"Attribute `{key}` of class `{self.__class__.__name__}` can't be set!"
    )
'''

MADE = """
import copy, json, pickle, sys
from telegram import Message, Update, User
from botyard.telegram import objects
from botyard.telegram.objects import read_quickly
from tests.factories import message
if sys.argv[1] == "unguarded":
    read_quickly()
    read_quickly()
body = message(1, "hello") | {"unknown": [1]}
body["message"]["reply_to_message"] = message(2, "/start")["message"]
body["message"]["entities"] = [{"type": "text_mention", "offset": 0, "length": 5, "user": body["message"]["from"]}]
update = Update.de_json(body, None)
copies = [copy.deepcopy(update), pickle.loads(pickle.dumps(update))]
assert all(one == update and hash(one) == hash(update) for one in copies)
print(json.dumps([repr(update), update.to_dict(), dict(update.api_kwargs), update.message.entities[0].user._frozen]))
print("quick" if Message.de_json.__func__ is objects._read else "whole", file=sys.stderr)
try:
    update.message.text = "another"
except AttributeError:
    print("guarded", file=sys.stderr)
"""


def made(how: str) -> tuple[object, str]:
    told = subprocess.run([sys.executable, "-c", MADE, how], capture_output=True, text=True, check=True)
    return json.loads(told.stdout), told.stderr.strip()


def test_objects_are_the_same_with_the_guard_and_without() -> None:
    guarded, unguarded = made("guarded"), made("unguarded")
    assert guarded[0] == unguarded[0]
    assert (guarded[1], unguarded[1]) == ("whole\nguarded", "quick")


def test_setting_an_attribute_does_nothing_else_in_the_library_that_would_be_left_out() -> None:
    assert textwrap.indent(GUARD, "    ") in inspect.getsource(TelegramObject)


USER = {"id": 7, "is_bot": False, "first_name": "Ann", "language_code": "en", "is_premium": True}
CHAT = {"id": 7, "type": "private", "first_name": "Ann"}
BARE: dict[str, Any] = {"message_id": 1, "date": 1_795_000_000, "chat": CHAT}
ENTITIES = [
    {"type": "bot_command", "offset": 0, "length": 6},
    {"type": "text_mention", "offset": 7, "length": 3, "user": USER},
]
BOTS: list[Any] = [
    None,
    ExtBot("1:invented"),
    ExtBot("1:invented", defaults=Defaults(tzinfo=ZoneInfo("Asia/Kolkata"))),
]


def everything(made: Any) -> Any:
    """All that an object holds, and the objects in it."""
    if isinstance(made, tuple | list):
        return [everything(one) for one in made]
    if not isinstance(made, TelegramObject):
        return made
    slots = {name for one in type(made).__mro__ for name in getattr(one, "__slots__", ())}
    return type(made), {name: everything(getattr(made, name, "nothing")) for name in slots - {"_bot"}}, made._bot


@pytest.mark.parametrize("bot", BOTS, ids=["no bot", "bot", "zone"])
@pytest.mark.parametrize(
    "more",
    [
        {}, {"text": "hello"}, {"text": "/order for Ann", "from": USER, "entities": ENTITIES},
        {"from": USER, "text": "hello", "entities": []}, {"from": None, "text": ""},
        {"text": "hello", "from": USER, "message_thread_id": 3, "is_topic_message": True},
        {"from": {**USER, "unknown": [1]}, "text": "hello"}, {"date": 0, "text": "hello"},
    ],
)  # fmt: skip
def test_a_message_of_text_alone_is_the_one_that_the_library_makes(more: dict[str, Any], bot: Any) -> None:
    data = BARE | more
    before = json.dumps(data)
    quick, whole = objects._read(Message, data, bot), read_whole(Message, data, bot)
    assert data.keys() <= PLAIN
    assert everything(quick) == everything(whole)
    assert (quick, repr(quick), quick.to_dict(), hash(quick)) == (whole, repr(whole), whole.to_dict(), hash(whole))
    assert json.dumps(data) == before, "what was given stays as it is"


def test_any_other_message_is_read_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(objects, "read_whole", lambda cls, data, bot: asked.append((cls, data, bot)))

    class Own(Message):
        """What somebody else has made of it."""

        __slots__ = ()

    reply = BARE | {"text": "yes", "reply_to_message": BARE}
    objects._read(Message, reply, None)
    objects._read(Own, BARE, None)
    assert asked == [(Message, reply, None), (Own, BARE, None)]


def test_the_library_makes_objects_of_nothing_else_that_such_a_message_has() -> None:
    """Which fields become objects stands in its own methods; another version of it may make more of them."""
    special = set(re.findall(r'data\["(\w+)"\]', inspect.getsource(read_whole)))
    assert len(special) > 70
    assert PLAIN & special == {"entities"}
    assert "from_user" in special
    above = inspect.getsource(super(Message, Message)._de_json)
    assert set(re.findall(r'data\["(\w+)"\]', above)) == {"date", "chat"}
