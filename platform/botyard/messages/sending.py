"""Messages that people send through a bot: into its outbox, their way from there, and taking them back.

They are rows like those of handlers, and go out in the same order and within the same limits; see docs/delivery.md.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from botyard.errors import InputError, PermanentError, Stale
from botyard.messages.wanted import Call
from botyard.telegram.run import Lane
from db.acting import actor
from db.claims import took_effect
from db.models import Event
from db.waiting import LET_NEXT

State = Literal["queued", "waiting", "sending", "sent", "dead", "uncertain", "expired", "dropped", "cancelled"]

# An answer to somebody is of use for as long as a handler's; what was announced yesterday is not announced any more.
_USEFUL_SECONDS: Final = {Lane.REPLY: 900, Lane.SCHEDULED: 86_400, Lane.BULK: 86_400}
_CANCELLED: Final = "it was cancelled"
_INSERT: Final = text("""
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, repeat_policy, deadline)
SELECT b.id, b.customer_id, coalesce(c.moved_to, :chat), :lane, :method,
       CASE WHEN c.moved_to IS NULL THEN p.params
            ELSE jsonb_set(p.params, '{chat_id}', c.moved_to::jsonb) END,
       CASE WHEN (b.settings->>'repeat_uncertain')::bool IS FALSE THEN 'leave' ELSE 'repeat' END,
       now() + :seconds * interval '1 s'
  FROM (SELECT CAST(:params AS jsonb) AS params) p, bots b
  LEFT JOIN chats c ON c.bot_id = b.id AND c.chat_key = :chat AND c.moved_to IS NOT NULL
 WHERE b.id = :bot AND b.removal_began IS NULL AND b.status <> 'inactive'
RETURNING id, chat_key
""")
_SHOW: Final = text("""
SELECT o.id, o.chat_key, o.lane, o.method, o.state, o.attempt, o.uncertain_count, o.message_id, o.message_ids, o.error,
       o.due, o.deadline, o.created_at, o.resolved_at, b.status, b.status_reason,
       o.due > now() AND o.due < 'infinity' AS later,
       o.state IN ('queued', 'retry') AND (
         EXISTS (SELECT 1 FROM outbox e WHERE e.bot_id = o.bot_id AND e.chat_key = o.chat_key AND e.lane = o.lane
                    AND e.id < o.id AND e.state IN ('queued', 'retry', 'sending'))
         OR EXISTS (SELECT 1 FROM outbox a WHERE a.id = o.after_id AND a.state IN ('queued', 'retry', 'sending')))
       AS behind
  FROM outbox o JOIN bots b ON b.id = o.bot_id WHERE o.bot_id = :bot AND o.id = :send
