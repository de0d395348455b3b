"""Which backups stay."""

from datetime import UTC, datetime, timedelta

from botyard.backups.keeping import kept

BEGIN = datetime(2026, 1, 1, 2, tzinfo=UTC)


def test_of_two_years_of_nights_seven_days_four_weeks_and_twelve_months_stay() -> None:
    nights = [BEGIN + timedelta(days=number) for number in range(730)]
    stay = sorted(kept(nights), reverse=True)
    assert stay[:7] == nights[:-8:-1]
    assert 20 <= len(stay) <= 23
    assert {(at.year, at.month) for at in stay} == {(2027, month) for month in range(1, 13)}
    assert len({at.isocalendar()[:2] for at in stay if at > nights[-1] - timedelta(weeks=4)}) >= 4


def test_a_night_at_a_time_comes_to_the_same() -> None:
    there: set[datetime] = set()
    for number in range(730):
        there = kept(there | {BEGIN + timedelta(days=number)})
    assert there == kept(BEGIN + timedelta(days=number) for number in range(730))


def test_of_several_of_a_day_the_last_stays_and_a_few_all_do() -> None:
    same = [BEGIN + timedelta(hours=hour) for hour in range(5)]
    assert kept(same) == {same[-1]}
    few = [BEGIN, BEGIN + timedelta(days=400)]
    assert kept(few) == set(few)
    assert kept([]) == set()
