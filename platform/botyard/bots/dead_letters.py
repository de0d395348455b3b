"""Updates and sends that were given up: looking at them, trying them again, throwing them away. See docs/commands.md.

A replay never loses a letter and never doubles one. A send is put into the outbox in the transaction that marks its
letter. An update goes through Redis, so there is no such transaction: first its letter is given the id under which the
update will run again, then the update is put into its mailbox under that id, then the letter is marked. Whoever is
interrupted begins anew with the same id, which the mailbox' seen bits and the inbox' key know.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from sqlalchemy import Text, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, defer

from botyard.bots.naming import find_bot
from botyard.errors import InputError
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import mailbox_entry
from botyard.mailbox.tickets import TicketQueue
from botyard.telemetry.redaction import redact, redact_tree
from db.acting import actor
from db.claims import took_effect
from db.engine import get_sessions
from db.models import Bot, DeadLetter, Event

What = Literal["update", "send"]
Outcome = Literal["replayed", "already", "full", "gone", "missing"]
"""What became of a letter: it is at work again, or was already; or its bot's mailboxes are full, its bot is removed, or
it was thrown away, and then nothing was done."""

_cause: Final = func.coalesce(DeadLetter.fingerprint, DeadLetter.reason)
_DISCARDED_AT_ONCE: Final = 1000
_MOST_LISTED: Final = 1000
_BEGIN_UPDATE: Final = text("""
UPDATE dead_letters SET replay_id = coalesce(replay_id, nextval('internal_update_ids'))
 WHERE id = :id AND replayed_at IS NULL RETURNING replay_id
""")
_REPLAY_SEND: Final = text("""
WITH letter AS MATERIALIZED (
  SELECT * FROM dead_letters d WHERE id = :id AND what = 'send' AND replayed_at IS NULL
     AND EXISTS (SELECT 1 FROM bots WHERE id = d.bot_id AND removal_began IS NULL) FOR UPDATE
), again AS (
  INSERT INTO outbox (bot_id, customer_id, chat_key, telegram_id, lane, after_id, repeat_policy, method, params)
  SELECT l.bot_id, l.customer_id, l.chat_key, l.telegram_id, coalesce(o.lane, 1), o.after_id,
         coalesce(o.repeat_policy, 'repeat'), l.request->>'method', (l.request->'params')::jsonb
    FROM letter l LEFT JOIN outbox o ON o.id = l.outbox_id
  RETURNING id
)
UPDATE dead_letters d SET replay_id = again.id, replayed_at = now() FROM again WHERE d.id = :id RETURNING d.id
""")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those to which everything given applies.

    Args:
        ids: their numbers; none: any.
        bot: a bot, by any of its names.
        what: updates or sends only.
        reason: a part of the reason or of the cause, in any case of letters.
        replayed: those that were replayed already, too.
        bots: of these bots only, by their rows.
        fingerprint: of this cause only, as `Group` names it.
        upto: with this number, or a smaller one.
        after: with a larger number than this one.
    """

    ids: tuple[int, ...] = ()
    bot: str | None = None
    what: What | None = None
    reason: str | None = None
    replayed: bool = False
    bots: frozenset[int] | None = None
    fingerprint: str | None = None
    upto: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one bot with one cause."""

    bot: str
    what: str
    cause: str
    """The kind of error and its place, or the words of the answer; their reason where no cause was noted."""
    reason: str
    """The latest one's."""
    count: int
    first: datetime
    last: datetime
    newest_id: int


