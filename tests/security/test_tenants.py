"""One customer's rows are out of reach of another, in every table that the database has.

As the application role, with another's tenant set, with none, and with the empty one that a pooled connection keeps.
"""
# ruff: noqa: S608 - statements are made of the names of our tables

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege, UniqueViolation
from psycopg2.extensions import connection, cursor

from db.models import Base
from tests.factories import TELEGRAM_ID, make_bot
from tests.security.planting import Ground, columns, insert, quoted, row, tables
from tests.services import Services

OF_NOBODY = {"alembic_version"}
"""The number of the newest migration; it may be read."""
UNREACHABLE = {
    "people", "access_tokens", "bot_secrets", "sign_ins", "invitations", "endpoint_secrets", "backups",
}  # fmt: skip
OF_PERSONS = {"idempotency_keys"}
"""Not a customer's, but those of the person who asks."""
ALL = sorted(Base.metadata.tables)
TENANTS = ("the other's", "none", "the empty one")
OWNED = [name for name in ALL if name not in UNREACHABLE | OF_PERSONS]
WRITTEN = [
    "bot_users", "chats", "conversations", "dead_letters", "events", "inbox", "jobs", "journal", "keyboards", "media",
    "messages", "outbox", "schedule_runs", "schedule_zones", "schedules",
]  # fmt: skip
"""What the application role writes, row by row for bots."""


@contextlib.contextmanager
def connected(services: Services, role: str = "DATABASE_URL") -> Iterator[connection]:
    with contextlib.closing(psycopg2.connect(services.environment[role])) as made:
        yield made


@contextlib.contextmanager
def acting(services: Services, tenant: int | str) -> Iterator[cursor]:
    """A transaction of the application role with this tenant; it is rolled back."""
    with connected(services) as made, made.cursor() as found:
        if tenant == "the empty one":
            found.execute("SELECT set_config('app.tenant', '1', true)")
            made.commit()
            found.execute("SELECT current_setting('app.tenant', true)")
            assert found.fetchone() == ("",)
        elif tenant != "none":
            found.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant)])
        yield found


def refused(services: Services, tenant: int | str, statement: str, values: list[Any] | None = None) -> str:
    """The words with which a statement is refused."""
    with acting(services, tenant) as found, pytest.raises(InsufficientPrivilege) as error:
        found.execute(statement, values)
    return str(error.value)


@pytest.fixture(scope="module")
def planted(services: Services) -> Iterator[tuple[Ground, Ground]]:
    """Two customers, each with a row in every table."""
    services.empty()
    (number,) = services.superuser("INSERT INTO customers (name, username) VALUES ('Two', 'two') RETURNING id")[0]
    grounds = []
    for customer, telegram_id in ((1, TELEGRAM_ID), (number, TELEGRAM_ID + 1)):
        bot = make_bot(telegram_id, customer_id=customer, token=f"{telegram_id}:{'a' * 35}")
        (person,) = services.superuser(f"INSERT INTO people (name) VALUES ('p{customer}') RETURNING id")[0]
        grounds.append(Ground(customer, bot.id, telegram_id, person))
    for ground in grounds:
        for table in tables(services):
            if table not in {"customers", "bots", "bot_identities", "people", *OF_NOBODY}:
                plant(services, table, ground)
    yield grounds[0], grounds[1]
    services.empty()


def plant(services: Services, table: str, ground: Ground) -> None:
    statement, values = insert(table, row(services, table, ground))
    with contextlib.closing(psycopg2.connect(services.postgres_url.rsplit("/", 1)[0] + "/botyard")) as made:
        with made.cursor() as found:
            found.execute(statement + " ON CONFLICT DO NOTHING", values)
        made.commit()


def of(table: str, ground: Ground) -> str:
    return f"id = {ground.customer}" if table == "customers" else f"customer_id = {ground.customer}"


def tenant_of(words: str, other: Ground) -> int | str:
    return other.customer if words == "the other's" else words


