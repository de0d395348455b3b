"""When schedules have their moments: clocks that are changed, days that some months lack, and words for all that."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from botyard.errors import InputError
from botyard.jobs.moments import (
    PERSON,
    Recurrence,
    first,
    fit_recurrence,
    fit_zone,
    following,
    next_moment,
    slot_of,
    upcoming,
)

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def cron(expression: str) -> Recurrence:
    return {"type": "cron", "expression": expression}


def clocks(expression: str, zone: str, begin: datetime, count: int) -> list[str]:
    return [one.strftime("%m-%d %H:%M") for one in upcoming(cron(expression), zone, begin, count)]


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        # Clocks go forward: the hour that is skipped is made good right behind it.
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), ["03-29 03:30", "03-30 02:30"]),
        ("America/New_York", datetime(2026, 3, 7, 12, tzinfo=UTC), ["03-08 03:30", "03-09 02:30"]),
        # Clocks go back: the hour that comes twice is meant once.
        ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), ["10-25 02:30", "10-26 02:30"]),
        # Half an hour only, and at another hour.
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 12, tzinfo=UTC), ["10-04 02:30", "10-05 02:30"]),
    ],
)  # fmt: skip
def test_each_day_has_one_moment_whatever_is_done_to_clocks(zone: str, day: datetime, expected: list[str]) -> None:
    assert clocks("30 2 * * *", zone, day, 2) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Cairo"])
def test_a_year_has_as_many_moments_as_days_and_no_two_of_the_same_name(zone: str) -> None:
    recurrence, moment = cron("30 2 * * *"), NOW
    slots: list[str] = []
    moments: list[datetime] = []
    for _ in range(365):
        found = first(recurrence, zone, moment) if not moments else following(recurrence, zone, moments[-1], NOW)
        assert found is not None
        moments.append(found)
        slots.append(slot_of(recurrence, zone, found))
    assert len({slot[:10] for slot in slots}) == len(slots) == 365
    assert moments == sorted(set(moments))
    assert moments[-1] - moments[0] < timedelta(days=364, hours=2)


def test_the_doubled_hour_of_an_hourly_one_has_one_name() -> None:
    begin = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    moments = upcoming(cron("30 * * * *"), "Europe/Berlin", begin, 4)
    assert [slot_of(cron("30 * * * *"), "Europe/Berlin", one)[-5:] for one in moments] == [
        "02:30", "02:30", "03:30", "04:30",
    ]  # fmt: skip


def test_days_that_months_lack_have_no_moments() -> None:
    assert clocks("0 9 31 * *", "UTC", NOW, 3) == ["01-31 09:00", "03-31 09:00", "05-31 09:00"]
    assert clocks("0 9 last * *", "UTC", NOW, 3) == ["01-31 09:00", "02-28 09:00", "03-31 09:00"]
    leap = upcoming(cron("0 9 29 2 *"), "UTC", NOW, 2)
    assert [one.year for one in leap] == [2028, 2032]


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("1-5", "Mon Tue Wed Thu Fri"), ("mon-fri", "Mon Tue Wed Thu Fri"), ("0", "Sun"), ("7", "Sun"),
        ("5-0", "Fri Sat Sun"), ("fri-mon", "Fri Sat Sun Mon"), ("6,0", "Sat Sun"), ("*/2", "Sun Tue Thu Sat"),
        ("5-7", "Fri Sat Sun"),
    ],
)  # fmt: skip
def test_weekdays_are_counted_as_crontab_counts_them(field: str, days: str) -> None:
    recurrence = fit_recurrence(cron(f"0 9 * * {field}"), "UTC", NOW)
    assert {one.strftime("%a") for one in upcoming(recurrence, "UTC", NOW, 7)} == set(days.split())


def test_once_is_a_clock_time_of_its_zone_or_a_moment_of_its_own() -> None:
    local = fit_recurrence({"type": "once", "at": "2026-06-01T09:00"}, "Asia/Kolkata", NOW)
    assert first(local, "Asia/Kolkata", NOW) == datetime(2026, 6, 1, 3, 30, tzinfo=UTC)
    fixed = fit_recurrence({"type": "once", "at": "2026-06-01T09:00+02:00"}, "Asia/Kolkata", NOW)
    assert first(fixed, "Asia/Kolkata", NOW) == datetime(2026, 6, 1, 7, 0, tzinfo=UTC)
    assert following(fixed, "UTC", datetime(2026, 6, 1, 7, 0, tzinfo=UTC), NOW) is None
    skipped = fit_recurrence({"type": "once", "at": "2026-03-29T02:30"}, "Europe/Berlin", NOW)
    assert upcoming(skipped, "Europe/Berlin", NOW)[0].strftime("%H:%M") == "03:30"


def test_every_so_many_seconds_goes_on_from_its_start_whatever_was_slept_through() -> None:
    recurrence = fit_recurrence({"type": "every", "seconds": 5400}, "Europe/Berlin", NOW)
    later = NOW + timedelta(hours=10, minutes=7)
    assert [one.astimezone(UTC) for one in upcoming(recurrence, "UTC", later, 2)] == [
        NOW + timedelta(hours=10, minutes=30), NOW + timedelta(hours=12),
    ]  # fmt: skip


def test_people_of_all_zones_have_the_same_clock_time() -> None:
    recurrence = fit_recurrence(cron("0 9 * * *"), PERSON, NOW)
    for zone in ("Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles"):
        assert upcoming(recurrence, zone, NOW)[0].strftime("%H:%M") == "09:00"
        assert slot_of(recurrence, zone, upcoming(recurrence, zone, NOW)[0])[-5:] == "09:00"


def test_nothing_comes_behind_the_end() -> None:
    end = NOW + timedelta(days=2)
    assert len(upcoming(cron("0 13 * * *"), "UTC", NOW, 5, end)) == 2
    assert next_moment(cron("0 13 1 6 *"), "UTC", NOW, end) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": "sometimes"}, "when"),
        ({}, "when"),
        ({"type": "once"}, "when.at"),
        ({"type": "once", "at": "soon"}, "when.at"),
        ({"type": "once", "at": "2020-01-01T00:00"}, "when"),
        ({"type": "cron", "expression": "0 9 * *"}, "when.expression"),
        ({"type": "cron", "expression": "61 9 * * *"}, "when.expression"),
        ({"type": "cron", "expression": 5}, "when.expression"),
        ({"type": "cron", "expression": "0 9 * * fun"}, "when.expression"),
        ({"type": "every", "seconds": 5}, "when.seconds"),
        ({"type": "cron", "expression": "0 9 30 2 *"}, "when"),
        ({"type": "every", "seconds": "60"}, "when.seconds"),
        ({"type": "every", "seconds": 60, "start": "x"}, "when.at"),
        ({"type": "silence", "hours": 0}, "when.hours"),
        ({"type": "cron", "expression": "0 9 * * 1-"}, "when.expression"),
        ({"type": "silence"}, "when.hours"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_field(given: Recurrence, field: str) -> None:
    with pytest.raises(InputError) as caught:
        fit_recurrence(given, "UTC", NOW)
    assert caught.value.field == field


def test_zones_have_the_names_of_places() -> None:
    assert fit_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin").key
    for wrong in ("Mars/Phobos", "../../etc/passwd", "", "CET+1"):
        with pytest.raises(InputError, match="time zone"):
            fit_zone(wrong)
