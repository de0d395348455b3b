"""Operations: one worker at a time, from where the last one stopped, and an end that is told in words."""
# ruff: noqa: S608 - statements with our own numbers

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text

from botyard.errors import InputError, TransientError
from botyard.operations import Cancelled, Lost, PutOff, Runner, TooMany, Wanted, Work, begin, work
from botyard.operations.ending import cancel
from botyard.operations.running import forget_old, run, waiting
from botyard.sync import get_sync
from db.engine import get_engine, get_sessions
from db.models import Operation
from tasks.operations import RUNNERS, resume_operations, run_operation
from tests import queues
from tests.services import Services

Run = Callable[[Work], dict[str, Any]]


@pytest.fixture(autouse=True)
def database(clean: Services) -> Services:
    return clean


def row(number: int) -> Operation:
    with get_sessions("system")() as session:
        return session.get_one(Operation, number)


def advanced(work: Work, done: int) -> dict[str, Any]:
    work.advance(done)
    return {"by": "another"}


def ran(number: int, does: Run, *, whole: bool = False) -> bool:
    return run(number, {"test": Runner(does, whole=whole)})


def begun(**request: Any) -> int:
    return begin(Wanted("test", 1, 31, request, total=4))


def at_locks(clean: Services, count: int, seconds: float) -> bool:
    """Whether so many come to wait for locks until then."""
    ends = time.monotonic() + seconds
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while not (found := clean.superuser(query) == [(count,)]) and time.monotonic() < ends:
        time.sleep(0.01)
    return found


def dies(number: int, clean: Services, *, done: int = 0) -> None:
    """A worker claims it, gets so far, and is gone; its claim passes."""

    def part(work: Work) -> dict[str, Any]:
        if done:
            work.advance(done)
        raise SystemExit

    with pytest.raises(SystemExit):
        ran(number, part)
    clean.superuser(f"UPDATE operations SET runs_until = now() - interval '1 s' WHERE id = {number}")


def test_what_a_runner_gives_back_is_the_result_and_each_step_is_told() -> None:
    told: list[Any] = []
    end = get_sync().on("operations.updated", lambda _, data: told.append(dict(data)))
    number = begun(what="all")

    def does(work: Work) -> dict[str, Any]:
        assert (work.request, work.customer_id, work.bot_id, work.done, work.total) == ({"what": "all"}, 1, 31, 0, 4)
        work.advance(3)
        assert (row(number).state, row(number).done) == ("running", 3)
        return {"made": 4}

    assert ran(number, does) is False
    end()
    found = row(number)
    assert (found.state, found.result, found.done, found.total) == ("done", {"made": 4}, 3, 4)
    assert found.started_at is not None
    assert found.finished_at is not None
    assert [one["id"] for one in told] == [number] * len(told)
    versions = [one["version"] for one in told]
    assert versions == sorted(versions)
    assert versions[-1] == found.version
    assert all(one["customer"] == 1 for one in told)


def test_a_second_worker_that_gets_the_same_message_leaves_it_alone() -> None:
    number = begun()
    inner: list[bool] = []

    def does(_: Work) -> dict[str, Any]:
        inner.append(ran(number, lambda _: pytest.fail("it runs twice")))
        return {}

    ran(number, does)
    ran(number, lambda _: pytest.fail("it runs once more"))
    assert inner == [False]
    assert row(number).state == "done"


def test_after_a_crash_another_worker_goes_on_from_there_with_the_report_so_far(clean: Services) -> None:
    number = begun()

    def part(work: Work) -> dict[str, Any]:
        work.report["skipped"] = ["a"]
        work.advance(2)
        raise SystemExit

    with pytest.raises(SystemExit):
        ran(number, part)
    assert waiting() == []
    clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s'")
    assert waiting() == [number]

    def rest(work: Work) -> dict[str, Any]:
        assert (work.done, work.report) == (2, {"skipped": ["a"]})
        work.advance(4)
        return work.report

    ran(number, rest)
    assert (row(number).state, row(number).result) == ("done", {"skipped": ["a"]})


def test_a_worker_that_was_silent_for_too_long_writes_nothing_any_more(clean: Services) -> None:
    number = begun()
    seen: list[type] = []

    def stalls(work: Work) -> dict[str, Any]:
        clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s'")
        ran(number, lambda other: advanced(other, 4))
        with pytest.raises(Lost):
            work.advance(1)
        seen.append(Lost)
        return {"by": "the first"}

    ran(number, stalls)
    found = row(number)
    assert seen == [Lost]
    assert (found.state, found.done, found.result) == ("done", 4, {"by": "another"})


