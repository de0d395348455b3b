"""When jobs fire: triggers as JSON, and the moments that follow from them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from botyard.errors import InputError
from botyard.jobs.triggers import first_moment, make_trigger, moment_after, restored

BERLIN = ZoneInfo("Europe/Berlin")


def moments(trigger: dict[str, Any], after: datetime, count: int) -> list[datetime]:
    """The next moments, each computed from JSON, as by one process after the other."""
    found: list[datetime] = []
    for _ in range(count):
        moment = moment_after(json.loads(json.dumps(trigger)), found[-1] if found else after)
        assert moment is not None
        found.append(moment)
    return found


def daily(hour: int, minute: int = 0) -> dict[str, Any]:
    return make_trigger("cron", {"hour": hour, "minute": minute, "second": 0, "timezone": BERLIN}, UTC)


@pytest.mark.parametrize("around", [datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)])
def test_a_daily_job_keeps_its_local_time_when_the_clocks_are_changed(around: datetime) -> None:
    found = moments(daily(9), around, 5)
    assert {moment.astimezone(BERLIN).hour for moment in found} == {9}
    assert len({moment.astimezone(UTC).hour for moment in found}) == 2
    assert len({moment.astimezone(BERLIN).date() for moment in found}) == 5


def test_an_hour_that_there_is_twice_fires_once() -> None:
    found = moments(daily(2, 30), datetime(2026, 10, 24, tzinfo=UTC), 3)
    assert [moment.astimezone(BERLIN).day for moment in found] == [24, 25, 26]


def test_a_job_of_every_hour_fires_in_both_of_them() -> None:
    hourly = make_trigger("cron", {"minute": 30, "timezone": BERLIN}, UTC)
    found = moments(hourly, datetime(2026, 10, 24, 23, 45, tzinfo=UTC), 4)
    assert [moment.astimezone(UTC).hour for moment in found] == [0, 1, 2, 3]


def test_an_hour_that_there_is_not_keeps_no_other_day_from_firing() -> None:
    found = moments(daily(2, 30), datetime(2026, 3, 28, tzinfo=UTC), 3)
    assert [moment.astimezone(BERLIN).day for moment in found] == [28, 29, 30]


@pytest.mark.parametrize("seconds", [1, 7.3, 60, 86_400 / 7])
def test_an_interval_keeps_its_rhythm_and_meets_no_moment_twice(seconds: float) -> None:
    start = datetime(2026, 1, 1, 0, 0, 0, 123_457, tzinfo=UTC)
    trigger = make_trigger("interval", {"seconds": seconds, "start_date": start}, UTC)
    found = moments(trigger, start, 500)
    for number, moment in enumerate(found, 1):
        assert abs(moment - start - timedelta(seconds=seconds * number)) < timedelta(milliseconds=1)


def test_a_date_fires_once_even_if_it_has_passed() -> None:
    at = datetime(2020, 1, 1, tzinfo=BERLIN)
    trigger = make_trigger("date", {"run_date": at}, UTC)
    assert first_moment(trigger, datetime.now(UTC)) == at
    assert moment_after(trigger, at - timedelta(1)) is None, "it is asked for what follows a firing"


def test_an_interval_ends_with_its_last_moment() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    trigger = make_trigger("interval", {"seconds": 60, "start_date": start, "end_date": start + timedelta(90)}, UTC)
    assert moment_after(trigger, start + timedelta(90)) is None


@pytest.mark.parametrize("zone", [UTC, BERLIN, timezone(timedelta(hours=-3, minutes=-30))])
def test_a_trigger_means_the_same_after_it_was_kept(zone: Any) -> None:
    arguments = {"day": "1-7", "day_of_week": "mon,fri", "hour": "8-18/2", "minute": "*/20", "timezone": zone}
    trigger = make_trigger("cron", arguments, BERLIN)
    own = import_module("apscheduler.triggers.cron").CronTrigger(**arguments)
    after = datetime(2026, 2, 27, 11, 11, tzinfo=UTC)
    found = moments(trigger, after, 60)
    expected: list[datetime] = []
    for _ in found:
        moment = own.get_next_fire_time(None, (expected[-1] if expected else after) + timedelta(microseconds=1))
        expected.append(moment)
    assert found == expected
    assert str(restored(trigger)) == str(own)


def test_what_cannot_be_kept_is_refused_by_name() -> None:
    either = import_module("apscheduler.triggers.combining").OrTrigger([])
    with pytest.raises(InputError, match="OrTrigger"):
        make_trigger(either, {}, UTC)
    with pytest.raises(InputError, match="'weekly'"):
        make_trigger("weekly", {}, UTC)
