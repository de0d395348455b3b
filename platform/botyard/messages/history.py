"""What was said in a bot's chats, and what is still to be said there."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

_TIMEOUT: Final = text("SET LOCAL statement_timeout = '2s'")
_SAID: Final = text("""
SELECT id, at, direction, kind, message_id, outbox_id, text, CASE direction WHEN 'out' THEN 'sent' END AS state
  FROM messages
 WHERE bot_id = :bot AND chat_key = :chat AND id < :before ORDER BY id DESC LIMIT :limit
""")
# In two parts, as there are two indexes: what is open, and what never was sent.
_UNSENT: Final = text("""
SELECT id, created_at AS at, 'out' AS direction, method AS kind, NULL::bigint AS message_id, id AS outbox_id,
       coalesce(params->>'text', params->>'caption') AS text, state, error FROM (
  (SELECT * FROM outbox WHERE bot_id = :bot AND chat_key = :chat AND id < :before AND method LIKE 'send%'
      AND state IN ('queued', 'retry', 'sending') ORDER BY id DESC LIMIT :limit)
  UNION ALL
  (SELECT * FROM outbox WHERE bot_id = :bot AND chat_key = :chat AND id < :before AND method LIKE 'send%'
      AND state IN ('dead', 'uncertain', 'expired', 'dropped') ORDER BY id DESC LIMIT :limit)) AS unsent
 ORDER BY id DESC LIMIT :limit
""")
# A chat stands where its latest message stands: each once, also while others come.
_CHATS: Final = text("""
SELECT m.id, m.chat_key, m.at, m.direction, m.text, c.unreachable_since
  FROM messages m LEFT JOIN chats c ON c.bot_id = m.bot_id AND c.chat_key = m.chat_key
 WHERE m.bot_id = :bot AND m.id < :before AND NOT EXISTS (
   SELECT 1 FROM messages n WHERE n.bot_id = m.bot_id AND n.chat_key = m.chat_key AND n.id > m.id)
 ORDER BY m.id DESC LIMIT :limit
""")
NEWEST: Final = 2**63 - 1
"""Before which everything is."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a chat.

    Args:
        id: its row: of the history, or of the outbox while it is not sent.
        at: when it came or was sent; when it was put into the outbox while it is not sent.
        direction: ``in``, or ``out``.
        kind: of what came in the update's kind; of what goes out the Bot API's method.
        message_id: Telegram's number of it.
        send_id: its row in the outbox, if it goes out.
        text: its text, or its caption.
        state: of what goes out: ``sent``, or how far it is.
        reason: why it was not sent.
    """

    id: int
    at: datetime
    direction: Literal["in", "out"]
    kind: str
    message_id: int | None
    send_id: int | None
    text: str | None
    state: str | None = None
    reason: str | None = None


Place = tuple[int, int]
"""Behind which a part of a history begins: in what was said, and in what is not sent."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A chat, and its latest message."""

    id: int
    """Of that message."""
    chat: str
    at: datetime
    direction: Literal["in", "out"]
    text: str | None
    unreachable_since: datetime | None


def history(session: Session, bot_id: int, chat: str, before: Place, limit: int) -> tuple[list[Said], Place | None]:
    """What was said in a chat, the latest first, with what was to be said there and is not sent.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        chat: the chat's key.
        before: where to begin.
        limit: how many at most.

    Returns:
        A part, and where the next one begins, if there is more.
    """
    session.execute(_TIMEOUT)
    values = {"bot": bot_id, "chat": chat, "limit": limit + 1}
    said = [Said(*row) for row in session.execute(_SAID, values | {"before": before[0]})]
    unsent = [Said(*row) for row in session.execute(_UNSENT, values | {"before": before[1]})]
    # Each of the two is in the order of its rows, which is that of its times but for moments: a part takes the first
    # of each, so the next one goes on where it ended.
    found = list(islice(_merged(said, unsent), limit + 1))
    shown, was_sent = found[:limit], {id(one) for one in said}
    if len(found) <= limit:
        return shown, None
    ends = (
        min((one.id for one in shown if id(one) in was_sent), default=before[0]),
        min((one.id for one in shown if id(one) not in was_sent), default=before[1]),
    )
    return shown, ends


def _merged(*parts: Iterable[Said]) -> Iterable[Said]:
    return heapq.merge(*parts, key=lambda one: one.at, reverse=True)


def chats(session: Session, bot_id: int, before: int, limit: int) -> list[Talk]:
    """A bot's chats, those with the latest message first.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        before: the number of the message before which to begin.
        limit: how many at most.
    """
    session.execute(_TIMEOUT)
    rows = session.execute(_CHATS, {"bot": bot_id, "before": before, "limit": limit})
    return [Talk(*row) for row in rows]
