"""What is forgotten, when, and what is not."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg2
import pytest

from botyard.commands import status
from botyard.processing import retention
from botyard.processing.retention import kept, prune, prune_history
from botyard.settings import Settings
from db.engine import get_engine
from tasks.processes import WorkerProcess
from tests.factories import make_bot
from tests.services import Services

_TABLES = ("messages", "events", "dead_letters")


@pytest.fixture(autouse=True)
def bot(clean: Services) -> None:
    make_bot()
    clean.superuser("TRUNCATE events")


_WRITTEN = (
    """INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, text, at)
       SELECT id, customer_id, '5', 'in', 'message', %(old)s, now() - make_interval(days => %(old)s) FROM bots""",
    """INSERT INTO events (customer_id, bot_id, type, entity, actor, data, at)
       SELECT customer_id, id, 'test', %(old)s, 'bot', '{}', now() - make_interval(days => %(old)s) FROM bots""",
    """INSERT INTO dead_letters (bot_id, customer_id, what, telegram_id, chat_key, reason, detail, request, attempts,
                                 fingerprint, created_at)
       SELECT id, customer_id, 'update', telegram_id, '5', %(old)s, '', '{}', 3, 'x',
              now() - make_interval(days => %(old)s) FROM bots""",
)
_RESOLVED = (
    """INSERT INTO inbox (telegram_id, update_id, bot_id, customer_id, chat_key, kind, body, state, received_at,
                          resolved_at)
       SELECT telegram_id, %(hours)s, id, customer_id, '5', 'message', '{}', 'done', now() - interval '90 days',
              now() - make_interval(hours => %(hours)s) FROM bots""",
    """INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, state, created_at, resolved_at)
       SELECT id, customer_id, '5', 1, 'sendMessage', '{}', state, now() - interval '90 days',
              CASE state WHEN 'sent' THEN now() - make_interval(hours => %(hours)s) END
         FROM bots, unnest(ARRAY['sent', 'queued']) state""",
    """INSERT INTO journal (bot_id, customer_id, scope, position, digest, answer, created_at)
       SELECT id, customer_id, 'update ' || telegram_id || ' ' || %(hours)s, 1, 'x', '{}',
              now() - make_interval(hours => %(hours)s) FROM bots""",
)


def execute(*statements: str, **parameters: int) -> None:
    with get_engine("system").begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, parameters)


def write(*days: int) -> None:
    """A message, an event and a dead letter of so many days ago, each."""
    for old in days:
        execute(*_WRITTEN, old=old)


def left(services: Services) -> dict[str, list[str]]:
    words = {"messages": "text", "events": "entity", "dead_letters": "reason"}
    return {
        table: [word for (word,) in services.superuser(f"SELECT {words[table]} FROM {table} ORDER BY id")]  # noqa: S608
        for table in _TABLES
    }


def test_what_settings_keep_no_longer_is_forgotten_and_nothing_else(clean: Services) -> None:
    write(40, 20, 9, 1)
    settings = Settings(history_days=30, events_days=10, dead_letters_days=2)
    assert prune_history(settings) == 1 + 2 + 3
    assert left(clean) == {"messages": ["20", "9", "1"], "events": ["9", "1"], "dead_letters": ["1"]}
    assert prune_history(settings) == 0


def test_the_hourly_task_forgets_both(clean: Services, tmp_path: Path) -> None:
    write(9000)
    execute(*_RESOLVED, hours=73)
    process = cast("WorkerProcess", SimpleNamespace(settings=Settings(state_dir=tmp_path)))
    assert WorkerProcess.prune(process) == 3 + 3
    assert left(clean) == {table: [] for table in _TABLES}


def test_nought_keeps_for_ever(clean: Services) -> None:
    write(9000)
    assert prune_history(Settings(history_days=0, events_days=0, dead_letters_days=0)) == 0
    assert left(clean) == {table: ["9000"] for table in _TABLES}


def test_what_is_of_long_ago_goes_in_small_steps_that_hold_up_nobody(
    clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 3)
    write(*[500] * 8, 1)
    (before,) = clean.superuser("SELECT pg_current_xact_id()::text::bigint")
    assert prune_history(Settings()) == 24
    (after,) = clean.superuser("SELECT pg_current_xact_id()::text::bigint")
    # Three steps for each table, and our own question.
    assert after[0] - before[0] >= 3 * 3 + 1
    assert left(clean) == {table: ["1"] for table in _TABLES}


def test_what_only_served_to_recognise_repetitions_goes_three_days_after_its_end(
    clean: Services,
) -> None:
    for hours in (71, 73):
        execute(*_RESOLVED, hours=hours)
    assert prune() == 3
    assert clean.superuser("SELECT update_id FROM inbox") == [(71,)]
    assert sorted(clean.superuser("SELECT state FROM outbox")) == [("queued",), ("queued",), ("sent",)]
    assert clean.superuser("SELECT split_part(scope, ' ', 3) FROM journal") == [("71",)]


def test_how_much_is_kept_and_for_how_long_is_said_the_largest_first(clean: Services) -> None:
    clean.superuser("SELECT pg_stat_reset()")
    write(*[1] * 30)
    execute("SELECT pg_stat_force_next_flush()")
    shown = kept(Settings(history_days=2, events_days=0))
    hours = {one.table: one.hours for one in shown}
    assert (hours["messages"], hours["events"], hours["inbox"]) == (48, None, 72)
    # Other connections tell of earlier tests' rows when they like.
    assert 30 <= next(one.rows for one in shown if one.table == "messages") < 100
    assert [one.size for one in shown] == sorted((one.size for one in shown), reverse=True)
    assert all(one.size > 0 for one in shown)


def test_without_the_database_the_status_says_so_and_shows_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(_: Settings) -> None:
        raise psycopg2.OperationalError

    monkeypatch.setattr(status, "attached", lambda: settings)
    monkeypatch.setattr(retention, "kept", away)
    assert status._kept() == []
    assert "the database does not answer" in capsys.readouterr().err


def test_who_was_written_to_by_a_schedule_is_forgotten_by_its_setting(clean: Services) -> None:
    for days in (20, 1):
        execute(
            """INSERT INTO occurrences (bot_id, schedule_id, slot, recipient, run_id, day, due, send_id)
               SELECT id, 1, %(old)s, 5, 1, now(), now() - make_interval(days => %(old)s), 1 FROM bots""",
            """INSERT INTO schedule_runs (bot_id, schedule_id, zone, slot, moment, state)
               SELECT id, 1, 'UTC', %(old)s || state, now() - make_interval(days => %(old)s), state
                 FROM bots, unnest(ARRAY['open', 'done']) state""",
            old=days,
        )
    assert prune_history(Settings(occurrences_days=10)) == 2
    assert clean.superuser("SELECT slot FROM occurrences") == [("1",)]
    assert clean.superuser("SELECT slot FROM schedule_runs ORDER BY slot") == [("1done",), ("1open",), ("20open",)]
    assert prune_history(Settings(occurrences_days=0)) == 0