def test_the_catalogue_and_the_models_name_the_same_tables(services: Services) -> None:
    assert set(tables(services)) == set(ALL) | OF_NOBODY


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("table", OWNED)
def test_no_row_of_another_is_read_changed_or_deleted(
    services: Services, planted: tuple[Ground, Ground], table: str, tenant: str
) -> None:
    mine, other = planted
    assert services.superuser(f"SELECT count(*) FROM {table} WHERE {of(table, mine)}")[0][0] > 0
    with acting(services, tenant_of(tenant, other)) as found:
        found.execute(f"SELECT count(*) FROM {quoted(table)} WHERE {of(table, mine)}")
        assert found.fetchone() == (0,)
    granted = services.superuser(
        "SELECT column_name FROM information_schema.column_privileges WHERE grantee = 'botyard_app'"
        f" AND table_name = '{table}' AND privilege_type = 'UPDATE'"
    )
    for (column,) in granted:
        with acting(services, tenant_of(tenant, other)) as found:
            name = quoted(column)
            found.execute(f"UPDATE {quoted(table)} SET {name} = {name} WHERE {of(table, mine)}")
            assert found.rowcount == 0, column
    with acting(services, tenant_of(tenant, other)) as found, contextlib.suppress(InsufficientPrivilege):
        found.execute(f"DELETE FROM {quoted(table)} WHERE {of(table, mine)}")
        assert found.rowcount == 0


@pytest.mark.parametrize("table", OWNED)
def test_everybody_reads_their_own_rows(services: Services, planted: tuple[Ground, Ground], table: str) -> None:
    for ground in planted:
        with acting(services, ground.customer) as found:
            found.execute(f"SELECT count(*) FILTER (WHERE {of(table, ground)}), count(*) FROM {quoted(table)}")
            own, every = found.fetchone() or (0, 0)
            assert own == every > 0


@pytest.mark.parametrize("table", sorted({*OWNED, *UNREACHABLE}))
def test_no_row_is_written_as_another(services: Services, planted: tuple[Ground, Ground], table: str) -> None:
    mine, other = planted
    statement, values = insert(table, row(services, table, mine))
    for tenant in (other.customer, "none", "the empty one"):
        refused(services, tenant, statement, values)


def test_whatever_the_application_role_may_insert_is_tried(services: Services) -> None:
    inserted = services.superuser(
        "SELECT table_name FROM information_schema.role_table_grants"
        " WHERE grantee = 'botyard_app' AND privilege_type = 'INSERT'"
    )
    assert {name for (name,) in inserted} == {*WRITTEN, "audit"}


@pytest.mark.parametrize("table", [*WRITTEN, "audit"])
def test_a_row_of_ones_own_is_not_written_for_anothers_bot(
    services: Services, planted: tuple[Ground, Ground], table: str
) -> None:
    mine, other = planted
    content = row(services, table, other)
    with acting(services, other.customer) as found:
        found.execute(*insert(table, content | fresh(services, table)))
    there = refused(services, other.customer, *insert(table, content | {"bot_id": mine.bot}))
    nowhere = refused(services, other.customer, *insert(table, content | {"bot_id": 999_999_999}))
    assert there == nowhere


def fresh(services: Services, table: str) -> dict[str, Any]:
    """Values that make a row of one's own a new one."""
    named = {"update_id": 77_000_001, "position": 77_000_001, "number": 77_000_001, "chat_key": "77"}
    return {name: value for name, value in named.items() if name in columns(services, table)}


@pytest.mark.parametrize("table", WRITTEN)
def test_a_row_is_never_handed_to_another_bot_or_customer(
    services: Services, planted: tuple[Ground, Ground], table: str
) -> None:
    mine, other = planted
    for column, value in (("bot_id", mine.bot), ("customer_id", mine.customer), ("bot_id", other.bot)):
        refused(services, other.customer, f"UPDATE {quoted(table)} SET {column} = {value}")


@pytest.mark.parametrize("table", ["customers", "bots", "bot_identities"])
def test_what_carries_the_rights_is_not_changed_by_those_who_have_them(
    services: Services, planted: tuple[Ground, Ground], table: str
) -> None:
    for statement in (
        f"UPDATE {table} SET created_at = now()",
        f"DELETE FROM {table}",
        f"INSERT INTO {table} DEFAULT VALUES",
    ):
        refused(services, planted[1].customer, statement)


@pytest.mark.parametrize("table", sorted(UNREACHABLE))
def test_people_tokens_and_secrets_are_out_of_reach(
    services: Services, planted: tuple[Ground, Ground], table: str
) -> None:
    for tenant in (planted[0].customer, "none", "the empty one"):
        refused(services, tenant, f"SELECT 1 FROM {table}")
        refused(services, tenant, f"DELETE FROM {table}")


