"""Somebody of a bot's people, as the bot's code sees them while it runs."""

from dataclasses import dataclass
from typing import Final

from botyard.errors import TransientError
from botyard.users.rendering import Reader
from db.engine import DATABASE_TROUBLE, one_statement

_SELECT: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
SELECT coalesce(u.first_name, ''), u.last_name, u.username, coalesce(u.language, u.language_code),
       coalesce(u.attributes, '{}'), b.settings->>'time_zone'
  FROM bots b LEFT JOIN bot_users u ON u.bot_id = b.id AND u.user_id = %(user)s WHERE b.id = %(bot)s
"""


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who they are, and the names of time zones in which they may be, the best one first."""

    reader: Reader
    zones: tuple[object, ...]


def somebody(bot_id: int, customer_id: int, user_id: int | None) -> Somebody:
    """One of a bot's people; nothing but their number is known of one that it has not heard of.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
        user_id: Telegram's number of them; none: it is nobody's.

    Raises:
        TransientError: the database is away.
    """
    values = {"tenant": str(customer_id), "bot": bot_id, "user": user_id}
    try:
        with one_statement() as cursor:
            cursor.execute(_SELECT, values)
            row = cursor.fetchone()
    except DATABASE_TROUBLE as error:
        raise TransientError(f"the bot's people cannot be read now: {type(error).__name__}") from None
    first_name, last_name, username, language, attributes, bot_zone = row or ("", None, None, None, {}, None)
    reader = Reader(user_id or 0, first_name, last_name, username, language, attributes)
    return Somebody(reader, (attributes.get("time_zone"), bot_zone))