def test_a_worker_that_was_silent_disturbs_nobody_who_is_at_work_since(clean: Services) -> None:
    number = begun()

    def stalls(first: Work) -> dict[str, Any]:
        clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s'")

        def takes_over(second: Work) -> dict[str, Any]:
            with pytest.raises(Lost):
                first.advance(3)
            return advanced(second, 1)

        ran(number, takes_over)
        raise Lost(number)

    ran(number, stalls)
    assert (row(number).state, row(number).done) == ("done", 1)


def test_what_kills_its_worker_three_times_at_the_same_place_is_given_up(clean: Services) -> None:
    number = begun()
    dies(number, clean)
    # It got further this time: that counts anew.
    dies(number, clean, done=1)
    for _ in range(2):
        dies(number, clean)
    ran(number, lambda _: pytest.fail("it is started again"))
    assert (row(number).state, row(number).error) == (
        "failed", "Its worker died, or was killed, three times at the same place.",
    )  # fmt: skip


@pytest.mark.parametrize("whole", [False, True])
def test_who_begins_anew_and_dies_at_the_same_place_is_given_up_too(clean: Services, *, whole: bool) -> None:
    number = begun()

    def part(work: Work) -> dict[str, Any]:
        work.advance(1)
        work.advance(2)
        raise SystemExit

    for _ in range(3):
        with pytest.raises(SystemExit):
            ran(number, part, whole=whole)
        clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s'")
    ran(number, lambda _: pytest.fail("it is started again"), whole=whole)
    assert (row(number).state, row(number).done) == ("failed", 2)


def test_what_is_stopped_three_times_at_the_same_place_is_given_up() -> None:
    number = begun()
    assert [ran(number, fails_with(SoftTimeLimitExceeded())) for _ in range(3)] == [True] * 3
    ran(number, lambda _: pytest.fail("it is started again"))
    assert row(number).state == "failed"


