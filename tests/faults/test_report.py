"""What docs/promises.md says of the campaign is what the last one found: of every row, and clean."""

from collections import Counter

from tests.faults.__main__ import SEEDS
from tests.faults.report import PAGE, RESULTS, page_with, read
from tests.faults.rows import ROWS

RUNS = read(RESULTS)


def test_the_page_shows_the_report_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with(RUNS)


def test_what_only_some_runs_of_a_row_have_found_is_shown_too() -> None:
    one, *_ = RUNS
    page = page_with([one | {"more": {}}, one | {"more": {"tickets touched": 3}}, one | {"more": {"recovery": 1.5}}])
    assert "| tickets touched 3, recovery 1.5 |" in page


def test_every_row_was_run_with_every_seed_and_no_other_row() -> None:
    runs = Counter((run["row"], run["fault"]) for run in RUNS if "caught" not in run["more"])
    assert runs == {(row.number, row.fault): SEEDS for row in ROWS}


def test_every_planted_bug_was_caught_by_its_row() -> None:
    planted = {(run["row"], run["fault"]): run["more"]["caught"] for run in RUNS if "caught" in run["more"]}
    assert planted == {(row.number, f"planted: {bug}"): 1.0 for row in ROWS for bug in row.bugs}


def test_no_promise_was_broken_and_nothing_took_longer_than_it_may() -> None:
    assert [(run["row"], run["seed"], run["broken"], run["late"]) for run in RUNS if run["broken"] or run["late"]] == []


def test_a_campaign_takes_a_hundred_minutes_at_most() -> None:
    assert sum(run["took_s"] for run in RUNS) <= 6_000
