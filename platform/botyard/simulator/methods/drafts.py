"""Drafts: what a bot is about to say, shown while it is being made."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.messages import ACTION_SECONDS
from botyard.simulator.methods.texts import read_text


@method("sendMessageDraft")
def send_message_draft(call: Call) -> bool:
    """Check a text that is still growing; the person sees that the bot is typing, and not the text."""
    if not call.params.integer("draft_id"):
        raise bad_request("RANDOM_ID_INVALID")
    if call.params.text("text"):
        read_text(call.params)
    chat = call.writable_chat()
    if not chat.bot_id:
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    chat.action, chat.action_ends = "typing", call.world.now() + ACTION_SECONDS
    call.world.touch(chat)
    return True
