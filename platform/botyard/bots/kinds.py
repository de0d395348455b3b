"""What a kind of bot needs of Telegram, found by building it. Loads the bot's code."""

from dataclasses import replace
from itertools import chain

from telegram import Update

from botyard.bots.configuration.giving import given_to
from botyard.errors import InputError
from botyard.telegram.kind_shapes import Given, SettingsMisfit, Unopened
from botyard.telegram.loading import find_shape, look_at
from botyard.telegram.update_kinds import update_kinds


def wanted_updates(kind: str, bot_id: int | None = None) -> list[str]:
    """The ``allowed_updates`` of a kind: what its handlers can take, and what is always wanted.

    A kind that cannot be built with these settings yet, or without its secrets, may want anything.

    Args:
        kind: an installed one, ``package.module:function``, or the path of a script.
        bot_id: the row of the bot whose settings and features it is given; none: it finds its defaults.

    Raises:
        InputError: there is no such kind, or its code raises or ends the program, and not for want of a secret; the
            place in the code is named.
    """
    # Its secrets stay sealed where nobody uses them.
    given = Given() if bot_id is None else replace(given_to(bot_id), secrets=Unopened)
    try:
        application = look_at(kind, given).application
    except InputError as error:
        if not isinstance(error, SettingsMisfit) and "secrets" not in find_shape(kind).wants:
            raise
        return sorted(map(str, Update.ALL_TYPES))
    if application.post_init is not None:
        # It may add handlers, and is not run where a bot is only looked at.
        return sorted(map(str, Update.ALL_TYPES))
    handlers = chain.from_iterable(application.handlers.values())
    # Who blocks a bot, or sends it away, is not written to any more: see botyard.chats.reach.
    return sorted({*update_kinds(handlers), "my_chat_member"})
