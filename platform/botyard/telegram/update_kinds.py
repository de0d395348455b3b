"""Which kinds of updates a bot's handlers can take: what Telegram is asked for, and no more.

Sources: https://core.telegram.org/bots/api#setwebhook (``allowed_updates``), and ``check_update`` of the handlers of
python-telegram-bot.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

from telegram import Update
from telegram.ext import (
    BaseHandler,
    BusinessConnectionHandler,
    BusinessMessagesDeletedHandler,
    CallbackQueryHandler,
    ChatBoostHandler,
    ChatJoinRequestHandler,
    ChatMemberHandler,
    ChosenInlineResultHandler,
    CommandHandler,
    ConversationHandler,
    InlineQueryHandler,
    ManagedBotUpdatedHandler,
    MessageHandler,
    MessageReactionHandler,
    PaidMediaPurchasedHandler,
    PollAnswerHandler,
    PollHandler,
    PreCheckoutQueryHandler,
    PrefixHandler,
    ShippingQueryHandler,
    StringCommandHandler,
    StringRegexHandler,
    filters,
)

Handler = BaseHandler[Any, Any, Any]

_ALL: Final = frozenset(str(kind) for kind in Update.ALL_TYPES)
_MESSAGES: Final = frozenset({
    "message", "edited_message", "channel_post", "edited_channel_post", "business_message", "edited_business_message",
    "guest_message",
})  # fmt: skip
_NEW_AND_EDITED: Final = frozenset({"message", "edited_message"})


def _of_command(handler: Any) -> frozenset[str]:
    # python-telegram-bot's own default, and by far the most frequent case; any other filter may ask for more.
    return _NEW_AND_EDITED if handler.filters is filters.UpdateType.MESSAGES else _MESSAGES


def _of_members(handler: Any) -> frozenset[str]:
    return _one_or_both(handler.chat_member_types, {-1: "my_chat_member", 0: "chat_member"})


def _of_reactions(handler: Any) -> frozenset[str]:
    return _one_or_both(handler.message_reaction_types, {-1: "message_reaction", 0: "message_reaction_count"})


def _of_boosts(handler: Any) -> frozenset[str]:
    return _one_or_both(handler.chat_boost_types, {-1: "chat_boost", 0: "removed_chat_boost"})


def _one_or_both(wanted: int, names: dict[int, str]) -> frozenset[str]:
    return frozenset({names[wanted]} if wanted in names else names.values())


def _of_conversation(handler: Any) -> frozenset[str]:
    return _of_all(chain(handler.entry_points, handler.fallbacks, *handler.states.values()))


def _always(*kinds: str) -> Callable[[Any], frozenset[str]]:
    found = frozenset(kinds)
    return lambda _: found


_KINDS: Final[dict[type[Any], Callable[[Any], frozenset[str]]]] = {
    BusinessConnectionHandler: _always("business_connection"),
    BusinessMessagesDeletedHandler: _always("deleted_business_messages"),
    CallbackQueryHandler: _always("callback_query"),
    ChatBoostHandler: _of_boosts,
    ChatJoinRequestHandler: _always("chat_join_request"),
    ChatMemberHandler: _of_members,
    ChosenInlineResultHandler: _always("chosen_inline_result"),
    CommandHandler: _of_command,
    ConversationHandler: _of_conversation,
    InlineQueryHandler: _always("inline_query"),
    ManagedBotUpdatedHandler: _always("managed_bot"),
    MessageHandler: _always(*_MESSAGES),
    MessageReactionHandler: _of_reactions,
    PaidMediaPurchasedHandler: _always("purchased_paid_media"),
    PollAnswerHandler: _always("poll_answer"),
    PollHandler: _always("poll"),
    PreCheckoutQueryHandler: _always("pre_checkout_query"),
    PrefixHandler: _of_command,
    ShippingQueryHandler: _always("shipping_query"),
    StringCommandHandler: _always(),
    StringRegexHandler: _always(),
}


def update_kinds(handlers: Iterable[Handler]) -> list[str]:
    """The kinds of updates that at least one of these handlers can take, in alphabetical order.

    A handler that is not one of python-telegram-bot's own, or whose ``check_update`` was overridden, may take
    anything: then these are all kinds, also those that Telegram sends to nobody who does not ask for them.

    Returns:
        The value for ``allowed_updates``; never empty, because there an empty list means "the default ones".
    """
    return sorted(_of_all(handlers)) or ["message"]


def _of_all(handlers: Iterable[Handler]) -> frozenset[str]:
    return frozenset().union(*map(_of_one, handlers))


def _of_one(handler: Handler) -> frozenset[str]:
    for base in type(handler).__mro__:
        if base in _KINDS:
            asks_as_its_base = type(handler).check_update is base.check_update
            return _KINDS[base](handler) if asks_as_its_base else _ALL
    return _ALL
