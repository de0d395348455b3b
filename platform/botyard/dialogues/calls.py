"""Calls of the Bot API, without what differs between two runs: how they came, ids, moments, names of uploads."""

import json
from typing import Any

Json = dict[str, Any]

UNSEEN = frozenset({"setwebhook", "deletewebhook", "close", "logout", "sendchataction", "sendmessagedraft"})
"""Methods, beside all that get something, which leave nothing to be seen."""
TEXTS = frozenset({"text", "caption", "question", "title", "description", "explanation", "payload", "emoji", "quote"})
"""Parameters that are words and never JSON."""
FILES = ("photo", "audio", "document", "video", "animation", "voice", "video_note", "sticker", "media", "thumbnail")
TOLD = frozenset(
    {
        "chat_id",
        "message_id",
        "inline_message_id",
        "message_ids",
        "from_chat_id",
        "text",
        "caption",
        "parse_mode",
        "entities",
        "caption_entities",
        "reply_markup",
        "reply_parameters",
        "reply_to_message_id",
        "allow_sending_without_reply",
        "callback_query_id",
        "inline_query_id",
        "pre_checkout_query_id",
        "shipping_query_id",
        "results",
        "until_date",
        "expire_date",
        "close_date",
        "provider_token",
        "secret_token",
        *FILES,
    }
)
"""Parameters that are told in another way, or that are ids and moments."""


def kind_of(method: str) -> str:
    """Return what kind of act a method is; nothing for what leaves nothing to be seen."""
    name = method.lower()
    if name in UNSEEN or name.startswith("get"):
        return ""
    if name.startswith(("send", "forward", "copy")):
        return "message"
    if name.startswith("editmessage") or name in {"stoppoll", "stopmessagelivelocation"}:
        return "edit"
    starts = {"deletemessage": "delete", "answer": "answer", "pin": "pin", "unpin": "pin"}
    found = next((kind for start, kind in starts.items() if name.startswith(start)), "call")
    return "reaction" if name == "setmessagereaction" else found


def what_of(method: str) -> str:
    """Return what a method sends, in Telegram's name: ``text``, ``photo``, ``media_group``, ``poll``."""
    name = method
    for start in ("send", "editMessage", "stopMessage", "stop"):
        name = name.removeprefix(start)
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")
    return {"message": "text", "reply_markup": "buttons"}.get(snake, snake)


def decoded(params: Json) -> Json:
    """Return the parameters of a call with the types they stand for, without uploads and what is absent."""
    read = {name: _read(name, value) for name, value in params.items()}
    return {name: value for name, value in read.items() if value is not None and not _is_upload(value)}


def details(params: Json) -> Json:
    """Return the parameters that are told as they are."""
    return {name: _plain(value) for name, value in params.items() if name not in TOLD}


def keyboard(markup: Any) -> Json:
    """Return a keyboard as people see it: what stands on its buttons, and where they lead."""
    if not isinstance(markup, dict):
        return {}
    if "inline_keyboard" in markup:
        return {"buttons": [[_button(button) for button in row] for row in markup["inline_keyboard"]]}
    if "keyboard" in markup:
        rows = [[one if isinstance(one, str) else one["text"] for one in row] for row in markup["keyboard"]]
        how = {name: value for name, value in markup.items() if name != "keyboard" and value}
        return {"keyboard": rows} | ({"keyboard_is": how} if how else {})
    return {"keyboard": "removed"} if "remove_keyboard" in markup else {"asks_for_reply": True}


def results(given: Any) -> list[Json]:
    """Return the results of an inline query as people see them."""
    shown = []
    for result in given if isinstance(given, list) else []:
        kept = {name: value for name, value in result.items() if name in {"type", "title", "description", "caption"}}
        content = result.get("input_message_content") or {}
        text = {name: content[name] for name in ("message_text", "parse_mode") if content.get(name)}
        shown.append(kept | text | keyboard(result.get("reply_markup")))
    return shown


def _button(button: Json) -> Json:
    """Return a button. Its ``callback_data`` is the bot's own affair: nobody sees it."""
    kept = {name: value for name, value in button.items() if name != "callback_data"}
    return {name: _plain(value) for name, value in kept.items()}


def _read(name: str, value: Any) -> Any:
    if not isinstance(value, str) or name in TEXTS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _plain(value: Any) -> Any:
    """Return a value without what is absent in it: some clients say so, others leave it out."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner not in (None, [], False)}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _is_upload(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"file_name", "mime_type", "bytes"}
