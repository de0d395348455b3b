import subprocess
import sys
from collections.abc import Iterator

import psycopg2
import pytest
from alembic import command
from sqlalchemy import make_url

from tests.services import Services, alembic_configuration, environment, make_database, migrate

TABLES = {
    "access_tokens", "alembic_version", "audit", "backups", "bot_configurations", "bot_days", "bot_health",
    "bot_identities", "bot_secrets", "bot_users", "bots", "chats", "conversations", "customers", "dead_letters",
    "endpoint_attempts", "endpoint_messages", "endpoint_secrets", "endpoints", "events", "idempotency_keys", "inbox",
    "invitations", "jobs", "journal", "keyboards", "media", "memberships", "messages", "occurrences", "operations",
    "outbox", "people", "schedule_runs", "schedule_zones", "schedules", "sign_ins",
}  # fmt: skip


@pytest.fixture
def other(services: Services) -> Iterator[str]:
    """A database of our own, so that going down disturbs nobody."""
    make_database(services, "other")
    names = ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_OWNER_URL")
    urls = {
        name: make_url(services.environment[name]).set(database="other").render_as_string(hide_password=False)
        for name in names
    }
    try:
        with environment(urls):
            yield "other"
    finally:
        services.superuser("DROP DATABASE other WITH (FORCE)", database="postgres")


def tables(services: Services, database: str) -> set[str]:
    found = services.superuser("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=database)
    return {name for (name,) in found}


def test_migrations_go_up_and_down_and_up_again(services: Services, other: str) -> None:
    migrate("head")
    assert tables(services, other) == TABLES
    migrate("base", down=True)
    assert tables(services, other) == {"alembic_version"}
    migrate("head")
    assert tables(services, other) == TABLES
    assert services.superuser("SELECT id, name FROM customers", database=other) == [(1, "Default")]


def test_a_second_release_of_an_owner_who_is_no_superuser_finds_nothing_to_do(services: Services, other: str) -> None:
    migrate("head")
    migrate("head")
    assert tables(services, other) == TABLES


def test_releases_that_run_at_once_wait_for_each_other(services: Services, other: str) -> None:
    command_line = [sys.executable, "-m", "botyard.cli", "migrate"]
    releases = [subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        ended = [(release.communicate(timeout=60)[1], release.returncode) for release in releases]
    finally:
        for release in releases:
            release.kill()
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert tables(services, other) == TABLES


def test_an_index_whose_building_was_interrupted_is_built_anew(services: Services, other: str) -> None:
    migrate("0002")
    services.superuser("CREATE INDEX ix_outbox_bot ON outbox (id)", database=other)
    migrate("head")
    (found,) = services.superuser("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_outbox_bot'", database=other)
    assert "(bot_id, id)" in found[0]
    migrate("0002", down=True)
    assert not services.superuser("SELECT 1 FROM pg_indexes WHERE indexname = 'ix_outbox_bot'", database=other)


def test_the_place_of_events_is_built_beside_those_that_go_on_and_anew_after_an_interruption(
    services: Services, other: str
) -> None:
    migrate("0014")
    services.superuser(
        "ALTER TABLE events ADD COLUMN xid BIGINT", "CREATE INDEX ix_events_settled ON events (id)", database=other
    )
    migrate("head")
    (found,) = services.superuser(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_events_settled'", database=other
    )
    assert "(customer_id, COALESCE(xid, (0)::bigint), id)" in found[0]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT FROM operations WHERE customer_id = 1 AND state IN ('queued', 'running')", "ix_operations_open"),
        ("SELECT FROM operations WHERE finished_at < now()", "ix_operations_finished_at"),
        ("SELECT FROM endpoint_messages WHERE customer_id = 1 AND id > 5 ORDER BY id", "ix_endpoint_messages_customer"),
        ("SELECT FROM endpoint_attempts WHERE customer_id = 1 AND id > 5 ORDER BY id", "ix_endpoint_attempts_customer"),
    ],
)
def test_what_grows_is_found_by_an_index(clean: Services, query: str, index: str) -> None:
    # As if nothing had ever stood in them: what earlier tests left in the statistics may make other indexes as good.
    clean.superuser(
        "TRUNCATE operations, endpoint_messages, endpoint_attempts CASCADE",
        "DELETE FROM pg_statistic WHERE starelid IN ('operations'::regclass, 'endpoint_messages'::regclass,"
        " 'endpoint_attempts'::regclass)",
    )
    plan = clean.superuser("SET enable_seqscan = off", "SET enable_sort = off", f"EXPLAIN {query}")
    assert index in str(plan)


def test_rows_that_were_put_off_are_due_again_for_senders_that_know_nothing_of_it(
    services: Services, other: str
) -> None:
    migrate("head")
    services.superuser(
        "INSERT INTO bots (customer_id, telegram_id, public_id, username, name, kind, api_url, token_encrypted,"
        " webhook_secret_encrypted, webhook_secret_hash) VALUES (1, 7, 'p', 'b', 'b', 'k', 'u', 't', 's', 'h')",
        "INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, due)"
        " SELECT id, 1, '5', 1, 'sendMessage', '{}', 'infinity' FROM bots",
        database=other,
    )
    migrate("0005", down=True)
    assert services.superuser("SELECT due <= now() FROM outbox", database=other) == [(True,)]
    (forced,) = services.superuser("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'outbox'", database=other)
    assert forced == (True,)
    migrate("head")


