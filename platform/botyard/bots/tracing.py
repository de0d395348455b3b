"""One update's way, from its arrival to the Bot API's answers, with what it waited for. See docs/delivery.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from botyard.bots.naming import find_bot
from botyard.errors import InputError
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.run import Lane
from db.engine import get_sessions
from db.models import Bot, DeadLetter, InboxRow, Message, OutboxRow

_CHATS_LOOKED_AT: Final = 1000
_LONGEST_BOX: Final = 1000
_CAUSES: Final = {
    "permit": "a permit of the limits",
    "flood": "the end of a 429",
    "trouble": "another try",
    "token": "another token",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One station of the way."""

    at: datetime
    what: str
    seconds: float | None = None
    """How long it took to come here from the station before."""
    waited_for: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one update."""

    bot: str
    update_id: int | None
    chat: str
    kind: str
    steps: list[Step]


def trace(settings: Settings, number: int, name: str | None = None) -> list[Trace]:
    """The ways of all updates with this id, or of the updates and sends behind all messages with this id.

    Args:
        settings: where the mailboxes are.
        number: an update's id, or a message's.
        name: any name of the bot, where several have such a number.

    Raises:
        InputError: nothing is known by this number, or there is no such bot.
    """
    with get_sessions("system")() as session:
        bots = [find_bot(session, name)] if name else list(session.scalars(select(Bot).order_by(Bot.id)))
        found = [one for bot in bots for one in _known(session, settings, bot, number)]
    if not found:
        remedy = "Updates are remembered for three days after their end; `botyard bot show` names the last one."
        raise InputError("number", f"no update and no message {number} is known.", remedy)
    return found


def _known(session: Session, settings: Settings, bot: Bot, number: int) -> Iterator[Trace]:
    updates = {number} | {
        update_id
        for update_id in session.scalars(
            select(Message.update_id).where(Message.bot_id == bot.id, Message.message_id == number)
        )
        if update_id is not None
    }
    for update_id in sorted(updates):
        row = session.scalars(
            select(InboxRow).where(InboxRow.telegram_id == bot.telegram_id, InboxRow.update_id == update_id)
        ).first()
        if row is not None:
            steps = [*_processed(session, row), *_sends(session, bot, update_id)]
            yield Trace(bot.username, update_id, row.chat_key, row.kind, steps)
        elif (waiting := _in_a_mailbox(settings, bot, update_id)) is not None:
            yield waiting
    for outbox_id in session.scalars(
        select(Message.outbox_id).where(
            Message.bot_id == bot.id, Message.message_id == number, Message.update_id.is_(None)
        )
    ):
        sent = session.get(OutboxRow, outbox_id) if outbox_id else None
        if sent is not None:
            yield Trace(bot.username, None, sent.chat_key, sent.method, list(_send(sent)))


def _processed(session: Session, row: InboxRow) -> Iterator[Step]:
    yield Step(row.received_at, "taken in")
    if row.started_at is not None:
        waited = (
            "its turn in the mailbox" if row.attempt == 1 else f"its turn, and {(row.attempt or 1) - 1} failed starts"
        )
        yield Step(row.started_at, "handlers started", _between(row.received_at, row.started_at), waited)
    ended = "handlers ended, committed" if row.state == "done" else "given up"
    letter = session.scalars(
        select(DeadLetter).where(DeadLetter.telegram_id == row.telegram_id, DeadLetter.update_id == row.update_id)
    ).first()
    detail = f"dead letter {letter.id}: {letter.reason}" if letter is not None and row.state == "dead" else ""
    yield Step(row.resolved_at, ended, _between(row.started_at or row.received_at, row.resolved_at), detail=detail)


def _sends(session: Session, bot: Bot, update_id: int) -> Iterator[Step]:
    query = select(OutboxRow).where(OutboxRow.telegram_id == bot.telegram_id, OutboxRow.update_id == update_id)
    for row in session.scalars(query.order_by(OutboxRow.n)):
        yield from _send(row)


def _send(row: OutboxRow) -> Iterator[Step]:
    name = f"{row.method} ({Lane(row.lane).name.lower()})"
    waits = row.waits or {}
    named = [f"{_CAUSES[cause]} {seconds:.1f} s" for cause, seconds in waits.items() if cause in _CAUSES]
    if row.started_at is not None:
        waited = ", ".join(["a sender and its turn in the lane", *named])
        yield Step(row.started_at, f"{name}: called", _between(row.created_at, row.started_at), waited)
    if row.resolved_at is not None:
        detail = f"message {row.message_id}" if row.message_id else row.error or ""
        uncertain = f", {row.uncertain_count} times uncertain" if row.uncertain_count else ""
        took = _between(row.started_at or row.created_at, row.resolved_at)
        yield Step(row.resolved_at, f"{name}: {row.state}{uncertain}", took, detail=detail)
    else:
        yield Step(
            row.due, f"{name}: {row.state}", waited_for=", ".join(named) or "a sender and its turn in the lane",
            detail=row.error or "",
        )  # fmt: skip


def _in_a_mailbox(settings: Settings, bot: Bot, update_id: int) -> Trace | None:
    """An update that is not resolved: its place in one of the bot's mailboxes."""
    number = bot.telegram_id
    with redis_of(settings) as redis:
        chats = cast("list[bytes]", redis.zrange(f"by:chats:{number}", 0, _CHATS_LOOKED_AT - 1))
        for chat in (raw.decode() for raw in chats):
            entries = cast("list[bytes]", redis.lrange(f"by:box:{number}:{chat}", 0, _LONGEST_BOX - 1))
            for place, entry in enumerate(entries):
                if entry.startswith(b"%d " % update_id):
                    return _waiting(redis, bot, chat, entry, place)
    return None


def _waiting(redis: "Redis", bot: Bot, chat: str, entry: bytes, place: int) -> Trace:
    received_at = datetime.fromtimestamp(int(entry.split(b" ", 2)[1]) / 1000, UTC)
    score = redis.zscore(f"by:chats:{bot.telegram_id}", chat) or 0.0
    taken = redis.hexists(f"by:own:{bot.telegram_id}", chat)
    until = datetime.fromtimestamp(score / 1000, UTC)
    now = datetime.now(UTC)
    if place:
        waits = f"{place} earlier ones of its chat"
    elif taken:
        waits = "its handlers, which run"
    elif until > now:
        waits = "another try"
    else:
        waits = "the bot's pause" if bot.status != "active" else "a worker"
    steps = [Step(received_at, "taken in"), Step(max(now, until), "waits", _between(received_at, now), waits)]
    return Trace(bot.username, int(entry.split(b" ", 1)[0]), chat, "", steps)


def _between(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())


def shown(found: Trace) -> list[dict[str, Any]]:
    """The stations as rows of a table."""
    return [
        {
            "at": step.at,
            "what": step.what,
            "after": "" if step.seconds is None else f"{step.seconds:.3f} s",
            "waited for": step.waited_for,
            "detail": step.detail,
        }
        for step in found.steps
    ]
