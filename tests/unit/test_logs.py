"""Reading the logs of many programs, each with its own way to write a time and a level."""

import json
from pathlib import Path
from typing import Any

import pytest

from botyard.running import logs
from botyard.running.logs import LEVELS, Line, Wanted, ends, follow, joined, processes, read

OURS = "2026-11-21T14:24:14.253440Z [warning  ] handler_failed   [botyard] bot=7 update_id=1"
JSON = json.dumps({"event": "x", "level": "error", "timestamp": "2026-11-21T14:24:15Z", "bot": 7})
POSTGRES = '2026-11-21 14:24:10.116 UTC [11682] FATAL:  database "botyard" does not exist'
VALKEY = "11589:M 21 Nov 2026 14:24:08.330 # WARNING Memory overcommit must be enabled!"


def one(text: str) -> Line:
    (line,) = joined("p", [text])
    return line


def test_each_programs_lines_have_a_time_and_a_level() -> None:
    assert [one(text).level for text in (OURS, JSON, POSTGRES, VALKEY)] == ["warning", "error", "error", "warning"]
    assert one(OURS).at == 1795271054.25344
    assert one(JSON).at == 1795271055.0
    assert one(POSTGRES).at == 1795271050.116
    assert one(VALKEY).at is not None
    assert one("something else") == Line("p", None, "info", "something else")
    assert one('{"broken') == Line("p", None, "info", '{"broken')


def test_a_traceback_belongs_to_the_line_before_it() -> None:
    lines = list(joined("p", ["early", OURS, "Traceback (most recent call last):", "  raise", JSON]))
    assert [line.text.count("\n") for line in lines] == [0, 2, 0]
    assert [line.level for line in lines] == ["info", "warning", "error"]


def test_lines_are_chosen_by_level_time_and_bot() -> None:
    line = one(OURS)
    assert Wanted().take(line)
    assert [Wanted(least=level).take(line) for level in LEVELS] == [True, True, True, False]
    assert [Wanted(since=since).take(line) for since in (1795271054.0, 1795271055.0)] == [True, False]
    assert [Wanted(bots=frozenset({bot})).take(line) for bot in (7, 1)] == [True, False]
    assert Wanted(bots=frozenset({7})).take(one(JSON))
    assert not Wanted(since=1.0).take(one("without a time"))


def latest(folder: Path, most: int = 200, **wanted: Any) -> list[str]:
    return [line.text for line in read(folder, Wanted(**wanted), most, ends(folder))]


def test_all_processes_are_shown_in_one_order_with_what_was_rotated_away(tmp_path: Path) -> None:
    (tmp_path / "web.log.1").write_text(f"{POSTGRES}\n")
    (tmp_path / "web.log").write_text(f"{JSON}\n")
    (tmp_path / "worker.log").write_text(f"{OURS}\n")
    assert processes(tmp_path) == ["web", "worker"]
    assert latest(tmp_path) == [POSTGRES, OURS, JSON]
    assert latest(tmp_path, process="worker") == [OURS]
    assert latest(tmp_path, 2) == [OURS, JSON]
    assert latest(tmp_path, 0) == []


@pytest.mark.parametrize(
    "odd",
    ["2026-02-30 10:00:00 hello", "0000-00-00 00:00:00", "7:M 31 Feb 2026 10:00:00.000 # x", f"bot={'9' * 5000}"],
)
def test_what_only_looks_like_a_time_or_a_number_is_a_line_like_any_other(tmp_path: Path, odd: str) -> None:
    (tmp_path / "web.log").write_text(f"{OURS}\n{odd}\n{JSON}\n")
    assert latest(tmp_path) == [f"{OURS}\n{odd}", JSON]
    assert latest(tmp_path, bots=frozenset({7})) == [f"{OURS}\n{odd}", JSON]


def test_the_latest_lines_are_read_from_the_end_of_a_long_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_PART_BYTES", 1000)
    lines = [f"{OURS} number={number}\n  a traceback" for number in range(2000)]
    (tmp_path / "web.log.1").write_text("".join(f"{line}\n" for line in lines[:1000]))
    (tmp_path / "web.log").write_text("".join(f"{line}\n" for line in lines[1000:]))
    sizes = []
    before = logs._before

    def noting(path: Path, end: int | None, size: int) -> tuple[bytes, int]:
        sizes.append(size)
        return before(path, end, size)

    monkeypatch.setattr(logs, "_before", noting)
    assert latest(tmp_path, 30) == lines[-30:]
    assert max(sizes) < 20_000
    assert latest(tmp_path, 1500) == lines[-1500:]


def test_following_begins_where_reading_ended_and_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(f"{POSTGRES}\nhal")
    places = ends(tmp_path)
    path.open("a").write("f\nmeanwhile\nthe re")
    assert [line.text for line in read(tmp_path, Wanted(), 200, places)] == [POSTGRES]
    lines = follow(tmp_path, Wanted(), places)
    assert next(lines).text == "half\nmeanwhile"
    path.open("a").write("st\n")
    assert next(lines).text == "the rest"


def test_following_loses_nothing_when_a_log_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(f"{POSTGRES}\n")
    places = ends(tmp_path)
    path.open("a").write(f"{OURS}\n")
    path.replace(tmp_path / "web.log.1")
    path.write_text(f"{JSON}\n")
    assert [line.text for line in read(tmp_path, Wanted(), 200, places)] == [POSTGRES]
    lines = follow(tmp_path, Wanted(), places)
    assert [next(lines).text, next(lines).text] == [OURS, JSON]
    path.open("a").write(f"{OURS}\n")
    assert next(lines).text == OURS