def test_the_models_agree_with_the_migrations(services: Services) -> None:
    assert services.owner_url
    command.check(alembic_configuration())


def connect(services: Services, name: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(services.environment[name])
    connection.autocommit = True
    return connection


def refusal(services: Services, name: str, statement: str) -> str:
    connection = connect(services, name)
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error) as refused:
            cursor.execute(statement)
        return refused.value.pgcode or ""
    finally:
        connection.close()


INSUFFICIENT = "42501"
EVENT = "INSERT INTO events (customer_id, type, entity, actor, data) VALUES"


@pytest.mark.parametrize("role", ["DATABASE_URL", "DATABASE_SYSTEM_URL"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE outbox",
        "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
        "TRUNCATE outbox",
        "CREATE ROLE intruder",
    ],
)
def test_the_working_roles_change_no_structure(clean: Services, role: str, statement: str) -> None:
    assert refusal(clean, role, statement) == INSUFFICIENT


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customers (id, name) VALUES (7, 'x')",
        "UPDATE customers SET name = 'x'",
        "DELETE FROM customers",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE botyard_system",
        "SET ROLE botyard_owner",
    ],
)
def test_the_application_role_reaches_no_customers_and_no_versions(clean: Services, statement: str) -> None:
    assert refusal(clean, "DATABASE_URL", statement) == INSUFFICIENT


def test_the_application_role_sees_the_tenants_rows_only_and_nothing_without_one(clean: Services) -> None:
    clean.superuser(
        "INSERT INTO customers (id, name) VALUES (2, 'Other') ON CONFLICT DO NOTHING",
        f"{EVENT} (1, 'a', '', '', '{{}}'), (2, 'b', '', '', '{{}}')",
    )
    connection = connect(clean, "DATABASE_URL")
    try:
        with connection.cursor() as cursor:
            seen = []
            for tenant in ("", "1", "2", "3"):
                cursor.execute("SELECT set_config('app.tenant', %s, false)", (tenant,))
                cursor.execute("SELECT string_agg(type, ',') FROM events")
                seen.append(cursor.fetchall()[0][0])
            assert seen == [None, "a", "b", None]
            cursor.execute("SELECT set_config('app.tenant', '1', false)")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"{EVENT} (2, 'c', '', '', '{{}}')")
            cursor.execute("UPDATE events SET type = 'd' WHERE customer_id = 2")
            assert cursor.rowcount == 0
    finally:
        connection.close()


def test_the_system_role_sees_every_customer(clean: Services) -> None:
    clean.superuser(f"{EVENT} (1, 'x', '', '', '{{}}'), (2, 'x', '', '', '{{}}'), (3, 'x', '', '', '{{}}')")
    connection = connect(clean, "DATABASE_SYSTEM_URL")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM events")
            assert cursor.fetchall() == [(3,)]
    finally:
        connection.close()


def test_every_table_but_the_version_is_under_a_policy_that_binds_its_owner_too(services: Services) -> None:
    found = services.superuser(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
    )
    assert {name for name, *_ in found} == TABLES - {"alembic_version"}
    assert all(enabled and forced for _, enabled, forced in found)


def test_neither_working_role_is_a_superuser_and_only_the_system_role_bypasses_policies(services: Services) -> None:
    found = services.superuser(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname LIKE 'botyard%' ORDER BY 1"
    )
    assert found == [
        ("botyard_app", False, False, False),
        ("botyard_owner", False, True, True),
        ("botyard_system", False, True, False),
    ]


def test_internal_update_ids_are_negative_and_the_application_may_draw_them(clean: Services) -> None:
    connection = connect(clean, "DATABASE_URL")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('internal_update_ids'), nextval('internal_update_ids')")
            first, second = cursor.fetchall()[0]
            assert 0 > first > second
    finally:
        connection.close()


def test_going_down_and_up_again_makes_no_bot_look_as_if_it_was_being_removed(services: Services, other: str) -> None:
    migrate("head")
    row = (
        "INSERT INTO bots (customer_id, telegram_id, public_id, username, name, kind, api_url, status, removal_began)"
        " VALUES (1, {0}, 'p{0}', 'b', 'b', 'k', 'u', 'inactive', {1})"
    )
    services.superuser(row.format(7, "NULL"), row.format(8, "now()"), database=other)
    services.superuser("UPDATE bots SET status_reason = 'it is being removed' WHERE telegram_id = 8", database=other)
    migrate("0008", down=True)
    migrate("head")
    found = "SELECT telegram_id, status, removal_began IS NULL FROM bots ORDER BY telegram_id"
    assert services.superuser(found, database=other) == [(7, "paused", True), (8, "inactive", False)]
