"""Deleting messages, by the rules of the Bot API (deleteMessage)."""

from botyard.simulator.audience import is_service
from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Chat, Message
from botyard.simulator.standing import leads

DELETABLE_SECONDS = 48 * 3600
DICE_SECONDS = 24 * 3600
"""How long a dice in a private chat must lie."""
MOST_AT_ONCE = 100
CREATED = frozenset(
    {
        "supergroup_chat_created",
        "channel_chat_created",
        "group_chat_created",
        "migrate_from_chat_id",
        "forum_topic_created",
    }
)
"""Service messages that stay."""


@method("deleteMessage")
def delete_message(call: Call) -> bool:
    """Delete a message, for everyone."""
    chat = call.chat()
    message_id = call.params.integer("message_id", 0)
    if not message_id:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to delete not found")
    _check(call, chat, message)
    _delete(call, chat, [message])
    return True


@method("deleteMessages")
def delete_messages(call: Call) -> bool:
    """Delete up to 100 messages, for everyone; those that are not there are passed over."""
    message_ids = read_message_ids(call)
    chat = call.chat()
    found = [chat.messages[message_id] for message_id in message_ids if message_id in chat.messages]
    for message in found:
        _check(call, chat, message)
    _delete(call, chat, found)
    return True


def read_message_ids(call: Call) -> list[int]:
    """Return ``message_ids``: 1 to 100 of them."""
    given = call.params.items("message_ids")
    if not given:
        raise bad_request("message identifiers are not specified")
    if len(given) > MOST_AT_ONCE:
        raise bad_request("too many message identifiers specified")
    message_ids: list[int] = []
    for value in given:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_request("message identifier must be a Number")
        try:
            message_ids.append(int(value))
        except ValueError:
            raise bad_request("can't parse message identifier as a Number") from None
        if message_ids[-1] <= 0:
            raise bad_request("invalid message identifier specified")
    return message_ids


def _check(call: Call, chat: Chat, message: Message) -> None:
    """Refuse what may not be deleted, or not any more."""
    age = call.world.now() - message.date
    own = message.sender_id == call.bot.id
    if is_service(message) and not CREATED.isdisjoint(message.content):
        raise bad_request("message can't be deleted")
    if chat.bot_id:
        allowed = "dice" not in message.content or age > DICE_SECONDS
    elif chat.type == "channel":
        allowed = leads(chat, call.bot.id, "can_delete_messages")
        allowed = allowed or (own and leads(chat, call.bot.id, "can_post_messages"))
    else:
        allowed = own or leads(chat, call.bot.id, "can_delete_messages")
    if not allowed:
        raise bad_request("message can't be deleted")
    if age > DELETABLE_SECONDS:
        raise bad_request("message can't be deleted for everyone")


def _delete(call: Call, chat: Chat, messages: list[Message]) -> None:
    for message in messages:
        chat.messages.pop(message.message_id, None)
        if message.message_id in chat.pinned:
            chat.pinned.remove(message.message_id)
    if messages:
        call.world.touch(chat)
