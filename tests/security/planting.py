"""Rows in every table that there is, made from the catalogue: a table that is added later has its row too."""
# ruff: noqa: S608 - statements are made of the names of our tables

import itertools
import re
from dataclasses import dataclass
from typing import Any

from tests.services import Services

_VALUES: dict[str, Any] = {
    "text": "planted",
    "jsonb": "{}",
    "json": "{}",
    "bytea": b"planted",
    "boolean": False,
    "smallint": 1,
    "timestamp with time zone": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "double precision": 1.0,
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NUMBERS = itertools.count(1_000_000)
_CHOICE = re.compile(r"\(\((\w+) = ANY \(ARRAY\['(\w+)'")
_PARENTS = ("endpoints", "endpoint_messages")
"""Others refer to their rows, which have the number of their customer; they come first."""


@dataclass(frozen=True)
class Ground:
    """Whose rows are planted."""

    customer: int
    bot: int
    telegram_id: int
    person: int

    def known(self, table: str) -> dict[str, Any]:
        """What the columns of these names hold."""
        named = {"bot_id": self.bot, "telegram_id": self.telegram_id, "person_id": self.person}
        if table == "customers":
            return named | {"id": self.customer}
        named["customer_id"] = self.customer
        if table in _PARENTS:
            named["id"] = self.customer
        if table.startswith("endpoint_"):
            named |= {"endpoint_id": self.customer, "message_id": self.customer}
        return named


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables(services: Services) -> list[str]:
    """Every table of the database, by the catalogue."""
    query = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    found = {name for (name,) in services.superuser(query)}
    return [*_PARENTS, *sorted(found - {*_PARENTS})]


def columns(services: Services, table: str) -> dict[str, tuple[str, bool]]:
    """The columns: each one's type, and whether a row must name it."""
    query = f"""
        SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
          FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"""
    return {name: (kind, needed) for name, kind, needed in services.superuser(query)}


def row(services: Services, table: str, ground: Ground) -> dict[str, Any]:
    """A row of a table that its constraints accept, and that is like no other one of the same owner."""
    query = (
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass"
    )
    found = [_CHOICE.search(text) for (text,) in services.superuser(query)]
    choices = {one.group(1): one.group(2) for one in found if one}
    known = ground.known(table)
    made = {}
    for name, (kind, needed) in columns(services, table).items():
        if name in known:
            made[name] = known[name]
        elif name in choices and needed:
            made[name] = choices[name]
        elif needed:
            made[name] = next(_NUMBERS) if kind == "bigint" else _value(kind)
    return made


def _value(kind: str) -> Any:
    value = _VALUES[kind]
    return f"{value}-{next(_NUMBERS)}" if kind == "text" else value


def insert(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement that inserts a row, and its parameters."""
    names = ", ".join(map(quoted, row))
    return f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values())
