"""Statements that a connection plans once, also when somebody forgets them."""

from collections.abc import Iterator

import psycopg2
import pytest

import db.prepared
from db.engine import get_engine, one_statement
from db.prepared import Prepared, execute
from tests.services import Services

ADDED = Prepared("SELECT %(one)s + %(other)s AS sum, current_setting('app.tenant'), '100 %%'", one="int", other="int")
WRITTEN = Prepared(
    "INSERT INTO events (customer_id, type, entity, actor, data) VALUES (1, 'a', 'b:' || %(one)s, 'c', '{}')",
    one="text",
)
DIVIDED = Prepared("SELECT 1 / %(other)s", other="int")
GIVEN = {"tenant": "1", "one": 2, "other": 3}


@pytest.fixture(autouse=True)
def way(clean: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001 - a database
    monkeypatch.setattr(db.prepared._Way, "plain", False)
    get_engine("statements").dispose()
    yield
    get_engine("statements").dispose()


def plans() -> dict[str, int]:
    """How often each statement was run with the plan that was made once."""
    with one_statement() as cursor:
        cursor.execute("SELECT name, generic_plans FROM pg_prepared_statements WHERE custom_plans = 0")
        return dict(cursor.fetchall())


def test_a_statement_is_planned_once_and_run_as_its_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.prepared, "_PLAN_SECONDS", 60)
    for _ in range(7):
        assert execute(GIVEN, ADDED) == [(5, "1", "100 %")]
    assert plans()[ADDED.name] == 7


def test_nothing_of_the_customer_stays_with_the_connection() -> None:
    execute(GIVEN, ADDED)
    with one_statement() as cursor:
        cursor.execute("SELECT current_setting('app.tenant', true)")
        assert cursor.fetchall() == [("",)]


def test_several_statements_are_one_transaction(clean: Services) -> None:
    with pytest.raises(psycopg2.errors.DivisionByZero):
        execute(GIVEN | {"other": 0}, WRITTEN, DIVIDED)
    assert clean.superuser("SELECT count(*) FROM events") == [(0,)]
    execute(GIVEN, WRITTEN, DIVIDED)
    assert clean.superuser("SELECT count(*) FROM events") == [(1,)]


def test_a_connection_that_was_reset_is_prepared_anew() -> None:
    execute(GIVEN, ADDED)
    with one_statement() as cursor:
        cursor.execute("DISCARD ALL")
    assert execute(GIVEN, ADDED) == [(5, "1", "100 %")]
    assert ADDED.name in plans()


def test_what_an_earlier_user_of_the_connection_prepared_is_used() -> None:
    with one_statement() as cursor:
        cursor.execute(ADDED.prepare)
    assert execute(GIVEN, ADDED) == [(5, "1", "100 %")]


def test_where_nothing_stays_prepared_statements_are_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ADDED, "prepare", "SELECT 1")
    for _ in range(2):
        assert execute(GIVEN, ADDED) == [(5, "1", "100 %")]
    assert db.prepared._Way.plain
    assert plans() == {}


def test_a_plan_is_of_the_last_second(clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was planned for a table with nothing in it would read the whole of a large one."""
    monkeypatch.setattr(db.prepared, "_PLAN_SECONDS", 0)
    clean.superuser("CREATE TABLE grown (id bigint PRIMARY KEY, text text)")
    clean.superuser("GRANT SELECT ON grown TO PUBLIC")
    clean.superuser("VACUUM ANALYZE grown")
    try:
        looked_up = Prepared("SELECT text FROM grown WHERE id = %(one)s", one="bigint")
        execute(GIVEN, looked_up)
        assert "Seq Scan" in plan_of(looked_up)
        clean.superuser("INSERT INTO grown SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n")
        assert execute(GIVEN, looked_up) == [("x" * 500,)]
        assert "Seq Scan" not in plan_of(looked_up)
    finally:
        clean.superuser("DROP TABLE grown")


def plan_of(statement: Prepared) -> str:
    with one_statement() as cursor:
        cursor.execute(f"EXPLAIN EXECUTE {statement.name}(2)")
        return "\n".join(line for (line,) in cursor.fetchall())
