"""Pinning: pinChatMessage, unpinChatMessage, unpinAllChatMessages."""

from botyard.simulator.audience import is_service, post_service
from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Chat, Message

NOT_ALLOWED = "not enough rights to manage pinned messages in the chat"


@method("pinChatMessage")
def pin_chat_message(call: Call) -> bool:
    """Pin a message, which leaves a service message."""
    chat = _chat(call)
    message = _message(call, chat, "pin")
    if is_service(message):
        raise bad_request("service messages can't be pinned")
    pin(call, chat, message)
    return True


@method("unpinChatMessage")
def unpin_chat_message(call: Call) -> bool:
    """Unpin a message, or the one that was pinned last."""
    chat = _chat(call)
    if call.params.has("message_id"):
        message_id = _message(call, chat, "unpin").message_id
    else:
        message_id = next((one for one in reversed(chat.pinned) if one in chat.messages), 0)
        if not message_id:
            raise bad_request("message to unpin not found")
    if message_id not in chat.pinned:
        raise bad_request("CHAT_NOT_MODIFIED")
    chat.pinned.remove(message_id)
    call.world.touch(chat)
    return True


@method("unpinAllChatMessages")
def unpin_all_chat_messages(call: Call) -> bool:
    """Unpin all messages of a chat."""
    chat = _chat(call)
    chat.pinned.clear()
    call.world.touch(chat)
    return True


def pin(call: Call, chat: Chat, message: Message) -> None:
    """Put a message on top of the pinned ones; pinned twice it moves there, without a second notice."""
    known = message.message_id in chat.pinned
    if known:
        chat.pinned.remove(message.message_id)
    chat.pinned.append(message.message_id)
    if not known:
        shown = call.world.show(chat, message, nested=True, viewer=call.bot.id)
        post_service(call.world, chat, call.bot.id, {"pinned_message": shown})
    call.world.touch(chat)


def _chat(call: Call) -> Chat:
    chat = call.chat()
    if not chat.bot_id:
        call.require(chat, "can_edit_messages" if chat.type == "channel" else "can_pin_messages", NOT_ALLOWED)
    return chat


def _message(call: Call, chat: Chat, verb: str) -> Message:
    message = chat.messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request(f"message to {verb} not found")
    return message