""")
# What waits behind it goes on: in its lane of the chat, and what refers to its message.
_CANCEL: Final = text(f"""
WITH ended AS (
  UPDATE outbox SET state = CASE WHEN uncertain_count > 0 THEN 'uncertain' ELSE 'dropped' END, error = :why,
         resolved_at = now()
   WHERE bot_id = :bot AND id = :send AND state IN ('queued', 'retry') RETURNING *
), {LET_NEXT}
SELECT count(*) FROM ended
""")  # noqa: S608 - joined from constants


class BotOff(InputError):
    """The bot sends nothing: it is switched off, or is being removed."""

    def __init__(self) -> None:
        super().__init__("bot", "is switched off, or is being removed: it sends nothing.", "Resume it first.")

    def __reduce__(self) -> tuple[type["BotOff"], tuple[()]]:
        return type(self), ()


class TooLate(PermanentError):
    """The message is being sent, or its end is known: it cannot be taken back.

    Args:
        state: what became of it.
    """

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"It cannot be taken back: it is {self.state}."


@dataclass(frozen=True, slots=True)
class Sent:
    """A message on its way.

    Args:
        id: its row in the outbox.
        chat: where it goes.
        lane: ``urgent``, ``reply``, ``scheduled`` or ``bulk``.
        method: the Bot API's.
        state: how far it is.
        reason: what it waits for, or why it was not sent.
        message_ids: Telegram's, once it was sent.
        attempts: how often it was tried.
        created_at: when it was put into the outbox.
        deadline: when it is of no use any more.
        resolved_at: when its end was known.
        version: changes with all of this but with what it waits for.
    """

    id: int
    chat: str
    lane: str
    method: str
    state: State
    reason: str | None
    message_ids: tuple[int, ...]
    attempts: int
    created_at: datetime
    deadline: datetime | None
    resolved_at: datetime | None
    version: int


def put(session: Session, bot_id: int, call: Call) -> int:
    """Put a message into a bot's outbox, in the caller's transaction; wake its sender after the commit.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        call: what is to be sent.

    Returns:
        Its row.

    Raises:
        BotOff: the bot sends nothing.
        Overtaken: another serving of the same request has put it there.
    """
    values = {
        "bot": bot_id, "chat": call.chat_key, "lane": int(call.lane), "method": call.method,
        "params": orjson.dumps(call.params).decode(), "seconds": _USEFUL_SECONDS[call.lane],
    }  # fmt: skip
    row = session.execute(_INSERT, values).first()
    if row is None:
        raise BotOff
    customer = session.execute(text("SELECT customer_id FROM bots WHERE id = :bot"), {"bot": bot_id}).scalar_one()
    session.add(
        Event(
            customer_id=customer, bot_id=bot_id, type="send.requested", entity=f"send:{row.id}", actor=actor(),
            data={"chat": row.chat_key, "method": call.method},
        )
    )  # fmt: skip
    took_effect(session, bot=bot_id, send=row.id)
    return int(row.id)


def show(session: Session, bot_id: int, send_id: int, closed: Mapping[str, float]) -> Sent | None:
    """How far a message is; none if the bot has no such one, or it is forgotten.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        send_id: its row.
        closed: the chats that Telegram has closed, and the second at which each opens; the empty one is the whole bot.
    """
    row = session.execute(_SHOW, {"bot": bot_id, "send": send_id}).first()
    if row is None:
        return None
    state, reason = _told(row, closed)
    ids = [row.message_id] if row.message_ids is None else row.message_ids
    return Sent(
        row.id, row.chat_key, Lane(row.lane).name.lower(), row.method, state, reason,
        tuple(one for one in ids if one is not None), row.attempt, row.created_at, row.deadline, row.resolved_at,
        _version(row),
    )  # fmt: skip


def cancel(session: Session, bot_id: int, send_id: int, expected: int | None) -> bool:
    """Take a message back that is not sent yet; false if the bot has no such one.

    Raises:
        TooLate: it is being sent, or was.
        Stale: it is not as it was seen.
    """
    # Whoever claims it or records its end meanwhile waits.
    locked = text("SELECT 1 FROM outbox WHERE bot_id = :bot AND id = :send FOR UPDATE")
    values = {"bot": bot_id, "send": send_id}
    if session.execute(locked, values).first() is None:
        return False
    row = session.execute(_SHOW, values).one()
    if expected is not None and _version(row) != expected:
        raise Stale(_version(row))
    if not session.execute(_CANCEL, values | {"why": _CANCELLED}).scalar():
        raise TooLate(_told(row, {})[0])
    return True


def _version(row: Any) -> int:
    return zlib.crc32(f"{row.state} {row.attempt} {row.uncertain_count}".encode())


def _told(row: Any, closed: Mapping[str, float]) -> tuple[State, str | None]:
    if row.state == "dropped" and row.error == _CANCELLED:
        return "cancelled", None
    if row.state not in ("queued", "retry"):
        return row.state, None if row.state == "sent" else row.error
    waits = _waits(row, closed)
    return ("queued", None) if waits is None else ("waiting", waits)


def _waits(row: Any, closed: Mapping[str, float]) -> str | None:
    """For what a message waits, but for its turn."""
    if row.status in ("error", "inactive"):
        return f"its bot is stopped: {row.status_reason or row.status}"
    opens = max(closed.get(row.chat_key, 0.0), closed.get("", 0.0))
    if opens:
        at = datetime.fromtimestamp(opens, UTC).isoformat(timespec="seconds")
        return f"Telegram has closed {'the chat' if row.chat_key in closed else 'the bot'} until {at}"
    if row.behind:
        return "an earlier message to the same chat"
    if row.state == "retry":
        return f"another try: {row.error}"
    return "a permit of the limits" if row.later else None