@dataclass(frozen=True, slots=True)
class LetterLine:
    """One letter in a list."""

    id: int
    bot: str
    what: str
    chat: str
    reason: str
    at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, in full; without secrets."""

    id: int
    bot: str
    what: str
    chat: str
    reason: str
    detail: str
    attempts: int
    at: datetime
    update_id: int | None
    outbox_id: int | None
    replayed_at: datetime | None
    request: Any


def groups(selection: Selection) -> list[Group]:
    """The letters counted by bot and cause, the latest first.

    Raises:
        InputError: there is no such bot.
    """
    return [group for _, group in groups_of_bots(selection)]


def groups_of_bots(selection: Selection, session: Session | None = None) -> list[tuple[int, Group]]:
    """The same with the row of each one's bot.

    Args:
        selection: which letters.
        session: of the customer whose letters are meant; none: everybody's.

    Raises:
        InputError: there is no such bot.
    """
    latest = func.array_agg(aggregate_order_by(DeadLetter.reason, DeadLetter.id.desc()))[1]
    columns = (
        DeadLetter.bot_id, Bot.username, DeadLetter.what, _cause, latest, func.count(),
        func.min(DeadLetter.created_at), func.max(DeadLetter.created_at), func.max(DeadLetter.id),
    )  # fmt: skip
    with _reading(session) as reading:
        chosen = _chosen(reading, selection, select(*columns).outerjoin(Bot, Bot.id == DeadLetter.bot_id))
        grouped = chosen.group_by(DeadLetter.bot_id, Bot.username, DeadLetter.what, _cause)
        return [
            (bot, Group(username or "", what, redact(shared), redact(reason), count, first, last, newest))
            for bot, username, what, shared, reason, count, first, last, newest in reading.execute(
                grouped.order_by(func.max(DeadLetter.id).desc()).limit(_MOST_LISTED)
            )
        ]


def letters(selection: Selection) -> list[LetterLine]:
    """The letters one by one, the latest first.

    Raises:
        InputError: there is no such bot.
    """
    columns = (
        DeadLetter.id, Bot.username, DeadLetter.what, DeadLetter.chat_key, DeadLetter.reason, DeadLetter.created_at,
        DeadLetter.replayed_at,
    )  # fmt: skip
    with get_sessions("system")() as session:
        chosen = _chosen(session, selection, select(*columns).outerjoin(Bot, Bot.id == DeadLetter.bot_id))
        return [
            LetterLine(number, username or "", what, chat, redact(reason), at, replayed)
            for number, username, what, chat, reason, at, replayed in session.execute(
                chosen.order_by(DeadLetter.id.desc()).limit(_MOST_LISTED)
            )
        ]


def part(selection: Selection, before: int | None, limit: int, session: Session | None = None) -> list[DeadLetter]:
    """Letters as rows without their details, the latest first.

    Args:
        selection: which.
        before: the number before which to begin; none: with the latest.
        limit: how many at most.
        session: of the customer whose letters are meant; none: everybody's.
    """
    with _reading(session) as reading:
        query = _chosen(reading, selection, select(DeadLetter))
        query = query.options(defer(DeadLetter.request), defer(DeadLetter.detail))
        if before is not None:
            query = query.where(DeadLetter.id < before)
        return list(reading.scalars(query.order_by(DeadLetter.id.desc()).limit(limit)))


def count(selection: Selection) -> tuple[int, int]:
    """How many letters there are, and the largest number among them (0: there are none)."""
    with get_sessions("system")() as session:
        query = _chosen(session, selection, select(func.count(), func.coalesce(func.max(DeadLetter.id), 0)))
        found, last = session.execute(query).one()
        return found, last


def letter_ids(selection: Selection, limit: int | None = None) -> list[int]:
    """The numbers of the letters, in the order in which they came.

    Args:
        selection: which.
        limit: how many at most; none: all.

    Raises:
        InputError: there is no such bot, or no letter of a given number.
    """
    with get_sessions("system")() as session:
        query = _chosen(session, selection, select(DeadLetter.id)).order_by(DeadLetter.id)
        found = list(session.scalars(query.limit(limit)))
    if missing := set(selection.ids) - set(found):
        raise InputError("dead letter", f"there is no number {min(missing)}.", "See `botyard dead list`.")
    return found


def letter(number: int) -> Letter:
    """One letter.

    Raises:
        InputError: there is no such letter.
    """
    with get_sessions("system")() as session:
        query = select(DeadLetter, Bot.username).outerjoin(Bot, Bot.id == DeadLetter.bot_id)
        row = session.execute(query.where(DeadLetter.id == number)).first()
    if row is None:
        raise InputError("dead letter", f"there is no number {number}.", "See `botyard dead list`.")
    one, username = row
    return Letter(
        one.id, username or "", one.what, one.chat_key, redact(one.reason), redact(one.detail), one.attempts,
        one.created_at, one.update_id, one.outbox_id, one.replayed_at, redact_tree(one.request),
    )  # fmt: skip


def discard(ids: Sequence[int]) -> int:
    """Throw letters away for good; how many that were."""
    # In small transactions: very many would run into the statement's time limit, each time anew.
    parts = range(0, len(ids), _DISCARDED_AT_ONCE)
    return sum(_discard(ids[first : first + _DISCARDED_AT_ONCE]) for first in parts)


def _discard(ids: Sequence[int]) -> int:
    with get_sessions("system").begin() as session:
        gone = session.execute(
            delete(DeadLetter).where(DeadLetter.id.in_(ids)).returning(DeadLetter.customer_id, DeadLetter.bot_id)
        ).all()
        for (customer_id, bot_id), count in Counter((row.customer_id, row.bot_id) for row in gone).items():
            session.add(_event(customer_id, bot_id, "dead_letters.discarded", f"bot:{bot_id}", count=count))
        took_effect(session, discarded=len(gone), bots=sorted({row.bot_id for row in gone}))
    return len(gone)


class Replayer:
    """Puts letters back to work.

    Args:
        keeper: takes updates in, and wakes senders.
        tickets: where the tickets go that this causes.
    """

    def __init__(self, keeper: Keeper, tickets: TicketQueue) -> None:
        self._keeper = keeper
        self._tickets = tickets

    def replay(self, number: int) -> Outcome:
        """Try one letter again: an update behind what waits in its chat, a send behind what waits in its lane."""
        with get_sessions("system")() as session:
            found = session.execute(
                select(DeadLetter, cast(DeadLetter.request, Text).label("as_it_came")).where(DeadLetter.id == number)
            ).first()
        if found is None:
            return "missing"
        one, request = found
        return self._send(one) if one.what == "send" else self._update(one, request)

    def _send(self, one: DeadLetter) -> Outcome:
        with get_sessions("system").begin() as session:
            if session.execute(_REPLAY_SEND, {"id": one.id}).first() is None:
                return _why_not(session, one.id)
            session.add(_replayed(one))
        # Lost on the way it does no harm: whoever looks for rows that are due finds this one.
        self._tickets.send_soon(self._keeper.wake(one.bot_id))
        return "replayed"

    def _update(self, one: DeadLetter, request: str) -> Outcome:
        with get_sessions("system").begin() as session:
            update_id = session.execute(_BEGIN_UPDATE, {"id": one.id}).scalar()
        if update_id is None or one.telegram_id is None:
            return "already"
        accepted = self._keeper.accept(one.telegram_id, one.chat_key, update_id, _entry(request))
        if accepted.verdict == "full":
            return "full"
        if accepted.verdict == "gone":
            return "gone"
        self._tickets.send_soon(accepted.ticket)
        with get_sessions("system").begin() as session:
            fresh = session.get(DeadLetter, one.id, with_for_update=True)
            if fresh is None or fresh.replayed_at is not None:
                return "already"
            fresh.replayed_at = func.now()
            session.add(_replayed(one))
        return "replayed"


def _why_not(session: Session, number: int) -> Outcome:
    """Why a send was not put into the outbox."""
    row = session.execute(select(DeadLetter.replayed_at).where(DeadLetter.id == number)).first()
    if row is None:
        return "missing"
    return "gone" if row.replayed_at is None else "already"


def _entry(request: str) -> bytes:
    """What the webhook would have put into the mailbox."""
    content = orjson.loads(request)
    if isinstance(content, dict) and set(content) == {"unreadable"}:
        # It was kept as the bytes of its entry, for PostgreSQL could not store it as JSON.
        return bytes.fromhex(content["unreadable"])
    return mailbox_entry(request.encode())


@contextmanager
def _reading(session: Session | None) -> Iterator[Session]:
    """The session that is given, or one that sees every customer."""
    if session is not None:
        yield session
        return
    with get_sessions("system")() as own:
        yield own


def _chosen(session: Session, selection: Selection, query: Any) -> Any:
    if selection.ids:
        query = query.where(DeadLetter.id.in_(selection.ids))
    if selection.bot is not None:
        query = query.where(DeadLetter.bot_id == find_bot(session, selection.bot).id)
    if selection.bots is not None:
        query = query.where(DeadLetter.bot_id.in_(selection.bots))
    if selection.fingerprint is not None:
        query = query.where(_cause == selection.fingerprint)
    if selection.upto is not None:
        query = query.where(DeadLetter.id <= selection.upto)
    if selection.after is not None:
        query = query.where(DeadLetter.id > selection.after)
    if selection.what is not None:
        query = query.where(DeadLetter.what == selection.what)
    if selection.reason is not None:
        words = selection.reason
        query = query.where(
            DeadLetter.reason.icontains(words, autoescape=True)
            | DeadLetter.fingerprint.icontains(words, autoescape=True)
        )
    return query if selection.replayed else query.where(DeadLetter.replayed_at.is_(None))


def _replayed(one: DeadLetter) -> Event:
    return _event(one.customer_id, one.bot_id, "dead_letter.replayed", f"dead_letter:{one.id}", what=one.what)


def _event(customer_id: int, bot_id: int, name: str, entity: str, **data: Any) -> Event:
    return Event(customer_id=customer_id, bot_id=bot_id, type=name, entity=entity, actor=actor(), data=data)
