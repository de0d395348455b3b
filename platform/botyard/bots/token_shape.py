"""What a bot token looks like, so that a slip of the hand is named before anybody is asked.

Source: https://core.telegram.org/bots/api#authorizing-your-bot
"""

import re
from typing import Final

from botyard.errors import InputError

_TOKEN: Final = re.compile(r"[0-9]+:[A-Za-z0-9_-]+", re.ASCII)
_REMEDY: Final = "It looks like 123456789:AAE…, as BotFather shows it."
_SLIPS: Final = (
    (re.compile(r"\s"), "has a space or a line break in it."),
    (re.compile(r"[\"'`<>]"), "has quotes or brackets around it."),
    (re.compile(r"://|/"), "is an address, not a token."),
    (re.compile(r"bot(?=\d)", re.IGNORECASE), 'begins with "bot", which belongs to addresses only.'),
    (re.compile(r"@"), "is a bot's name, not its token."),
    (re.compile(r"[^:]*"), "has no colon in it: it was not copied as a whole."),
    (re.compile(r"[0-9]*:"), "ends at its colon: it was not copied as a whole."),
)
_WHOLE: Final = 5
"""From here on a slip must fill the whole text; before, it is enough to be found."""


def check_token(token: str, field: str = "token") -> None:
    """Refuse what cannot be a token; whether it is one only Telegram knows.

    Args:
        token: what was given.
        field: where, as its giver knows it.

    Raises:
        InputError: it cannot be one; it is not repeated.
    """
    if _TOKEN.fullmatch(token):
        return
    for place, (slip, problem) in enumerate(_SLIPS):
        if slip.fullmatch(token) if place >= _WHOLE else slip.search(token):
            raise InputError(field, problem, _REMEDY)
    raise InputError(field, "is not shaped like a bot token.", _REMEDY)
