"""Where in the database something of a person may stand, and what becomes of it there.

A table is looked through in the order of its key, a part in each transaction; the database picks the rows that mention
them, and Python decides. What is theirs goes; what is others' stays without them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botyard.erasure.traces import Traces

Row = Mapping[str, Any]
Decision = dict[str, Any] | None
"""The columns to write, perhaps none; None: the row goes."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to be forgotten, as one bot knows them.

    Args:
        traces: how they are recognised.
        bot_id: the bot.
        customer_id: its customer.
        identities: the Telegram bots that it is and was.
        updates: their updates, each as (Telegram bot, update, chat key).
        sends: rows of the outbox that their updates caused in their own chats.
        bots: all bots of the customer that are to forget them.
    """

    traces: Traces
    bot_id: int
    customer_id: int
    identities: Sequence[int]
    updates: frozenset[tuple[int, int, str]] = frozenset()
    sends: frozenset[int] = frozenset()
    bots: frozenset[int] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """For the statements."""
        return {
            "bot": self.bot_id, "customer": self.customer_id, "terms": self.traces.terms, "key": self.traces.key,
            "updates": [update for _, update, _ in sorted(self.updates)], "sends": sorted(self.sends),
            "scopes": [f"update {bot} {update}" for bot, update, _ in sorted(self.updates)],
        }  # fmt: skip


Decide = Callable[[Person, Row], Decision]


@dataclass(frozen=True, slots=True)
class Place:
    """A table.

    Args:
        table: its name.
        keys: the columns of its key, in which it is looked through.
        shown: the columns that may tell of somebody; JSON is given as what it means.
        decide: what becomes of a row.
        plain: columns that are given beside these.
        theirs: what makes a row theirs whatever it says, in SQL.
        within: which rows are looked at.
        bumped: its column that counts changes.
    """

    table: str
    keys: tuple[str, ...]
    shown: tuple[str, ...]
    decide: Decide
    plain: tuple[str, ...] = ()
    theirs: str = "false"
    within: str = "bot_id = :bot"
    bumped: str | None = None
    json: tuple[str, ...] = field(default=())


def _rewritten(place_columns: Sequence[str]) -> Decide:
    def decide(person: Person, row: Row) -> Decision:
        return {name: person.traces.without(row[name], name) for name in place_columns if row[name] is not None}

    return decide


def _theirs_or(columns: Sequence[str], is_theirs: Callable[[Person, Row], bool]) -> Decide:
    rewritten = _rewritten(columns)

    def decide(person: Person, row: Row) -> Decision:
        return None if is_theirs(person, row) else rewritten(person, row)

    return decide


def _of_their_chat(person: Person, row: Row) -> bool:
    return person.traces.owns(row["chat_key"])


def _of_their_update(person: Person, row: Row) -> bool:
    """What an update of theirs caused in other chats is others'."""
    return (row["telegram_id"], row["update_id"], row["chat_key"]) in person.updates


def _message(person: Person, row: Row) -> bool:
    said = {(update, chat) for _, update, chat in person.updates}
    answered = row["outbox_id"] in person.sends or (row["update_id"], row["chat_key"]) in said
    return answered or _of_their_chat(person, row)


def _letter(person: Person, row: Row) -> bool:
    return _of_their_chat(person, row) or person.traces.made(row["request"]) or _of_their_update(person, row)


def _send(person: Person, row: Row) -> bool:
    return _of_their_chat(person, row) or _of_their_update(person, row)


def _job(person: Person, row: Row) -> bool:
    return person.traces.user_id in (row["chat_id"], row["user_id"]) or _of_their_chat(person, row)


def _call(person: Person, row: Row) -> bool:
    return row["scope"] in {f"update {bot} {update}" for bot, update, _ in person.updates}


def _event(person: Person, row: Row) -> bool:
    chat = row["data"].get("chat") if isinstance(row["data"], dict) else None
    about = row["entity"].removeprefix("chat:") if row["entity"].startswith("chat:") else ""
    return person.traces.owns(about) or (isinstance(chat, str) and person.traces.owns(chat))


def _memory(person: Person, row: Row) -> Decision:
    if row["scope"] != "bot" and person.traces.owns(row["key"]):
        return None
    return {"state": person.traces.without_talks(row["state"])}


