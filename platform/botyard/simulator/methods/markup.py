"""Checking ``reply_markup``: inline keyboards, reply keyboards, their removal, forced replies."""

from typing import Any

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.model import Json
from botyard.simulator.params import Params

DATA_LIMIT = 64
"""Bytes of ``callback_data``."""
INLINE_ACTIONS = (
    "callback_data",
    "url",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)
MOST_BUTTONS = 100
URL_SCHEMES = ("http://", "https://", "tg://", "tel:")


def read_markup(params: Params) -> Json | None:
    """Return ``reply_markup`` of a new message, checked."""
    markup = params.dictionary("reply_markup")
    if not markup:
        return None
    if "inline_keyboard" in markup:
        return _inline(markup)
    if "keyboard" in markup:
        return markup | {"keyboard": [[_plain_button(button) for button in row] for row in _rows(markup, "keyboard")]}
    if markup.get("remove_keyboard") is True or markup.get("force_reply") is True:
        return markup
    raise bad_request("object expected as reply markup")


def read_inline_markup(params: Params) -> Json | None:
    """Return ``reply_markup`` of an edit, which may only be an inline keyboard."""
    markup = params.dictionary("reply_markup")
    if not markup:
        return None
    if "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    return _inline(markup)


def _inline(markup: Json) -> Json | None:
    rows = [[_inline_button(button) for button in row] for row in _rows(markup, "inline_keyboard")]
    rows = [row for row in rows if row]
    if sum(len(row) for row in rows) > MOST_BUTTONS:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": rows} if rows else None


def _rows(markup: Json, name: str) -> list[list[Any]]:
    rows = markup[name]
    if not isinstance(rows, list):
        raise bad_request(f'field "{name}" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad_request(f'field "{name}" must be an Array of Arrays')
    return rows


def _inline_button(button: Any) -> Json:
    """Check one button: a text, and exactly one thing to do."""
    if not isinstance(button, dict):
        raise _broken("expected an Object")
    text = button.get("text")
    if not isinstance(text, str):
        raise _broken('Can\'t find field "text"' if text is None else 'Field "text" must be of type String')
    actions = [name for name in INLINE_ACTIONS if button.get(name) is not None]
    if not text.strip() or not actions:
        raise _broken("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")
    value = button[actions[0]]
    if actions[0] == "callback_data" and not (isinstance(value, str) and 0 < len(value.encode()) <= DATA_LIMIT):
        raise bad_request("BUTTON_DATA_INVALID")
    if actions[0] == "url" and not (isinstance(value, str) and value.startswith(URL_SCHEMES)):
        raise bad_request(f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")
    return button


def _plain_button(button: Any) -> Json:
    if isinstance(button, str):
        return {"text": button}
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request("can't parse keyboard button: Can't find field \"text\"")
    return button


def _broken(words: str) -> ApiError:
    return bad_request(f"can't parse inline keyboard button: {words}")
