"""The parameters of every Bot API method, read from a description of the API, and what of a call does not fit them.

``botapi.json`` holds names, types and required marks alone; see its ``source`` and ``version``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.forms import Upload
from botyard.simulator.params import BOOLEANS, INTEGER, required, wrong_type

_OLDER: Final = dict.fromkeys(
    ("reply_to_message_id", "allow_sending_without_reply", "disable_web_page_preview", "thumb")
)
"""Parameters that are no longer described and still work."""

_MISSING: Final = {
    "chat_id": "chat_id is empty",
    "from_chat_id": "from_chat_id is empty",
    "user_id": "invalid user_id specified",
    "message_id": "message identifier is not specified",
    "text": "message text is empty",
}
"""Telegram's words for what is missing, where it has words of its own."""
_MEDIA: Final = frozenset(
    {"photo", "document", "audio", "video", "animation", "voice", "video_note", "sticker", "media"}
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its type in the words of the API's description, and whether a call needs it."""

    name: str
    type: str
    required: bool


@cache
def _description() -> dict[str, Any]:
    return dict(orjson.loads(Path(__file__).with_name("botapi.json").read_bytes()))


@cache
def methods() -> dict[str, dict[str, Parameter]]:
    """Return the parameters of all methods, by the method's name in lower case: Telegram reads names so."""
    return {
        name.lower(): {key: Parameter(key, entry[0], len(entry) > 1) for key, entry in parameters.items()}
        for name, parameters in _description()["methods"].items()
    }


@cache
def _required(method: str) -> tuple[str, ...]:
    return tuple(name for name, parameter in methods()[method].items() if parameter.required)


@cache
def names() -> dict[str, str]:
    """Return how a method is written, by its name in lower case."""
    return {name.lower(): name for name in _description()["methods"]}


def types() -> dict[str, dict[str, list[Any]]]:
    """Return the fields of all types: a list with the type's words, and a second entry where it is always there."""
    return dict(_description()["types"])


def version() -> str:
    """Return the version of the Bot API that is described."""
    return str(_description()["version"])


def check(method: str, values: Mapping[str, Any]) -> list[str]:
    """Hold the parameters of a call against the description.

    Telegram ignores what it does not know, so unknown names are no refusal; they are told, because they are mostly
    misspelt.

    Args:
        method: a described method's name, in any case.
        values: the parameters, as JSON or as the texts of a form.

    Returns:
        The names that the method does not have.

    Raises:
        ApiError: a required parameter is missing, or one has the wrong type.
    """
    known = methods()[method.lower()]
    for name in _required(method.lower()):
        if name not in values:
            raise _missing(name)
    unknown: set[str] = set()
    # A call gives few of the many parameters, and most calls of a load run come through here.
    for name, value in values.items():
        parameter = known.get(name)
        if parameter is None:
            if name not in _OLDER:
                unknown.add(name)
        elif value is not None:
            _check_type(parameter, value)
    if unknown:
        unknown -= {text[len("attach://") :] for text in _texts(values) if text.startswith("attach://")}
    return sorted(unknown)


def _check_type(parameter: Parameter, value: object) -> None:
    wanted, fits = _expected(parameter.type)
    if not fits(value):
        raise wrong_type(parameter.name, wanted)


def _missing(name: str) -> ApiError:
    if name in _MEDIA:
        return bad_request(f"there is no {name.replace('_', ' ')} in the request")
    words = _MISSING.get(name)
    return bad_request(words) if words else required(name)


def _texts(value: object) -> list[str]:
    """Return all texts in a value, however deep; texts that hold JSON are looked into as well."""
    if isinstance(value, str):
        return [value, *_texts(_parsed(value))] if value[:1] in {"{", "["} else [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []


def _parsed(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _is_integer(value: object) -> bool:
    if isinstance(value, str):
        return INTEGER.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool) or str(value).lower() in BOOLEANS


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer_or_text(value: object) -> bool:
    return isinstance(value, str) or _is_integer(value)


def _is_file(value: object) -> bool:
    return isinstance(value, str | Upload)


def _is_list(value: object) -> bool:
    return isinstance(value, list | str)


def _is_object(value: object) -> bool:
    # Texts of a form hold JSON: whoever reads them refuses in words of its own.
    return isinstance(value, dict | str)


_SCALARS: Final[dict[str, tuple[str, Callable[[object], bool]]]] = {
    "Integer": ("an integer", _is_integer),
    "Float": ("a number", _is_number),
    "Boolean": ("a boolean", _is_boolean),
    "String": ("a string", _is_text),
    "Integer or String": ("an integer or a string", _is_integer_or_text),
    "InputFile": ("a file", _is_file),
    "InputFile or String": ("a file or a string", _is_file),
}


def _expected(words: str) -> tuple[str, Callable[[object], bool]]:
    if words in _SCALARS:
        return _SCALARS[words]
    return ("an array", _is_list) if words.startswith("Array of ") else ("an object", _is_object)
