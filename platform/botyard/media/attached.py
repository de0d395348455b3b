"""Files among a call's parameters, as an outbox row keeps them: by the names of their content. See docs/delivery.md.

A row's parameters are those of the call, with ``attach://…`` where the Bot API wants it, and beside them the key
``@files``: what to put into which field of the form. No method has such a parameter, and a bot may give none.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

FILES: Final = "@files"
_ATTACH: Final = "attach://"
_REUSABLE: Final = frozenset({
    "photo", "audio", "document", "video", "animation", "voice", "video_note", "sticker", "live_photo",
})  # fmt: skip
# What Telegram keeps with a file when it is uploaded, and does not take anew with its id.
_KEPT_WITH_IT: Final = (
    "thumbnail", "duration", "width", "height", "length", "performer", "title", "supports_streaming",
    "disable_content_type_detection",
)  # fmt: skip
# Where the name of the file is not shown.
_NAMELESS: Final = frozenset({"photo", "voice", "video_note", "sticker"})


@dataclass(frozen=True, slots=True)
class Attached:
    """A file to be uploaded with a call.

    Args:
        field: of the form: a parameter's name, or what ``attach://`` names.
        content: the SHA-256 of its content.
        name: the file's name.
        type: its media type.
        size: its bytes.
        kind: what it is sent as, and with what Telegram keeps of it; empty: it cannot be sent by an id.
        what: ``photo``, ``document`` and so on: where the answer tells its id.
        item: which message of the answer it is in.
    """

    field: str
    content: str
    name: str
    type: str
    size: int
    kind: str
    what: str
    item: int


@dataclass(slots=True)
class _Place:
    holder: dict[str, Any]
    key: str
    what: str
    item: int


def attached(params: Mapping[str, Any]) -> list[Attached]:
    """The files of a row's parameters."""
    files: Mapping[str, Mapping[str, Any]] = params.get(FILES) or {}
    found = []
    for field, told in files.items():
        place = _place(dict(params), field)
        kind = _kind(place, told, files) if place else ""
        what, item = (place.what, place.item) if place else ("", 0)
        found.append(
            Attached(field, told["sha256"], told["name"], told["type"], told["size"], kind, what, item)
        )  # fmt: skip
    return found


def with_ids(params: Mapping[str, Any], ids: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """The parameters for the Bot API, and the fields that are still to be uploaded.

    Args:
        params: of a row.
        ids: Telegram's ids of files that it has, by field.
    """
    made = copy.deepcopy({name: value for name, value in params.items() if name != FILES})
    left = set(params.get(FILES) or ()) - set(ids)
    for field, file_id in ids.items():
        place = _place(made, field)
        if place is not None:
            place.holder[place.key] = file_id
            # It goes with an upload only.
            left.discard(_named(place.holder.pop("thumbnail", None)))
    return made, left


def file_id_of(answer: Any, one: Attached) -> str | None:
    """The id by which the answer of a call names a file, if it does."""
    messages = answer if isinstance(answer, list) else [answer]
    message = messages[one.item] if one.item < len(messages) else None
    found = message.get(one.what) if isinstance(message, dict) else None
    if isinstance(found, list):
        # The sizes of a photo; the last one is the largest.
        found = found[-1] if found else None
    file_id = found.get("file_id") if isinstance(found, dict) else None
    return file_id if isinstance(file_id, str) and file_id else None


def _place(params: dict[str, Any], field: str) -> _Place | None:
    """Where a file stands, if it is one that Telegram gives an id for."""
    if field in _REUSABLE and field not in params:
        return _Place(params, field, field, 0)
    for key, value in params.items():
        if key in _REUSABLE and _named(value) == field:
            return _Place(params, key, key, 0)
    media = params.get("media")
    for number, item in enumerate(media if isinstance(media, list) else [media]):
        if isinstance(item, dict) and _named(item.get("media")) == field and item.get("type") in _REUSABLE:
            return _Place(item, "media", item["type"], number)
    return None


def _kind(place: _Place, told: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> str:
    kept: dict[str, Any] = {name: place.holder[name] for name in _KEPT_WITH_IT if name in place.holder}
    if thumbnail := files.get(_named(kept.get("thumbnail"))):
        kept["thumbnail"] = thumbnail["sha256"]
    if place.what not in _NAMELESS:
        kept["name"] = told["name"]
    if not kept:
        return place.what
    return f"{place.what} {sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]}"


def _named(value: Any) -> str:
    """What an ``attach://…`` names; empty for anything else."""
    return value.removeprefix(_ATTACH) if isinstance(value, str) and value.startswith(_ATTACH) else ""
