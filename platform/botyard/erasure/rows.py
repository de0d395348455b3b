"""Forgetting a person in the database, a part of a table in each transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from botyard.accounts.access import tenant_session
from botyard.erasure.places import (
    OF_A_BOT,
    OF_A_CUSTOMER,
    Person,
    Place,
    as_read,
    as_written,
    deleting,
    locking,
    looking,
    writing,
)
from botyard.erasure.traces import Traces
from db.engine import get_sessions
from db.models import BotIdentity, BotUser

_PART: Final = 5000
_PATIENT: Final = "SET LOCAL statement_timeout = '60s'"
_IDENTITY: Final = "identity"
_THEIR_SENDS: Final = text("""
SELECT o.id
  FROM unnest(CAST(:bots AS bigint[]), CAST(:updates AS bigint[]), CAST(:chats AS text[])) AS u(bot, number, chat)
  JOIN outbox o ON o.telegram_id = u.bot AND o.update_id = u.number AND o.chat_key = u.chat
""")

Step = tuple[Place, Mapping[str, Any]]
Position = list[Any] | None


def find(customer_id: int, bot_id: int, user_id: int) -> Person:
    """How a bot knows somebody: by what its inbox and its list of people say of them.

    Args:
        customer_id: whose bot it is.
        bot_id: its row.
        user_id: Telegram's number of the person.
    """
    with tenant_session(customer_id) as session:
        identities = list(session.scalars(select(BotIdentity.telegram_id).where(BotIdentity.bot_id == bot_id)))
        kept = session.get(BotUser, (bot_id, user_id))
    profiles: list[Mapping[str, Any]] = [] if kept is None else [{
        "username": kept.username, "first_name": kept.first_name, "last_name": kept.last_name,
    }]  # fmt: skip
    known = Person(Traces(user_id), bot_id, customer_id, sorted(identities))
    updates = set()
    for identity, row in _their_inbox(known):
        profiles += _profiles(known.traces, row["body"])
        updates.add((identity, row["update_id"], row["chat_key"]))
    found = replace(known, traces=Traces(user_id, profiles), updates=frozenset(updates))
    return replace(found, sends=_sends(found))


def steps_of_bot(person: Person) -> list[Step]:
    """What is to be looked through for a bot, in its order."""
    return [
        (place, person.values | {_IDENTITY: identity})
        for place in OF_A_BOT
        for identity in (person.identities if place.table == "inbox" else (0,))
    ]


def steps_of_customer(person: Person) -> list[Step]:
    """What is to be looked through once for a customer."""
    return [(place, person.values) for place in OF_A_CUSTOMER]


def look_through(person: Person, step: Step, at: Position) -> tuple[Position, int, int]:
    """Forget them in a part of a table.

    Args:
        person: whom.
        step: the table.
        at: the key behind which the part begins.

    Returns:
        The key of the last row that was looked at, none if that was the end; how many rows went, and were changed.
    """
    place, values = step
    with _session(person, place) as connection:
        rows = connection.execute(
            text(looking(place, on=at is not None)), {**values, **_keys(place, at or ()), "most": _PART}
        ).mappings().all()  # fmt: skip
        removed = changed = 0
        for row in rows:
            if row["hit"]:
                went, altered = _settle(connection, person, step, dict(row))
                removed, changed = removed + went, changed + altered
    following = [rows[-1][name] for name in place.keys] if len(rows) == _PART else None
    return following, removed, changed


def _settle(connection: Connection, person: Person, step: Step, found: dict[str, Any]) -> tuple[int, int]:
    place, values = step
    keys = _keys(place, [found[name] for name in place.keys])
    # Others write meanwhile: what is decided on is the row as it is until this is committed.
    now = connection.execute(text(locking(place)), {**values, **keys}).mappings().first()
    if now is None:
        return 0, 0
    row = as_read(place, dict(now))
    decided = place.decide(person, row)
    if decided is None:
        return connection.execute(text(deleting(place)), {**values, **keys}).rowcount, 0
    news = {name: value for name, value in decided.items() if value != row.get(name)}
    if not news:
        return 0, 0
    written = as_written(place, news)
    return 0, connection.execute(text(writing(place, list(news))), {**values, **keys, **written}).rowcount


def _their_inbox(person: Person) -> Iterator[tuple[int, dict[str, Any]]]:
    for place, values in (step for step in steps_of_bot(person) if step[0].table == "inbox"):
        at: Position = None
        while True:
            with _session(person, place) as connection:
                asked = {**values, **_keys(place, at or ()), "most": _PART}
                rows = connection.execute(text(looking(place, on=at is not None)), asked).mappings().all()
            for row in (as_read(place, dict(one)) for one in rows if one["hit"]):
                if person.traces.owns(row["chat_key"]) or person.traces.made(row["body"]):
                    yield values[_IDENTITY], row
            if len(rows) < _PART:
                break
            at = [rows[-1][name] for name in place.keys]


def _profiles(traces: Traces, value: Any) -> list[Mapping[str, Any]]:
    """What an update says of them."""
    if isinstance(value, list):
        return [found for one in value for found in _profiles(traces, one)]
    if not isinstance(value, dict):
        return []
    here = [value] if value.get("id") == traces.user_id and "first_name" in value else []
    return here + [found for one in value.values() for found in _profiles(traces, one)]


def _sends(person: Person) -> frozenset[int]:
    bots, updates, chats = zip(*person.updates, strict=True) if person.updates else ((), (), ())
    asked = {"bots": list(bots), "updates": list(updates), "chats": list(chats)}
    with tenant_session(person.customer_id) as session:
        return frozenset(session.connection().execute(_THEIR_SENDS, asked).scalars())


@contextmanager
def _session(person: Person, place: Place) -> Iterator[Connection]:
    """As the tenant, where it may: row-level security decides a second time what is looked at."""
    opened = get_sessions("system").begin() if place in OF_A_CUSTOMER else tenant_session(person.customer_id)
    with opened as session:
        session.execute(text(_PATIENT))
        if place in OF_A_CUSTOMER:
            session.execute(select(func.set_config("app.tenant", str(person.customer_id), True)))
        yield session.connection()


def _keys(place: Place, values: Sequence[Any]) -> dict[str, Any]:
    return {f"at_{name}": value for name, value in zip(place.keys, values, strict=False)}
