"""What a kind of bot needs of Telegram, found by building it. Loads the bot's code."""

from itertools import chain

from botyard.telegram.application import build, find_kind
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.update_kinds import update_kinds

_NOBODY = {"id": 1, "is_bot": True, "first_name": "nobody", "username": "nobody_bot"}


def wanted_updates(kind: str) -> list[str]:
    """The ``allowed_updates`` of a kind: what its handlers can take, and what is always wanted.

    Args:
        kind: an installed one, or ``package.module:function``.

    Raises:
        InputError: there is no such kind, or its code raises or ends the program; the place in the code is named.
    """
    bot = OutboxBot("1:nobody", "http://127.0.0.1:9/bot", AiohttpRequest(1), _NOBODY)
    application = build(find_kind(kind), bot)
    # Who blocks a bot, or sends it away, is not written to any more: see botyard.chats.reach.
    return sorted({*update_kinds(chain.from_iterable(application.handlers.values())), "my_chat_member"})
