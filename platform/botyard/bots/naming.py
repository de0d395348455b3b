"""Which bot somebody means. See docs/commands.md."""

from difflib import get_close_matches
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from botyard.errors import InputError
from db.engine import get_sessions
from db.models import Bot

_LARGEST: Final = 2**63 - 1


def find_bot(session: Session, name: str) -> Bot:
    """The bot of this name, in the caller's transaction.

    Args:
        session: of the system role.
        name: its username with or without ``@``, in any case; its number in the list; Telegram's number of it; or the
            public name in its webhook's path.

    Raises:
        InputError: there is no such bot; the remedy names those that are nearly called so.
    """
    plain = name.strip().removeprefix("@")
    wanted = [func.lower(Bot.username) == plain.lower(), Bot.public_id == plain]
    if plain.isdecimal() and int(plain) <= _LARGEST and not name.strip().startswith("@"):
        wanted += [Bot.id == int(plain), Bot.telegram_id == int(plain)]
    found = list(session.scalars(select(Bot).where(or_(*wanted)).order_by(Bot.id).limit(2)))
    if not found:
        raise InputError("bot", f"there is no bot {name!r}.", _nearly(session, plain))
    if len(found) > 1:
        # The number in the list and Telegram's never meet in practice: Telegram's have nine digits and more.
        raise InputError("bot", f"{name!r} names more than one bot.", "Use the number from `botyard bot list`.")
    return found[0]


def bot_names() -> list[str]:
    """Every bot's username, for completion in a shell."""
    with get_sessions("system")() as session:
        return list(session.scalars(select(Bot.username).order_by(Bot.username)))


def bot_numbers(name: str) -> frozenset[int]:
    """The numbers of a bot, here and at Telegram.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        bot = find_bot(session, name)
        return frozenset({bot.id, bot.telegram_id})


def _nearly(session: Session, name: str) -> str:
    known = {username.lower(): username for username in session.scalars(select(Bot.username))}
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.7)
    if not near:
        return "See `botyard bot list`."
    return f"Did you mean {' or '.join(f'@{known[one]}' for one in near)}?"