def _inbox(person: Person, row: Row) -> Decision:
    """Its number stays: by it a repetition is recognised."""
    if person.traces.owns(row["chat_key"]) or person.traces.made(row["body"]):
        return {"body": {"update_id": row["update_id"]}, "chat_key": "0"}
    return {"body": person.traces.without(row["body"])}


def _endpoint_message(person: Person, row: Row) -> Decision:
    return None if person.traces.tells(row["body"]) else {}


def _request(person: Person, row: Row) -> Decision:
    """What was made is not made again; the answer is not given again."""
    if not _is_of_customer(person, row):
        return {}
    if person.traces.key in _SEGMENTS.split(row["route"]):
        return None
    told = person.traces.tells(json.dumps(row["answer"], ensure_ascii=False))
    return {"made": person.traces.without(row["made"], "made")} | ({"answer": None} if told else {})


def _is_of_customer(person: Person, row: Row) -> bool:
    """People may be members of several customers, and superadmins of none."""
    ours = {f"bot_{bot}" for bot in person.bots} | {f"cus_{person.customer_id}"}
    made = row["made"] or {}
    named = {f"bot_{made.get('bot')}", f"cus_{made.get('customer')}"}
    named.update(_PUBLIC.findall(f"{row['route']} {json.dumps(row['answer'])}"))
    return not ours.isdisjoint(named)


def _schedule(person: Person, row: Row) -> Decision:
    """One that was for nobody else goes: without anybody named it would be for everyone."""
    users = row["audience"].get("users")
    if users is None or person.traces.user_id not in users:
        return {name: person.traces.without(row[name], name) for name in ("name", "content")}
    others = [number for number in users if number != person.traces.user_id]
    if not others:
        return None
    return {
        "audience": {**row["audience"], "users": others}, "name": person.traces.without(row["name"], "name"),
        "content": person.traces.without(row["content"]),
    }  # fmt: skip


def _gone(_: Person, __: Row) -> Decision:
    return None


_SEGMENTS: Final = re.compile(r"[^\w-]+")
_PUBLIC: Final = re.compile(r"\b(?:bot|cus)_\d+\b")
_KEYED: Final = "(chat_key = :key OR chat_key LIKE 'b%:' || :key)"
_CAUSED: Final = "update_id = ANY(:updates)"

OF_A_BOT: Final = (
    Place(
        "messages", ("chat_key", "id"), ("text",), _theirs_or(("text",), _message),
        plain=("update_id", "outbox_id"), theirs=f"{_KEYED} OR {_CAUSED} OR outbox_id = ANY(:sends)",
    ),
    Place(
        "dead_letters", ("id",), ("request", "detail", "reason"), _theirs_or(("request", "detail", "reason"), _letter),
        plain=("chat_key", "telegram_id", "update_id"), theirs=f"{_KEYED} OR {_CAUSED}", json=("request",),
    ),
    Place(
        "outbox", ("id",), ("params", "error"), _theirs_or(("params", "error"), _send),
        plain=("chat_key", "telegram_id", "update_id"), theirs=f"{_KEYED} OR {_CAUSED}", json=("params",),
    ),
    Place(
        "jobs", ("id",), ("name", "data"), _theirs_or(("name", "data"), _job), plain=("chat_id", "user_id", "chat_key"),
        theirs=f"{_KEYED} OR :key IN (chat_id::text, user_id::text)", json=("data",),
    ),
    Place(
        "journal", ("scope", "position"), ("answer",), _theirs_or(("answer",), _call),
        theirs="scope = ANY(:scopes)", json=("answer",),
    ),
    Place("keyboards", ("number",), ("buttons",), _rewritten(("buttons",)), json=("buttons",)),
    Place(
        "events", ("id",), ("entity", "data"), _theirs_or(("data",), _event), json=("data",),
    ),
    Place(
        "schedules", ("id",), ("name", "audience", "content"), _schedule, json=("audience", "content"), bumped="version"
    ),
    Place("occurrences", ("schedule_id", "slot", "recipient"), (), _gone, theirs="recipient::text = :key"),
    Place("chats", ("chat_key",), (), _gone, theirs=_KEYED),
    Place(
        "conversations", ("scope", "key"), ("state",), _memory, json=("state",), bumped="version",
        theirs="scope <> 'bot' AND (key = :key OR key LIKE 'b%:' || :key)",
    ),
    # By these the rest is found: they come last.
    Place(
        "inbox", ("update_id",), ("body",), _inbox, plain=("chat_key",), json=("body",),
        theirs=_KEYED, within="telegram_id = :identity",
    ),
    Place("bot_users", ("user_id",), (), _gone, theirs="user_id::text = :key"),
)  # fmt: skip
"""What is kept of one bot."""

