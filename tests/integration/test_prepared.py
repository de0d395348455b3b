"""Statements that a connection plans once, also when somebody forgets them; and connections no thread waits for."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout

import db.line
import db.prepared
from db.line import Line, Rows
from db.prepared import Prepared, Statements
from tests.e2e.yard import wait_until
from tests.faults.proxy import Proxy
from tests.integration.asked import asked, loop
from tests.services import Services, environment

ADDED = Prepared("SELECT %(one)s + %(other)s AS sum, current_setting('app.tenant'), '100 %%'", one="int", other="int")
WRITTEN = Prepared(
    "INSERT INTO events (customer_id, type, entity, actor, data) VALUES (1, 'a', 'b:' || %(one)s, 'c', '{}')",
    one="text",
)
DIVIDED = Prepared("SELECT 1 / %(other)s", other="int")
SLEPT = Prepared("SELECT pg_sleep(%(other)s / 10.0)", other="int")
WEIGHED = Prepared("SELECT length(%(one)s), %(one)s", one="text")
GIVEN = {"tenant": "1", "one": 2, "other": 3}
SUM = [(5, "1", "100 %")]


@pytest.fixture
def statements(clean: Services) -> Iterator[Statements]:  # noqa: ARG001 - a database
    """On one connection."""
    made = Statements(loop(), 1)
    yield made
    asked(_close(made))


async def _close(statements: Statements) -> None:
    statements.close()


def run(statements: Statements, *wanted: Prepared, **changes: object) -> Rows:
    return asked(statements.execute(GIVEN | changes, *wanted))


def plainly(statements: Statements, sql: str) -> Rows:
    """On the connection that is asked next."""

    async def ask() -> Rows:
        line = await statements._line()
        try:
            return await line.ask(sql)
        finally:
            statements._idle.append(line)

    return asked(ask())


def plans(statements: Statements) -> dict[str, int]:
    """How often each statement was run with the plan that was made once."""
    return dict(plainly(statements, "SELECT name, generic_plans FROM pg_prepared_statements WHERE custom_plans = 0"))


def test_a_statement_is_planned_once_and_run_as_its_customer(
    statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.prepared, "_PLAN_SECONDS", 60)
    for _ in range(7):
        assert run(statements, ADDED) == SUM
    assert plans(statements)[ADDED.name] == 7


def test_nothing_of_the_customer_stays_with_the_connection(statements: Statements) -> None:
    run(statements, ADDED)
    assert plainly(statements, "SELECT current_setting('app.tenant', true)") == [("",)]


def test_several_statements_are_one_transaction(statements: Statements, clean: Services) -> None:
    with pytest.raises(psycopg2.errors.DivisionByZero):
        run(statements, WRITTEN, DIVIDED, other=0)
    assert clean.superuser("SELECT count(*) FROM events") == [(0,)]
    run(statements, WRITTEN, DIVIDED)
    assert clean.superuser("SELECT count(*) FROM events") == [(1,)]


def test_a_connection_that_was_reset_is_prepared_anew(statements: Statements) -> None:
    run(statements, ADDED)
    plainly(statements, "DISCARD ALL")
    assert run(statements, ADDED) == SUM
    assert ADDED.name in plans(statements)


def test_what_an_earlier_user_of_the_connection_prepared_is_used(statements: Statements) -> None:
    plainly(statements, ADDED.prepare)
    assert run(statements, ADDED) == SUM


def test_where_nothing_stays_prepared_statements_are_sent_whole(
    statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ADDED, "prepare", "SELECT 1")
    for _ in range(2):
        assert run(statements, ADDED) == SUM
    assert statements._plain
    assert plans(statements) == {}


def test_a_plan_is_of_the_last_second(statements: Statements, clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was planned for a table with nothing in it would read the whole of a large one."""
    monkeypatch.setattr(db.prepared, "_PLAN_SECONDS", 0)
    clean.superuser("CREATE TABLE grown (id bigint PRIMARY KEY, text text)")
    clean.superuser("GRANT SELECT ON grown TO PUBLIC")
    clean.superuser("VACUUM ANALYZE grown")
    try:
        looked_up = Prepared("SELECT text FROM grown WHERE id = %(one)s", one="bigint")
        run(statements, looked_up)
        assert "Seq Scan" in plan_of(statements, looked_up)
        clean.superuser("INSERT INTO grown SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n")
        assert run(statements, looked_up) == [("x" * 500,)]
        assert "Seq Scan" not in plan_of(statements, looked_up)
    finally:
        clean.superuser("DROP TABLE grown")


