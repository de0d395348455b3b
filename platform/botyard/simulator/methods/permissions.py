"""Reading ``permissions``: what members of a group may do.

As in tdlib/telegram-bot-api, Client.cpp, ``get_chat_permissions``: some permissions imply others, unless
``use_independent_chat_permissions`` is set.
"""

from botyard.simulator.errors import bad_request
from botyard.simulator.params import Params
from botyard.simulator.standing import PERMISSIONS

MEDIA = tuple(f"can_send_{kind}" for kind in ("audios", "documents", "photos", "videos", "video_notes", "voice_notes"))
FOLLOWS = {
    "can_manage_topics": "can_pin_messages",
    "can_edit_tag": "can_pin_messages",
    "can_react_to_messages": "can_send_messages",
}
"""Permissions that are like another when they are not named."""


def read_permissions(params: Params) -> dict[str, bool]:
    """Return all permissions, by their flag.

    Raises:
        ApiError: it is no object, or a flag is no boolean.
    """
    given = params.dictionary("permissions")
    if given is None:
        raise bad_request("object expected as permissions")
    flags = {name: _flag(given, name) for name in (*PERMISSIONS, "can_send_media_messages")}
    result = {name: bool(flags[name]) for name in PERMISSIONS}
    if all(flags[name] is None for name in MEDIA):
        # Before there was a permission for each kind of media, there was one for all.
        result.update(dict.fromkeys(MEDIA, bool(flags["can_send_media_messages"])))
    for name, like in FOLLOWS.items():
        if flags[name] is None:
            result[name] = result[like]
    if not params.flag("use_independent_chat_permissions"):
        _imply(result, media=bool(flags["can_send_media_messages"]))
    return result


def _imply(result: dict[str, bool], *, media: bool) -> None:
    if result["can_send_other_messages"] or result["can_add_web_page_previews"]:
        result.update(dict.fromkeys((*MEDIA, "can_send_messages"), True))
    if result["can_send_polls"] or media:
        result["can_send_messages"] = True


def _flag(given: dict[str, object], name: str) -> bool | None:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f'can\'t parse chat permissions: Field "{name}" must be of type Boolean')
    return value
