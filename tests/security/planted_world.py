"""Two customers with one of everything that the API shows, and tokens of whoever might ask; put back in a moment."""
# ruff: noqa: S608 - statements are made of our tables' names and numbers

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from botyard.accounts.keys import Limits, create_key_of
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import House, house, superadmin
from tests.services import Services

USER: Final = 700_000_001
NOBODY: Final = 999_999_999
PREFIXES: Final = {
    "bot": "bot", "customer": "cus", "person": "per", "key": "key", "session": "ses", "invitation": "inv",
    "operation": "op", "endpoint": "end", "message": "msg", "event": "evt", "send": "snd", "letter": "dead",
    "dead_letter": "dead", "entry": "aud", "schedule": "sch", "run": "run",
}  # fmt: skip
"""How ids of each kind begin, by what paths call them."""
OF_BOTS: Final = frozenset(Scope) - {Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE, Scope.KEYS_WRITE}
_COPIES: Final = "planted"
_LETTER: Final = "what, chat_key, reason, detail, request, attempts"


@dataclass(frozen=True)
class Side:
    """A customer with everything.

    Args:
        house: the customer, its bot, and a token of each role.
        other_bot: another bot of it.
        ids: the numbers of its objects, by how paths call them.
        keys: the numbers of its people's tokens, by role.
        sign_ins: the numbers of sign-ins of these people, by role.
    """

    house: House
    other_bot: int
    ids: dict[str, int]
    keys: dict[Role, int]
    sign_ins: dict[Role, int]


@dataclass(frozen=True)
class World:
    """Both of them, and who belongs to neither.

    Args:
        own: the customer whose objects are asked for.
        other: another one.
        root: a token of a superadmin.
        lacking: a token of the own owner with every scope but one, by that one.
        of_other_bot: a token of the own owner for the other bot only.
    """

    services: Services
    own: Side
    other: Side
    root: str
    root_key: int
    root_sign_in: int
    lacking: dict[Scope, str]
    of_other_bot: str
    tables: list[str] = field(default_factory=list)

    def restore(self) -> None:
        """Put every row back as it was planted."""
        statements = [f'DELETE FROM public."{table}"' for table in _all_tables(self.services)]
        statements += [
            f'INSERT INTO public."{table}" OVERRIDING SYSTEM VALUE SELECT * FROM {_COPIES}."{table}"'
            for table in self.tables
        ]
        self.services.superuser("SET session_replication_role = replica", "BEGIN", *statements, "COMMIT")


def plant(services: Services) -> World:
    """Make it, in the emptied database."""
    services.empty()
    # The first ones get the numbers of the examples in the API's description, so that these are about what is there.
    for table, number in (("customers", 12), ("bots", 31), ("people", 4)):
        services.superuser(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {number}, false)")
    own, other = _side(services, "own", TELEGRAM_ID, 0), _side(services, "other", TELEGRAM_ID + 10, 2000)
    root = superadmin()
    everything = frozenset(Scope)
    lacking = {one: _key(own, Limits(scopes=everything - {one})) for one in Scope}
    bound = _key(own, Limits(scopes=OF_BOTS, customer_id=own.house.id, bots=frozenset({own.other_bot})))
    (person, root_key), *_ = services.superuser(
        "SELECT p.id, t.id FROM people p JOIN access_tokens t ON t.person_id = p.id WHERE superadmin"
    )
    services.superuser(_sign_in(3000, person))
    # What is made later comes behind what was planted.
    for table in {table for table, columns, _ in _PLANTED if columns.startswith("id,")} | {"sign_ins"}:
        services.superuser(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 10000)")
    world = World(services, own, other, root, root_key, 3000, lacking, bound)
    services.superuser(f"DROP SCHEMA IF EXISTS {_COPIES} CASCADE", f"CREATE SCHEMA {_COPIES}")
    for table in _all_tables(services):
        if services.superuser(f'SELECT EXISTS (SELECT FROM "{table}")') == [(True,)]:
            services.superuser(f'CREATE TABLE {_COPIES}."{table}" AS TABLE public."{table}"')
            world.tables.append(table)
    return world


def _key(side: Side, limits: Limits) -> str:
    return create_key_of(f"{side.house.username}-{Role.OWNER}", "of a test", limits).key


def _side(services: Services, name: str, telegram_id: int, first: int) -> Side:
    place = house(name, telegram_id)
    another = make_bot(telegram_id + 1, customer_id=place.id, token=f"{telegram_id + 1}:{'a' * 35}")
    people = {role: services.superuser(f"SELECT id FROM people WHERE name = '{name}-{role}'")[0][0] for role in Role}
    found = services.superuser("SELECT person_id, id FROM access_tokens")
    keys = {role: next(key for person, key in found if person == people[role]) for role in Role}
    sign_ins = {role: first + 9 + number for number, role in enumerate(Role)}
    services.superuser(
        *(_sign_in(sign_ins[role], people[role]) for role in Role), *_rows(place.id, place.bot.id, telegram_id, first)
    )
    ids = {name: first + number for name, number in _NUMBERED.items()} | {
        "bot": place.bot.id, "customer": place.id, "person": people[Role.VIEWER], "user": USER, "chat": USER,
        "number": 1,
    }  # fmt: skip
    return Side(place, another.id, ids, keys, sign_ins)


