"""Schedules: everybody is written to once for each moment, and what is left out is counted."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from botyard.accounts.access import tenant_session
from botyard.errors import InputError
from botyard.schedules import expanding, storing
from botyard.schedules.dispatching import dispatch
from botyard.schedules.planning import AutonomousManager
from botyard.schedules.plans import Audience, Plan
from db.models import ScheduleRun
from tests.integration.schedules.tools import DAILY, Planned, every, execute, hello, rows, state_of, work
from tests.services import Services


@pytest.fixture
def planned(clean: Services) -> Planned:  # noqa: ARG001 - the tables are empty
    return Planned()


def test_everyone_who_can_be_reached_is_written_to_once(planned: Planned) -> None:
    planned.people(1, 2, 3)
    planned.block(2)
    schedule = planned.schedule()
    work()
    assert planned.sends() == [], "its moment has not come"
    planned.come(schedule)
    work()
    assert planned.sends() == [("1", "Hello P1"), ("3", "Hello P3")]
    assert state_of(schedule) == [("done", 2, {"unreachable": 1})]
    (row,) = rows("SELECT lane, state, deadline > now(), repeat_policy FROM outbox LIMIT 1")
    assert row == (2, "queued", True, "repeat")
    ((following,),) = rows("SELECT next_run > now() FROM schedule_zones")
    assert following
    # The same moment again: nothing is planned twice, whoever plans.
    planned.come(schedule)
    work()
    assert len(planned.sends()) == 2


def test_two_managers_at_once_send_nothing_twice(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanding, "_PART", 7)
    planned.people(*range(1, 101))
    schedules = [planned.schedule() for _ in range(3)]
    for schedule in schedules:
        planned.come(schedule)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    work()
    assert len(planned.sends()) == 300
    assert len(set(rows("SELECT schedule_id, recipient FROM occurrences"))) == 300
    assert [state_of(schedule) for schedule in schedules] == [[("done", 100, {})]] * 3


def test_who_is_killed_between_two_parts_leaves_nothing_out(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanding, "_PART", 10)
    planned.people(*range(1, 36))
    schedule = planned.schedule()
    planned.come(schedule)
    manager = AutonomousManager()
    manager.plan()
    bots, more = manager.work(0.0)
    assert (bots, more) == (set(), True)
    for _ in range(2):
        manager = AutonomousManager()
        # One part each, as if the process ended there.
        monkeypatch.setattr("botyard.schedules.planning.time.monotonic", iter([0.0, 0.0, 9.0]).__next__)
        assert manager.work(5.0) == ({planned.bot.id}, True)
        monkeypatch.undo()
        monkeypatch.setattr(expanding, "_PART", 10)
    assert len(planned.sends()) == 20
    work()
    assert sorted(int(chat) for chat, _ in planned.sends()) == list(range(1, 36))


def test_a_beat_that_was_down_for_an_hour_skips_nothing_and_says_what_is_too_late(planned: Planned) -> None:
    planned.people(1)
    schedule = planned.schedule(every(600), grace=1200)
    planned.come(schedule, timedelta(minutes=60))
    work()
    states = [state for state, _, _ in state_of(schedule)]
    assert states == ["missed"] * 5 + ["done"] * 2, "of 60 to 20 minutes ago and some seconds, then of 10 and 0"
    assert len(planned.sends()) == 2
    assert rows("SELECT count(*) FROM events WHERE type = 'schedule.missed'") == [(5,)]


def test_a_run_that_nobody_worked_on_in_time_is_missed(planned: Planned) -> None:
    planned.people(1)
    schedule = planned.schedule(grace=60)
    planned.come(schedule)
    AutonomousManager().plan()
    execute("UPDATE schedule_runs SET moment = moment - interval '10 minutes'")
    work()
    assert state_of(schedule) == [("missed", 0, {})]
    assert planned.sends() == []


def test_only_those_who_are_meant_are_written_to(planned: Planned) -> None:
    planned.people(1, 2, tags=["vip"], language="ru")
    planned.people(3, tags=["vip"])
    planned.people(4, language="ru")
    for audience, meant in (
        (Audience(users=(1, 4, 99)), ["1", "4"]),
        (Audience(tag="vip"), ["1", "2", "3"]),
        (Audience(language="ru"), ["1", "2", "4"]),
        (Audience(tag="vip", language="ru"), ["1", "2"]),
        (Audience(users=(2, 3), tag="vip", language="ru"), ["2"]),
    ):
        planned.come(planned.schedule(audience=audience))
        work()
        assert [chat for chat, _ in planned.sends()] == meant
        execute("DELETE FROM outbox")


def test_everybody_reads_their_language(planned: Planned) -> None:
    planned.people(1, language="ru")
    planned.people(2, language="fr")
    planned.come(planned.schedule(content=hello("Hi {{first_name|you}}", ru="Привет, {{first_name|друг}}")))
    work()
    assert planned.sends() == [("1", "Привет, P1"), ("2", "Hi P2")]


def test_people_have_their_own_zones_and_those_without_one_the_bots(planned: Planned) -> None:
    planned.people(1, zone="Asia/Tokyo")
    planned.people(2, zone="America/New_York")
    planned.people(3, zone="Mars/Phobos")
    planned.people(4)
    schedule = planned.schedule(zone="person")
    assert rows("SELECT zone FROM schedule_zones ORDER BY zone") == [("America/New_York",), ("Asia/Tokyo",), ("UTC",)]
    planned.come(schedule, zone="Asia/Tokyo")
    work()
    assert [chat for chat, _ in planned.sends()] == ["1"]
    planned.come(schedule, zone="UTC")
    work()
    assert [chat for chat, _ in planned.sends()] == ["1", "3", "4"]
    # A zone that nobody had: until it is known its people have the bot's, and nobody is forgotten.
    planned.people(5, zone="Europe/Berlin")
    assert AutonomousManager().learn_zones() == 1
    assert AutonomousManager().learn_zones() == 0
    planned.come(schedule, zone="Europe/Berlin")
    work()
    assert [chat for chat, _ in planned.sends()][3:] == ["5"]


def test_who_travels_is_not_told_the_same_twice(planned: Planned) -> None:
    planned.people(1, zone="Asia/Tokyo")
    planned.people(2, zone="Europe/Berlin")
    schedule = planned.schedule(zone="person")
    planned.come(schedule, zone="Asia/Tokyo")
    AutonomousManager().plan()
    execute("UPDATE schedule_runs SET slot = '2030-01-01T09:00'")
    work()
    execute("""UPDATE bot_users SET attributes = '{"time_zone": "Europe/Berlin"}' WHERE user_id = 1""")
    planned.come(schedule, zone="Europe/Berlin")
    AutonomousManager().plan()
    execute("UPDATE schedule_runs SET slot = '2030-01-01T09:00' WHERE zone = 'Europe/Berlin'")
    work()
    assert planned.sends() == [("1", "Hello P1"), ("2", "Hello P2")]
    assert state_of(schedule)[-1] == ("done", 1, {"already": 1})


def test_quiet_hours_put_a_message_off_until_their_end(planned: Planned) -> None:
    planned.people(1, zone="Asia/Tokyo")
    now = datetime.now(UTC)
    begin, end = ((now + timedelta(hours=9 + hours)).strftime("%H:%M") for hours in (-1, 2))
    planned.come(planned.schedule(quiet=(begin, end)))
    work()
    ((due, deadline),) = rows("SELECT due, deadline FROM outbox")
    assert timedelta(hours=1, minutes=58) < due - now < timedelta(hours=2, minutes=1)
    assert deadline - due == timedelta(hours=1)


def test_nobody_gets_more_in_a_day_than_the_cap(planned: Planned) -> None:
    planned.people(1, 2)
    first, second = planned.schedule(cap=2), planned.schedule(every(60), cap=2)
    planned.come(first)
    work()
    planned.come(second, timedelta(minutes=2))
    work()
    assert len(planned.sends()) == 4
    assert [(planned_, skipped) for _, planned_, skipped in state_of(second)] == [
        (2, {}), (0, {"cap": 2}), (0, {"cap": 2}),
    ]  # fmt: skip


def test_jitter_spreads_a_moment_over_its_time_and_always_in_the_same_way(planned: Planned) -> None:
    planned.people(*range(1, 51))
    planned.come(planned.schedule(jitter=600))
    work()
    found = rows("SELECT extract(epoch FROM due - (SELECT min(due) FROM outbox))::bigint FROM outbox")
    seconds = sorted(one for (one,) in found)
    assert len(set(seconds)) > 40
    assert 450 < seconds[-1] <= 600


def test_silence_is_answered_once_until_somebody_writes_again(planned: Planned) -> None:
    ago = datetime.now(UTC) - timedelta(hours=48)
    planned.people(1, seen=ago - timedelta(seconds=20))
    planned.people(2, seen=ago + timedelta(hours=1))
    planned.people(3, seen=ago - timedelta(days=3))
    schedule = planned.schedule({"type": "silence", "hours": 48})
    for _ in range(3):
        execute("UPDATE schedule_zones SET due = now(), next_run = now()")
        work()
    assert planned.sends() == [("1", "Hello P1")], "and whoever was silent before is not meant"
    execute("UPDATE bot_users SET last_seen = now() - interval '48 hours 10 seconds' WHERE user_id = 1")
    execute("UPDATE schedule_zones SET due = now(), next_run = now()")
    work()
    assert len(planned.sends()) == 2
    assert [state for state in state_of(schedule) if not state[1]] == [], "a look that finds nobody leaves nothing"


def test_a_pause_takes_back_what_is_not_sent_and_nothing_comes_while_it_lasts(planned: Planned) -> None:
    planned.people(1, 2)
    schedule = planned.schedule()
    planned.come(schedule)
    work()
    execute("UPDATE outbox SET state = 'sent', resolved_at = now() WHERE chat_key = '1'")
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule, to_change=True)
        assert found is not None
        assert storing.switch(session, planned.bot, found, enabled=False) == 1
        assert storing.moments_of(planned.bot, found) == []
        with pytest.raises(InputError, match="is paused"):
            storing.run_now(session, planned.bot, found)
    assert rows("SELECT state, error FROM outbox ORDER BY chat_key") == [
        ("sent", None),
        ("dropped", "it was cancelled"),
    ]
    work()
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule, to_change=True)
        assert found is not None
        storing.switch(session, planned.bot, found, enabled=True)
        assert len(storing.moments_of(planned.bot, found)) == 5
    work()
    assert len(planned.sends()) == 2
    assert [ran.outcomes for ran in _runs(schedule)] == [{"sent": 1, "dropped": 1}]


def _runs(schedule: int) -> list[storing.Ran]:
    with tenant_session(1) as session:
        return storing.runs(session, schedule, None, 10)


def test_run_now_writes_to_all_and_leaves_the_moments_alone(planned: Planned) -> None:
    planned.people(1, zone="Asia/Tokyo")
    planned.people(2)
    schedule = planned.schedule(zone="person")
    before = rows("SELECT zone, next_run FROM schedule_zones ORDER BY zone")
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule)
        assert found is not None
        assert isinstance(storing.run_now(session, planned.bot, found), ScheduleRun)
    work()
    assert [chat for chat, _ in planned.sends()] == ["1", "2"]
    assert rows("SELECT zone, next_run FROM schedule_zones ORDER BY zone") == before


def test_a_broken_schedule_stops_no_other_and_says_why(planned: Planned) -> None:
    planned.people(1)
    other = Planned(4_200_000_002)
    other.people(7)
    moment, content, good = planned.schedule(), planned.schedule(), other.schedule()
    execute(
        """UPDATE schedules SET recurrence = '{"type": "cron", "expression": "nonsense"}' WHERE id = :id""", id=moment
    )
    execute("UPDATE schedules SET content = '{}' WHERE id = :id", id=content)
    for schedule in (moment, content, good):
        planned.come(schedule)
    work()
    assert other.sends() == [("7", "Hello P7")]
    assert planned.sends() == []
    broken = dict(rows("SELECT id, error FROM schedules"))
    assert broken[good] is None
    assert broken[moment]
    assert "KeyError" in broken[content]
    assert rows("SELECT count(*) FROM events WHERE type = 'schedule.failed'") == [(2,)]
    planned.come(content)
    work()
    assert not AutonomousManager().has_work(), "it does not go on until somebody changes it"


def test_a_bot_that_is_switched_off_misses_its_moments_and_others_do_not(planned: Planned) -> None:
    planned.people(1)
    schedule = planned.schedule(grace=60)
    planned.come(schedule)
    execute("UPDATE bots SET status = 'inactive'")
    work()
    assert state_of(schedule) == []
    execute("UPDATE bots SET status = 'active'")
    planned.come(schedule, timedelta(minutes=5))
    work()
    assert state_of(schedule) == [("missed", 0, {})]


def test_the_end_is_the_end(planned: Planned) -> None:
    planned.people(1)
    schedule = planned.schedule(every(60), ends_at=datetime.now(UTC) + timedelta(minutes=1))
    execute("UPDATE schedules SET ends_at = now()")
    planned.come(schedule)
    work()
    assert len(planned.sends()) == 1
    assert rows("SELECT next_run, due FROM schedule_zones") == [(None, None)]


def test_a_text_that_grew_too_long_for_somebody_is_counted(planned: Planned) -> None:
    planned.people(1)
    planned.come(schedule := planned.schedule(content=hello("x" * 4090 + "{{attributes.plan|ok}}")))
    execute("""UPDATE bot_users SET attributes = '{"plan": "a very long one"}'""")
    work()
    assert state_of(schedule) == [("done", 0, {"too long": 1})]


def test_a_change_begins_anew_and_removal_leaves_nothing(planned: Planned) -> None:
    planned.people(1)
    schedule = planned.schedule()
    planned.come(schedule)
    work()
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule, 1, to_change=True)
        assert found is not None
        storing.change(
            session, planned.bot, found, Plan("weekly", {"type": "cron", "expression": "0 9 * * 1"}, hello("x"))
        )
        assert (found.version, found.name) == (2, "weekly")
        assert storing.moments_of(planned.bot, found)[0].weekday() == 0
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule, to_change=True)
        assert found is not None
        storing.remove(session, planned.bot, found)
    for table in ("schedules", "schedule_zones", "schedule_runs", "occurrences"):
        assert rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - our own words
    assert rows("SELECT state FROM outbox") == [("dropped",)]
    told = [how for (how,) in rows("SELECT data->>'how' FROM events WHERE type = 'schedule.changed' ORDER BY id")]
    assert told == ["made", "changed", "removed"]


def test_a_customer_sees_no_schedule_of_another(planned: Planned) -> None:
    schedule = planned.schedule()
    execute("INSERT INTO customers (name) VALUES ('other')")
    ((other,),) = rows("SELECT max(id) FROM customers")
    with tenant_session(other) as session:
        assert storing.schedule_of(session, planned.bot.id, schedule) is None
        assert storing.runs(session, schedule, None, 5) == []


def test_a_bot_has_so_many_schedules_and_no_more(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "MOST", 2)
    planned.schedule()
    planned.schedule()
    with pytest.raises(InputError, match="are 2 already"):
        planned.schedule()


def test_a_worker_is_asked_for_once_there_is_something_to_do(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr("botyard.schedules.dispatching.ask", lambda: asked.append(None))
    planned.people(1)
    planned.come(planned.schedule(DAILY))
    assert (dispatch(), len(asked)) == (1, 1)
    assert (dispatch(), len(asked)) == (0, 2), "the first message may be lost"
    work()
    assert (dispatch(), len(asked)) == (0, 2)
