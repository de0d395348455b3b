"""Telegram's objects are the same without the library's guard of their attributes."""

import inspect
import json
import subprocess
import sys
import textwrap

from telegram import TelegramObject

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
from telegram import Update, User
from botyard.telegram.objects import leave_unguarded
from tests.factories import message
if sys.argv[1] == "unguarded":
    leave_unguarded()
    leave_unguarded()
body = message(1, "hello") | {"unknown": [1]}
body["message"]["reply_to_message"] = message(2, "/start")["message"]
body["message"]["entities"] = [{"type": "text_mention", "offset": 0, "length": 5, "user": body["message"]["from"]}]
update = Update.de_json(body, None)
copies = [copy.deepcopy(update), pickle.loads(pickle.dumps(update))]
assert all(one == update and hash(one) == hash(update) for one in copies)
print(json.dumps([repr(update), update.to_dict(), dict(update.api_kwargs), update.message.entities[0].user._frozen]))
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
    assert (guarded[1], unguarded[1]) == ("guarded", "")


def test_setting_an_attribute_does_nothing_else_in_the_library_that_would_be_left_out() -> None:
    assert textwrap.indent(GUARD, "    ") in inspect.getsource(TelegramObject)