def test_a_request_is_seen_by_the_person_who_made_it_and_by_nobody_else(
    services: Services, planted: tuple[Ground, Ground]
) -> None:
    mine, other = planted
    for person, seen in ((str(mine.person), 1), (str(other.person), 1), ("", 0)):
        with acting(services, mine.customer) as found:
            found.execute("SELECT set_config('app.person', %s, true)", [person])
            found.execute("SELECT array_agg(person_id::text) FROM idempotency_keys")
            assert found.fetchone() == ([person] if seen else None,)


@pytest.mark.parametrize("role", ["DATABASE_URL", "DATABASE_SYSTEM_URL"])
@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit", "DROP TABLE audit"]
)
def test_what_was_recorded_stays(services: Services, planted: tuple[Ground, Ground], role: str, statement: str) -> None:
    with connected(services, role) as made, made.cursor() as found:
        found.execute("SELECT set_config('app.tenant', %s, true)", [str(planted[0].customer)])
        with pytest.raises(InsufficientPrivilege):
            found.execute(statement)


UNIQUE = """
SELECT c.relname, i.indexrelid::regclass::text, array_agg(a.attname::text) FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey::int2[])
 WHERE i.indisunique GROUP BY 1, 2
"""


def test_no_unique_key_tells_whether_another_has_such_a_row(services: Services, planted: tuple[Ground, Ground]) -> None:
    """Numbers from a sequence tell nothing: whoever may write takes the next one, and sees how far it is."""
    mine, other = planted
    told = []
    for table, index, key in services.superuser(UNIQUE):
        if table not in WRITTEN or key == ["id"] or "bot_id" in key:
            continue
        names = ", ".join(map(quoted, key))
        nulls = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
        services.superuser(f"UPDATE {table} SET {', '.join(f'{name} = coalesce({name}, 5)' for name in key)}")
        found = services.superuser(f"SELECT {names} FROM {table} WHERE {of(table, mine)} AND {nulls}")
        theirs = dict(zip(key, found[0], strict=True))
        with acting(services, other.customer) as made:
            try:
                made.execute(*insert(table, row(services, table, other) | theirs))
            except InsufficientPrivilege:
                continue
            except UniqueViolation:
                told.append(index)
    assert told == []


def open_tables(services: Services) -> list[str]:
    """Tables and views that the application role may use, and that no tenant's policy is forced on."""
    found = services.superuser("""
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND (has_any_column_privilege('botyard_app', c.oid, 'SELECT, INSERT, UPDATE')
                OR has_table_privilege('botyard_app', c.oid, 'DELETE, TRUNCATE'))
           AND NOT (c.relkind = 'v' AND coalesce('security_invoker=true' = ANY(c.reloptions), false))
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
                SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
                   AND pg_get_expr(p.polqual, c.oid) LIKE '%app.tenant%'
                   AND pg_get_expr(p.polwithcheck, c.oid) LIKE '%app.tenant%'))""")
    return sorted(name for (name,) in found if name not in OF_NOBODY | OF_PERSONS)


def test_every_table_is_under_a_policy_or_not_granted(services: Services) -> None:
    assert open_tables(services) == []
    for name in OF_NOBODY:
        rights = services.superuser(
            f"SELECT has_table_privilege('botyard_app', '{name}', 'INSERT, UPDATE, DELETE, TRUNCATE')"
        )
        assert rights == [(False,)]


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE forgotten (id int)",
        "CREATE TABLE forgotten (id int); ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY",
        "CREATE VIEW forgotten AS SELECT * FROM bots",
        """CREATE TABLE forgotten (id int); ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
        ALTER TABLE forgotten FORCE ROW LEVEL SECURITY; CREATE POLICY everything ON forgotten USING (true)""",
    ],
)
def test_a_table_that_somebody_forgot_to_protect_is_found(services: Services, change: str) -> None:
    kind = "VIEW" if "VIEW" in change else "TABLE"
    services.superuser(change, "GRANT SELECT ON forgotten TO botyard_app")
    try:
        assert open_tables(services) == ["forgotten"]
    finally:
        services.superuser(f"DROP {kind} forgotten")
