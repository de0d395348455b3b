"""Sending texts, and showing what the bot is doing."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.sending import deliver
from botyard.simulator.methods.texts import read_text
from botyard.simulator.model import Json
from botyard.simulator.params import Params

ACTION_SECONDS = 5.0
ACTIONS = {
    "typing": "typing",
    "upload_photo": "upload_photo",
    "record_video": "record_video",
    "upload_video": "upload_video",
    "record_voice": "record_voice",
    "record_audio": "record_voice",
    "upload_voice": "upload_voice",
    "upload_audio": "upload_voice",
    "upload_document": "upload_document",
    "choose_sticker": "choose_sticker",
    "find_location": "find_location",
    "pick_up_location": "find_location",
    "record_video_note": "record_video_note",
    "upload_video_note": "upload_video_note",
    "cancel": "",
}
"""What is shown for an action; some have two names."""


@method("sendMessage")
def send_message(call: Call) -> Json:
    """Send a text and return it as a ``Message``."""
    content = read_text(call.params)
    content.update(read_preview(call.params))
    return deliver(call, content)


@method("sendChatAction")
def send_chat_action(call: Call) -> bool:
    """Show for 5 s, or until the next message, what the bot is doing."""
    action = ACTIONS.get(call.params.text("action").lower())
    if action is None:
        raise bad_request("wrong parameter action in request")
    chat = call.writable_chat()
    chat.action = action
    chat.action_ends = call.world.now() + ACTION_SECONDS
    call.world.touch(chat)
    return True


def read_preview(params: Params) -> Json:
    """Return ``link_preview_options`` as a field of a message; nothing when none are given."""
    if params.has("link_preview_options"):
        options = params.dictionary("link_preview_options")
        return {"link_preview_options": options} if options else {}
    if params.values.get("disable_web_page_preview") and params.flag("disable_web_page_preview"):
        return {"link_preview_options": {"is_disabled": True}}
    return {}
