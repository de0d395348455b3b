"""Reading the logs of many programs, each with its own way to write a time and a level."""

import json
from pathlib import Path

from botyard.running.logs import LEVELS, Line, Wanted, follow, joined, processes, read

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


def test_all_processes_are_shown_in_one_order_with_what_was_rotated_away(tmp_path: Path) -> None:
    (tmp_path / "web.log.1").write_text(f"{POSTGRES}\n")
    (tmp_path / "web.log").write_text(f"{JSON}\n")
    (tmp_path / "worker.log").write_text(f"{OURS}\n")
    assert processes(tmp_path) == ["web", "worker"]
    assert [line.text for line in read(tmp_path, Wanted())] == [POSTGRES, OURS, JSON]
    assert [line.text for line in read(tmp_path, Wanted(process="worker"))] == [OURS]


def test_following_begins_at_the_end_waits_for_whole_lines_and_survives_rotation(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(f"{POSTGRES}\n")
    lines = follow(tmp_path, Wanted())

    def next_after(*written: str) -> str:
        with path.open("a") as file:
            file.writelines(written)
        return next(lines).text

    import threading

    # The places are taken at the first step, so something must be written after it.
    timer = threading.Timer(0.1, lambda: path.open("a").write("first\nhal"))
    timer.start()
    assert next(lines).text == "first"
    assert next_after("f\n") == "half"
    path.replace(tmp_path / "web.log.1")
    assert next_after("anew\n") == "anew"