def test_an_end_waits_for_a_renewal_that_is_under_way(clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_RENEW_SECONDS", 0.01)
    number = begun()

    def does(_: Work) -> dict[str, Any]:
        held.execute(text("SELECT 1 FROM operations WHERE id = :id FOR UPDATE"), {"id": number})
        assert at_locks(clean, 1, 30)
        threading.Thread(target=lets_go).start()
        return {"made": 1}

    def lets_go() -> None:
        # An end that did not wait for the renewal stands behind it now.
        at_locks(clean, 2, 0.5)
        held.rollback()

    with get_engine("system").connect() as held:
        ran(number, does)
    assert (row(number).state, row(number).result) == ("done", {"made": 1})


def test_a_slice_ends_where_progress_is_kept_and_the_rest_goes_on_behind_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    number = begun()

    def does(work: Work) -> dict[str, Any]:
        with pytest.raises(PutOff):
            work.advance(work.done + 2)
        raise PutOff(work.id)

    assert ran(number, does) is True
    assert (row(number).state, row(number).done) == ("queued", 2)
    assert ran(number, lambda work: advanced(work, work.done), whole=True) is False
    assert row(number).state == "done"


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_at_its_next_step() -> None:
    waits, runs = begun(), begun()
    assert cancel(waits).state == "cancelled"

    def does(work: Work) -> dict[str, Any]:
        assert cancel(runs).state == "running"
        work.report["made"] = 1
        with pytest.raises(Cancelled):
            work.advance(1)
        raise Cancelled(runs)

    ran(runs, does)
    ran(waits, lambda _: pytest.fail("it was cancelled"))
    assert (row(runs).state, row(runs).done, row(runs).result) == ("cancelled", 1, {"made": 1})
    assert cancel(runs).version == row(runs).version, "again changes nothing"


def test_one_whose_worker_is_gone_is_cancelled_by_the_next(clean: Services) -> None:
    number = begun()
    dies(number, clean)
    cancel(number)
    assert waiting() == [number]
    ran(number, lambda _: pytest.fail("it was cancelled"))
    assert row(number).state == "cancelled"


def fails_with(error: Exception) -> Run:
    def does(_: Work) -> dict[str, Any]:
        raise error

    return does


def test_a_failure_is_told_in_words_and_a_bug_of_ours_without_its_own() -> None:
    wrong, bug = begun(), begun()
    ran(wrong, fails_with(InputError("file", "is no archive.", "Send a zip.")))
    ran(bug, fails_with(ValueError("something internal")))
    assert (row(wrong).state, row(wrong).error) == ("failed", "file: is no archive. Send a zip.")
    assert (row(bug).state, row(bug).error) == ("failed", "That is a bug of ours; it was noted.")


def test_what_may_work_later_is_tried_later(clean: Services) -> None:
    number = begun()
    for _ in range(5):
        assert ran(number, fails_with(TransientError("Telegram is away", 30))) is False
        assert row(number).state == "running"
        ran(number, lambda _: pytest.fail("it is not yet time"))
        clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s'")
    assert ran(number, lambda _: {"made": 1}) is False
    assert row(number).state == "done"


def test_nothing_goes_on_for_longer_than_a_day(clean: Services) -> None:
    number = begun()
    clean.superuser("UPDATE operations SET started_at = now() - interval '25 hours'")
    ran(number, lambda _: pytest.fail("it runs"))
    assert (row(number).state, row(number).error) == ("failed", "It was not over after a day.")


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_the_private_part_of_a_request_goes_when_it_ends(end: str) -> None:
    number = begun(private={"tokens": ["sealed"]}, kind="demo")
    if end == "cancelled":
        cancel(number)
    else:
        ran(number, (lambda _: {}) if end == "done" else fails_with(ValueError()))
    assert (row(number).state, row(number).request) == (end, {"kind": "demo"})


def test_it_begins_with_its_callers_transaction_or_not_at_all() -> None:
    with get_sessions("system").begin() as session:
        begin(Wanted("test", 1), session)
        session.rollback()
    with get_sessions("system")() as session:
        assert session.query(Operation).count() == 0
    with get_sessions("system").begin() as session:
        number = begin(Wanted("test", 1), session)
    assert row(number).state == "queued"


def test_whose_message_was_lost_is_found_by_the_sweep(clean: Services) -> None:
    number = begun()
    assert waiting() == []
    clean.superuser("UPDATE operations SET created_at = now() - interval '31 s'")
    assert waiting() == [number]


def test_a_customer_with_too_many_waits_and_another_does_not() -> None:
    for _ in range(50):
        begun()
    with pytest.raises(TooMany):
        begun()
    assert begin(Wanted("test", 2))


def test_after_thirty_days_nothing_is_left_of_it(clean: Services) -> None:
    old, young = begun(), begun()
    for number in (old, young):
        ran(number, lambda _: {})
    clean.superuser(f"UPDATE operations SET finished_at = now() - interval '31 days' WHERE id = {old}")
    assert forget_old() == 1
    assert row(young).state == "done"


def test_what_a_runner_keeps_for_itself_is_not_in_its_result(clean: Services) -> None:
    given_back, given_up = begun(), begun()

    def keeps(work: Work) -> dict[str, Any]:
        work.report = {"made": 1, "private": {"after": 7}}
        work.advance(1)
        return work.report

    ran(given_back, keeps)

    def is_killed(work: Work) -> dict[str, Any]:
        raise SystemExit(keeps(work))

    with pytest.raises(SystemExit):
        ran(given_up, is_killed)
    clean.superuser("UPDATE operations SET runs_until = now() - interval '1 s', tries = 3 WHERE state = 'running'")
    ran(given_up, lambda _: pytest.fail("it is started again"))
    assert [(row(number).state, row(number).result) for number in (given_back, given_up)] == [
        ("done", {"made": 1}), ("failed", {"made": 1}),
    ]  # fmt: skip


def test_that_it_was_wanted_is_recorded_and_its_progress_is_not(clean: Services) -> None:
    number = begun(private={"user": 700000001})
    ran(number, lambda work: advanced(work, 4))
    found = clean.superuser("SELECT entity, action, after::text, bot_id, customer_id FROM audit")
    assert found == [(f"operations:{number}", "created", '{"kind": "test"}', 31, 1)]


def test_the_task_sends_the_rest_of_it_behind_what_waits_and_the_sweep_what_was_lost(
    clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    monkeypatch.setitem(RUNNERS, "test", Runner(lambda work: advanced(work, work.done + 1)))
    number = begun()
    assert len(queues.waiting("maintenance")) == 1
    run_operation.run(number)
    assert (row(number).state, row(number).done, len(queues.waiting("maintenance"))) == ("queued", 1, 2)
    resume_operations.run()
    assert len(queues.waiting("maintenance")) == 2
    clean.superuser("UPDATE operations SET runs_until = now() - interval '31 s'")
    resume_operations.run()
    assert len(queues.waiting("maintenance")) == 3