OF_A_CUSTOMER: Final = (
    Place("endpoint_messages", ("id",), ("body",), _endpoint_message, within="customer_id = :customer"),
    Place(
        "endpoint_attempts", ("id",), ("answer", "error"), _rewritten(("answer", "error")),
        within="customer_id = :customer",
    ),
    Place(
        "operations", ("id",), ("request", "result", "error"), _rewritten(("request", "result", "error")),
        within="customer_id = :customer AND finished_at IS NOT NULL", json=("request", "result"), bumped="version",
    ),
    Place(
        "idempotency_keys", ("person_id", "route", "key"), ("route", "made", "answer"),
        _request,
        within="""state = 'done' AND person_id IN (SELECT id FROM people WHERE superadmin UNION ALL
                  SELECT person_id FROM memberships WHERE customer_id = :customer)""",
        json=("made", "answer"),
    ),
)  # fmt: skip
"""What is kept of a customer's doings: only the system role may change it."""


def looking(place: Place, *, on: bool) -> str:
    """The statement that looks through a part of a table: the keys of its rows, and all of those that tell of somebody.

    Args:
        place: the table.
        on: whether it goes on behind a row whose key is given as ``at_…``.
    """
    text = " || ' ' || ".join(f"coalesce({name}::text, '')" for name in place.shown) or "''"
    shown = "".join(
        f", CASE WHEN hit THEN {name}{'::text' if name in place.json else ''} END AS {name}"
        for name in (*place.shown, *place.plain)
        if name not in place.keys
    )
    keys = ", ".join(place.keys)
    behind = f"AND ({keys}) > ({', '.join(f':at_{name}' for name in place.keys)})" if on else ""
    return f"""
    SELECT {keys}, hit{shown} FROM (
      SELECT *, ({place.theirs}) OR EXISTS (
        SELECT 1 FROM unnest(CAST(:terms AS text[])) AS term WHERE strpos(lower({text}), term) > 0) AS hit
        FROM (SELECT * FROM {place.table} WHERE {place.within} {behind} ORDER BY {keys} LIMIT :most) AS part
    ) AS looked ORDER BY {keys}"""  # noqa: S608 - our own words


def locking(place: Place) -> str:
    """The statement that reads a row as it is now, so that nobody changes it until it is written."""
    told = ", ".join(
        f"{name}::text AS {name}" if name in place.json else name
        for name in dict.fromkeys((*place.keys, *place.shown, *place.plain))
    )
    return f"SELECT {told} FROM {place.table} WHERE {_its_key(place)} FOR UPDATE"  # noqa: S608 - our own words


def deleting(place: Place) -> str:
    """The statement that takes a row away."""
    return f"DELETE FROM {place.table} WHERE {_its_key(place)}"  # noqa: S608 - our own words


def writing(place: Place, columns: Sequence[str]) -> str:
    """The statement that writes these columns of a row."""
    sets = [f"{name} = CAST(:{name} AS json)" if name in place.json else f"{name} = :{name}" for name in columns]
    if place.bumped is not None:
        sets.append(f"{place.bumped} = {place.bumped} + 1")
    return f"UPDATE {place.table} SET {', '.join(sets)} WHERE {_its_key(place)}"  # noqa: S608 - our own words


def _its_key(place: Place) -> str:
    return f"{place.within} AND ({', '.join(place.keys)}) = ({', '.join(f':at_{name}' for name in place.keys)})"


def as_read(place: Place, row: Row) -> dict[str, Any]:
    """A row with its JSON read."""
    return {
        name: json.loads(value) if name in place.json and value is not None else value for name, value in row.items()
    }


def as_written(place: Place, row: Row) -> dict[str, Any]:
    """Columns with their JSON written."""
    return {
        name: json.dumps(value, ensure_ascii=False) if name in place.json and value is not None else value
        for name, value in row.items()
    }
