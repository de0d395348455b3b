"""What a kind of bot needs of Telegram, found by building it. Loads the bot's code."""

from itertools import chain

from telegram import Update

from botyard.telegram.loading import look_at
from botyard.telegram.update_kinds import update_kinds


def wanted_updates(kind: str) -> list[str]:
    """The ``allowed_updates`` of a kind: what its handlers can take, and what is always wanted.

    Args:
        kind: an installed one, ``package.module:function``, or the path of a script.

    Raises:
        InputError: there is no such kind, or its code raises or ends the program; the place in the code is named.
    """
    application = look_at(kind).application
    if application.post_init is not None:
        # It may add handlers, and is not run where a bot is only looked at.
        return sorted(map(str, Update.ALL_TYPES))
    handlers = chain.from_iterable(application.handlers.values())
    # Who blocks a bot, or sends it away, is not written to any more: see botyard.chats.reach.
    return sorted({*update_kinds(handlers), "my_chat_member"})