def plan_of(statements: Statements, statement: Prepared) -> str:
    return "\n".join(line for (line,) in plainly(statements, f"EXPLAIN EXECUTE {statement.name}(2)"))


def test_the_loop_goes_on_while_postgresql_works(statements: Statements) -> None:
    async def turns() -> int:
        count, asking = 0, asyncio.create_task(statements.execute(GIVEN, SLEPT))
        while not asking.done():
            await asyncio.sleep(0.01)
            count += 1
        return count

    assert asked(turns()) > 10


async def test_any_loop_may_ask(statements: Statements) -> None:
    assert asyncio.get_running_loop() is not loop()
    assert await statements.execute(GIVEN, ADDED) == SUM
    with pytest.raises(psycopg2.errors.DivisionByZero):
        await statements.execute(GIVEN | {"other": 0}, DIVIDED)


def test_what_is_longer_than_a_socket_takes_at_once_arrives_whole(statements: Statements) -> None:
    text = "näive " * 4_000_000
    assert run(statements, WEIGHED, one=text) == [(len(text), text)]
    assert run(statements, ADDED) == SUM


def test_there_are_no_more_connections_than_were_allowed(statements: Statements, clean: Services) -> None:
    async def at_once() -> list[Rows]:
        return await asyncio.gather(*(statements.execute(GIVEN | {"other": 1}, SLEPT, ADDED) for _ in range(3)))

    before = _connections(clean)
    assert asked(at_once()) == [[(3, "1", "100 %")]] * 3
    assert _connections(clean) <= before + 1


def _connections(services: Services) -> int:
    ((count,),) = services.superuser("SELECT count(*) FROM pg_stat_activity WHERE usename = 'botyard_app'")
    return int(count)


def test_nobody_waits_for_a_connection_for_ever(statements: Statements, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.prepared, "_WAIT_SECONDS", 0.1)

    async def at_once() -> list[Rows | BaseException]:
        both = (statements.execute(GIVEN, SLEPT), statements.execute(GIVEN, ADDED))
        return list(await asyncio.gather(*both, return_exceptions=True))

    slept, waited = asked(at_once())
    assert not isinstance(slept, BaseException)
    assert isinstance(waited, PoolTimeout)
    assert run(statements, ADDED) == SUM


def test_a_connection_that_ended_while_nobody_asked_is_not_asked(statements: Statements, clean: Services) -> None:
    run(statements, ADDED)
    (line,) = statements._idle
    clean.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'botyard_app'")
    _until_closed(line)
    assert run(statements, ADDED) == SUM


def _until_closed(line: Line) -> None:
    deadline = time.monotonic() + 10
    while not line.closed:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_one_that_breaks_takes_the_idle_ones_with_it(clean: Services) -> None:
    """After a restart of the server all are dead, and each would cost an update its try."""
    statements = Statements(loop(), 3)

    async def at_once(*wanted: Prepared) -> list[Rows | BaseException]:
        return await asyncio.gather(*(statements.execute(GIVEN, one) for one in wanted), return_exceptions=True)

    asked(at_once(ADDED, ADDED, ADDED))
    assert len(statements._idle) == 3

    async def broken() -> list[Rows | BaseException]:
        asking = asyncio.create_task(at_once(SLEPT))
        await asyncio.sleep(0.1)
        # Nobody may notice the ends of the idle ones before.
        for line in statements._idle:
            asyncio.get_running_loop().remove_reader(line._connection.fileno())
        await asyncio.to_thread(
            clean.superuser, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'botyard_app'"
        )
        return await asking

    (found,) = asked(broken())
    assert isinstance(found, psycopg2.OperationalError)
    assert statements._idle == []
    assert asked(statements.execute(GIVEN, ADDED)) == SUM
    asked(_close(statements))