_NUMBERED: Final = {
    "operation": 15, "invitation": 3, "endpoint": 2, "message": 81, "event": 1201, "send": 640, "letter": 17,
    "entry": 530, "schedule": 5, "run": 21,
}  # fmt: skip


def _sign_in(number: int, person: int) -> str:
    return (
        "INSERT INTO sign_ins (id, person_id, digest, expires_at) OVERRIDING SYSTEM VALUE"
        f" VALUES ({number}, {person}, '\\x{sha256(str(number).encode()).hexdigest()}', now() + interval '1 day')"
    )


_PLANTED: Final = (
    ("bot_health", "bot_id, customer_id, state", "{here}, 'ok'"),
    ("bot_days", "bot_id, customer_id, day", "{here}, current_date"),
    ("bot_users", "bot_id, customer_id, user_id, first_name, username", "{here}, {user}, 'Ann', 'ann'"),
    ("chats", "bot_id, customer_id, chat_key", "{here}, '{user}'"),
    ("conversations", "bot_id, customer_id, scope, key, state, version", "{here}, 'chat', '{user}', '{{}}', 1"),
    (
        "messages",
        "id, bot_id, customer_id, chat_key, direction, kind, text",
        "{message}, {here}, '{user}', 'in', 'text', 'hello'",
    ),
    (
        "outbox",
        "id, bot_id, customer_id, chat_key, lane, method, params, state",
        "{send}, {here}, '{user}', 2, 'sendMessage', '{{\"chat_id\": {user}, \"text\": \"hi\"}}', 'queued'",
    ),
    (
        "dead_letters",
        f"id, bot_id, customer_id, telegram_id, update_id, fingerprint, {_LETTER}",
        "{letter}, {here}, {telegram_id}, 5, 'print', 'update', '{user}', 'ValueError', 'Traceback', '{{}}', 3",
    ),
    (
        "events",
        "id, bot_id, customer_id, type, entity, actor, data",
        "{event}, {here}, 'bot.paused', 'bots:1', 's', '{{}}'",
    ),
    ("audit", "id, bot_id, customer_id, actor, action, entity", "{entry}, {here}, 's', 'updated', 'bots:1'"),
    (
        "operations",
        "id, bot_id, customer_id, actor, kind, state, request",
        "{operation}, {here}, 'person:1', 'bot.export', 'queued', '{{}}'",
    ),
    (
        "schedules",
        "id, bot_id, customer_id, name, recurrence, zone, audience, content, grace",
        "{schedule}, {here}, 'daily', '{{\"type\": \"silence\", \"hours\": 9}}', 'UTC', '{{}}', '{{}}', 60",
    ),
    (
        "schedule_runs",
        "id, bot_id, customer_id, schedule_id, zone, slot, moment, state",
        "{run}, {here}, {schedule}, 'UTC', '2026-01-01T00:00', now(), 'done'",
    ),
    ("bot_configurations", "bot_id, customer_id, number, configuration, actor", "{here}, 1, '{{}}', 'person:1'"),
    (
        "invitations",
        "id, customer_id, digest, purpose, role, expires_at",
        "{invitation}, {customer}, '\\x{digest}', 'member', 'viewer', now() + interval '1 day'",
    ),
    ("endpoints", "id, customer_id, url", "{endpoint}, {customer}, 'https://hooks.example.org/'"),
    (
        "endpoint_messages",
        "id, endpoint_id, customer_id, event_id, type, body, due",
        "{message}, {endpoint}, {customer}, {event}, 'bot.paused', '{{}}', now()",
    ),
)
"""One of each, as rows: what becomes of them elsewhere does not matter here."""


def _rows(customer: int, bot: int, telegram_id: int, first: int) -> list[str]:
    digest = sha256(f"invitation {first}".encode()).hexdigest()
    named = {"customer": customer, "telegram_id": telegram_id, "digest": digest, "user": USER}
    named |= {name: first + number for name, number in _NUMBERED.items()}
    return [
        f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
        f" VALUES ({values.format(here=f'{bot}, {customer}', **named)})"
        for table, columns, values in _PLANTED
    ]


def _all_tables(services: Services) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    return [name for (name,) in services.superuser(query)]


def values(world: World, side: Side, role: Role | None) -> dict[str, Any]:
    """What stands in a path for each name, for somebody of a side; none: a superadmin."""
    keys = (world.root_key, world.root_sign_in) if role is None else (side.keys[role], side.sign_ins[role])
    return side.ids | {"key": keys[0], "session": keys[1]}
