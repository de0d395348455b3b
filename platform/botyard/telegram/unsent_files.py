"""Files of messages that are not sent yet, as handlers know them. See docs/bring-your-bot.md.

A message that was noted has the file that was sent with it. One that Telegram has is there by its id; one that is still
to be uploaded by a stand-in, which tells where its content is kept: whatever is sent by the stand-in later is sent with
that content, or by Telegram's id once that is known.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from botyard.media.attached import FILES, attached

_PREFIX: Final = "unsent:"
# What the Bot API says of each, as far as python-telegram-bot cannot do without it.
_TOLD: Final[dict[str, dict[str, Any]]] = {
    "photo": {"width": 0, "height": 0},
    "audio": {"duration": 0},
    "document": {},
    "video": {"width": 0, "height": 0, "duration": 0},
    "animation": {"width": 0, "height": 0, "duration": 0},
    "voice": {"duration": 0},
    "video_note": {"length": 0, "duration": 0},
    "sticker": {"type": "regular", "width": 0, "height": 0, "is_animated": False, "is_video": False},
}


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a stand-in tells.

    Args:
        told: of the content, as a row's ``@files`` have it.
        kind: what it was sent as, as `botyard.media.known` has it.
    """

    told: dict[str, Any]
    kind: str


def stand_in_of(value: Any) -> StandIn | None:
    """What is told by a stand-in; nothing if it is none."""
    if not isinstance(value, str) or not value.startswith(_PREFIX):
        return None
    try:
        kind, told = orjson.loads(urlsafe_b64decode(value.removeprefix(_PREFIX) + "=="))
    except ValueError:
        return None
    return StandIn(told, kind)


def files_in(params: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    """The files with which noted messages are shown, in their order: the Bot API's objects; empty for one by URL.

    Args:
        params: of the call, as its row has them.
        what: the parameter of a single file; of an album each item says its own.
    """
    stand_ins = {one.item: _written(params, one.field, one.kind) for one in attached(params) if one.what}
    media = params.get("media")
    if not isinstance(media, list):
        return [_shown(what, stand_ins.get(0) or params.get(what))]
    return [_shown(item["type"], stand_ins.get(place) or item.get("media")) for place, item in enumerate(media)]


def attach(params: dict[str, Any]) -> None:
    """Put the content of stand-ins among the files of a call that is noted."""
    files: dict[str, Any] = dict(params.get(FILES) or {})
    for key in _TOLD.keys() & params.keys():
        if (found := stand_in_of(params[key])) is not None:
            files[key] = found.told
            del params[key]
    media = params.get("media")
    for place, item in enumerate(media if isinstance(media, list) else [media]):
        if isinstance(item, dict) and (found := stand_in_of(item.get("media"))) is not None:
            item["media"] = f"attach://unsent{place}"
            files[f"unsent{place}"] = found.told
    if files:
        params[FILES] = files


def _written(params: Mapping[str, Any], field: str, kind: str) -> str:
    return _PREFIX + urlsafe_b64encode(orjson.dumps([kind, params[FILES][field]])).decode().rstrip("=")


def _shown(what: str, file_id: Any) -> dict[str, Any]:
    if what not in _TOLD or not isinstance(file_id, str) or "://" in file_id:
        return {}
    file = {"file_id": file_id, "file_unique_id": file_id, **_TOLD[what]}
    return {what: [file] if what == "photo" else file}