def test_a_connection_that_breaks_takes_no_answer_from_the_next_one_with_its_socket(clean: Services) -> None:
    """The driver gives a socket up when it finds it ended, and the next that is opened has the same number."""

    async def next_one() -> Rows:
        broken = await Line.opened(asyncio.get_running_loop())
        place = broken._connection.fileno()
        sleeping = broken.ask("SELECT pg_sleep(10)")
        await asyncio.to_thread(
            clean.superuser, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'botyard_app'"
        )
        await asyncio.wait([sleeping])
        assert isinstance(sleeping.exception(), psycopg2.OperationalError)
        following = [await Line.opened(asyncio.get_running_loop()) for _ in range(3)]
        assert place in [line._connection.fileno() for line in following]
        broken.close()  # whoever asked comes to it only now
        try:
            async with asyncio.timeout(5):
                return [row for line in following for row in await line.ask("SELECT 1")]
        finally:
            for line in following:
                line.close()

    assert asked(next_one()) == [(1,)] * 3


@pytest.mark.parametrize("asked_before", [True, False], ids=["while somebody asks", "while nobody asks"])
def test_a_connection_that_is_reset_leaves_nobody_waiting(clean: Services, *, asked_before: bool) -> None:
    """uvloop takes an error of a socket for the end of all interest in it, and tells nobody."""
    address = make_url(clean.environment["DATABASE_URL"])
    assert address.port is not None
    with Proxy(address.port) as proxy:
        url = address.set(port=proxy.port).render_as_string(hide_password=False)
        with environment({"DATABASE_URL": url}):
            statements = Statements(loop(), 1)
            run(statements, ADDED)
            asking = asyncio.run_coroutine_threadsafe(statements.execute(GIVEN | {"other": 100}, SLEPT), loop())
            if asked_before:
                wait_until(lambda: bool(clean.superuser(_ASLEEP)), 10, "it is asked")
                proxy.cut()
            else:
                asking.cancel()
                proxy.cut()
                asking = asyncio.run_coroutine_threadsafe(statements.execute(GIVEN, ADDED), loop())
            began = time.monotonic()
            try:
                assert asking.result(8) == SUM
            except psycopg2.OperationalError:
                assert time.monotonic() - began < 5
            assert run(statements, ADDED) == SUM
            asked(_close(statements))


def test_an_answer_is_found_although_the_event_loop_looks_at_its_connection_no_more(statements: Statements) -> None:
    run(statements, ADDED)
    (line,) = statements._idle

    async def unwatched() -> Rows:
        asking = asyncio.create_task(statements.execute(GIVEN, SLEPT, ADDED))
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().remove_reader(line._connection.fileno())
        return await asking

    assert asked(unwatched()) == SUM
    assert run(statements, ADDED) == SUM


_ASLEEP = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def test_one_that_breaks_with_whatever_error_is_looked_at_no_more(
    statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(statements, ADDED)
    (line,) = statements._idle

    async def broken(broken_line: Line, *_: object) -> Rows:
        broken_line._connection.close()
        raise psycopg2.DatabaseError

    monkeypatch.setattr(statements, "_run", broken)
    with pytest.raises(psycopg2.DatabaseError):
        run(statements, ADDED)
    assert line._watched is None
    monkeypatch.undo()
    assert run(statements, ADDED) == SUM


def test_who_gives_up_leaves_no_answer_to_others(statements: Statements) -> None:
    async def impatient() -> Rows:
        asking = asyncio.create_task(statements.execute(GIVEN | {"other": 50}, SLEPT))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.wait([asking])
        return await statements.execute(GIVEN, ADDED)

    assert asked(impatient()) == SUM


def test_a_server_that_is_not_there_is_trouble_of_the_database(
    statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        refusing = {"host": "127.0.0.1", "port": silent.getsockname()[1], "dbname": "x", "user": "x"}
        monkeypatch.setattr(db.line, "connect_arguments", lambda _: refusing)
        with pytest.raises(psycopg2.OperationalError):
            run(statements, ADDED)
        silent.listen()
        monkeypatch.setattr(db.line, "_CONNECT_SECONDS", 0.2)
        with pytest.raises(psycopg2.OperationalError, match=r"no connection within 0\.2 s"):
            run(statements, ADDED)
    monkeypatch.undo()
    assert run(statements, ADDED) == SUM
