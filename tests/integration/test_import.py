"""What is imported into a bot: what it finds, what stays, and that twice is once."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from botyard.bots.registry import ServedBot
from botyard.importing.documents import records_of
from botyard.importing.files import RecordFile
from botyard.importing.importer import run_import
from botyard.importing.items import Item, Person, Remembered
from botyard.importing.people import Manner
from botyard.importing.report import Report
from botyard.importing.writing import BotGone, Target, Writer
from botyard.processing.store import Verdict, Wanted
from db.engine import get_engine
from tests.factories import TELEGRAM_ID, guard, make_bot, resolution
from tests.integration.asked import commit, load
from tests.services import Services

Import = Callable[..., Report]


@pytest.fixture
def bot(clean: Services) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot()


@pytest.fixture
def bring(bot: ServedBot, tmp_path: Path) -> Import:
    """Import records into the bot."""

    def bring(records: Any, after_batch: Callable[[int], None] = lambda _: None, **how: Any) -> Report:
        path = tmp_path / "records"
        path.write_text(records if isinstance(records, str) else json.dumps(records), encoding="utf-8")
        report = Report()
        with path.open("rb") as file:
            source = RecordFile(file, report, Manner(trusted=True))
            return run_import(source, Target(bot.id, bot.customer_id, **how), report, after_batch)

    return bring


def memory(services: Services) -> dict[tuple[str, str], Any]:
    rows = services.superuser("SELECT scope, key, state, version FROM conversations")
    return {(scope, key): (state, version) for scope, key, state, version in rows}


ANN = {
    "user_id": "11", "first_name": "Ann", "username": "@ann", "language_code": "en", "tags": ["VIP"],
    "attributes": {"plan": "gold"}, "first_seen": "2024-01-02T03:04:05Z", "user_data": {"n": 1, "!": "x"},
    "conversations": {"order": "ADDRESS"}, "blocked": "2025-01-01",
}  # fmt: skip
GROUP = {"chat_id": -200, "chat_data": {"topic": "tea"}, "conversations": {"vote": [[[-200, 11], 2]]}}


def test_people_chats_and_memory_are_where_the_bot_finds_them(bring: Import, clean: Services, bot: ServedBot) -> None:
    report = bring([ANN, GROUP, {"bot_data": {"total": 7}}])
    assert report.skipped == {}
    assert report.counts == {
        "people": {"new": 1}, "user_data": {"new": 1}, "chat_data": {"new": 2}, "bot_data": {"new": 1},
        "unreachable": {"new": 1},
    }  # fmt: skip
    columns = "first_name, username, language_code, tags, attributes, first_seen::text"
    ((first, username, language, tags, attributes, seen),) = clean.superuser(f"SELECT {columns} FROM bot_users")  # noqa: S608
    assert (first, username, language, tags, attributes) == ("Ann", "ann", "en", ["vip"], {"plan": "gold"})
    assert seen.startswith("2024-01-02 03:04:05")
    found = memory(clean)
    assert found["user", "11"][0] == {"data": {"!": "dict", "of": [["n", 1], ["!", "x"]]}, "format": 1}
    assert found["chat", "11"][0] == {"talks": {"order": [[[11, 11], "ADDRESS"]]}}
    assert found["chat", "-200"][0] == {"data": {"topic": "tea"}, "talks": {"vote": [[[-200, 11], 2]]}}
    assert found["bot", ""] == ({"data": {"total": 7}}, 1)
    assert clean.superuser("SELECT chat_key FROM chats WHERE unreachable_since < '2025-01-02'") == [("11",)]
    (loaded,) = load(bot, TELEGRAM_ID, [Wanted(1, (("user", "11"),))])
    assert loaded.states["user", "11"][1] == 1


def test_twice_is_once(bring: Import, clean: Services) -> None:
    records = [ANN, GROUP, {"bot_data": {"total": 7}}]
    bring(records)
    before = clean.superuser("SELECT * FROM bot_users"), memory(clean)
    again = bring(records)
    assert {outcome for counts in again.counts.values() for outcome in counts} == {"same"}
    assert before == (clean.superuser("SELECT * FROM bot_users"), memory(clean))


def test_a_dry_run_says_the_same_and_writes_nothing(bring: Import, clean: Services) -> None:
    dry = bring([ANN, GROUP], dry=True)
    assert clean.superuser("SELECT count(*) FROM bot_users UNION ALL SELECT count(*) FROM conversations") == [
        (0,),
        (0,),
    ]
    assert dry.counts == bring([ANN, GROUP]).counts


def test_what_is_here_and_differs_stays_unless_it_is_to_be_overwritten_or_older(bring: Import, clean: Services) -> None:
    bring([{"user_id": 11, "first_name": "Anna", "attributes": {"a": 1}, "user_data": {"n": 9}}])
    given = {
        "user_id": 11,
        "first_name": "Ann",
        "last_name": "Lee",
        "attributes": {"a": 2, "b": 2},
        "user_data": {"n": 1},
    }
    report = bring([given])
    assert report.counts == {"people": {"changed": 1}, "user_data": {"kept": 1}}
    assert report.kept["user_data"].samples == ["user_data[11]"]
    columns = "first_name, last_name, attributes, version"
    assert clean.superuser(f"SELECT {columns} FROM bot_users") == [("Anna", "Lee", {"a": 1, "b": 2}, 2)]  # noqa: S608
    assert bring([given]).counts == {"people": {"kept": 1}, "user_data": {"kept": 1}}
    assert memory(clean)["user", "11"] == ({"data": {"n": 9}}, 1)
    line = {"scope": "user", "key": "11", "state": {"data": {"n": 5}}}
    old, new = {**line, "updatedAt": "2020-01-01T00:00:00+00:00"}, {**line, "updatedAt": "2999-01-01T00:00:00+00:00"}
    assert bring([old]).counts == {"user_data": {"kept": 1}}
    assert bring([new]).counts == {"user_data": {"changed": 1}}
    assert bring([given], overwrite=True).counts == {"people": {"changed": 1}, "user_data": {"changed": 1}}
    assert clean.superuser(f"SELECT {columns} FROM bot_users") == [("Ann", "Lee", {"a": 2, "b": 2}, 3)]  # noqa: S608
    assert memory(clean)["user", "11"] == ({"data": {"n": 1}}, 3)


def test_an_update_that_was_loaded_before_never_writes_over_what_was_imported(
    bring: Import, clean: Services, bot: ServedBot
) -> None:
    for version, records in ((0, [GROUP]), (1, [{**GROUP, "chat_data": {"topic": "coffee"}}])):
        bring(records, overwrite=True)
        late = resolution(version + 1, guards=[guard("-200", {"data": {"topic": "late"}}, version)])
        (decided,) = commit(bot, TELEGRAM_ID, [late])
        assert decided.verdict is Verdict.STALE
    assert memory(clean)["chat", "-200"][0]["data"] == {"topic": "coffee"}


def test_memory_is_locked_before_people_as_updates_do(bring: Import, clean: Services) -> None:  # noqa: ARG001
    said: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    event.listen(get_engine("application"), "before_cursor_execute", note)
    try:
        bring([ANN])
    finally:
        event.remove(get_engine("application"), "before_cursor_execute", note)
    memory_first, people = (
        next(n for n, one in enumerate(said) if table in one) for table in ("FROM conversations", "FROM bot_users")
    )
    assert memory_first < people


def test_what_takes_nothing_is_asked_whether_to_end_while_it_is_read() -> None:
    asked: list[int] = []
    file = io.BytesIO(b"{}\n" + b"no JSON\n" * 20_000)
    source = RecordFile(file, Report(), Manner(), tick=lambda: asked.append(1))
    assert list(source.items()) == []
    assert len(asked) > 2


def test_the_values_of_a_list_are_not_copied_for_each_other() -> None:
    """A piece of the largest record's size, and after it one small value after the other."""
    large, small = "x" * 9_000_000, 150_000
    content = json.dumps([{"user_id": 1, "first_name": large}, *({"a": 1} for _ in range(small))]).encode()
    began = time.process_time()
    assert len(list(records_of(io.BytesIO(content), "file", Report()))) == small + 1
    assert time.process_time() - began < 5


def test_what_was_interrupted_goes_on_and_nothing_is_doubled(bring: Import, clean: Services) -> None:
    people = [{"user_id": number, "user_data": {"n": number}} for number in range(1, 1301)]

    class Killed(Exception):
        pass

    def killed(handed: int) -> None:
        if handed >= 1000:
            raise Killed

    with pytest.raises(Killed):
        bring(people, killed)
    assert clean.superuser("SELECT count(*) FROM bot_users") == [(500,)]
    report = bring(people)
    assert report.counts["people"] == {"same": 500, "new": 800}
    assert report.counts["user_data"] == {"same": 500, "new": 800}
    assert clean.superuser("SELECT count(*), count(DISTINCT user_id) FROM bot_users") == [(1300, 1300)]


def test_what_cannot_be_brought_along_is_said_with_its_place(bring: Import) -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    report = bring([
        {"user_id": 11, "user_data": {"deep": deep, "ok": 1}, "favourite": "tea", "username": "no name", "tags": "a"},
        {"name": "nobody"}, 5, {"user_id": 2**60}, {"user_id": 12, "conversations": {"order": {}}},
        {"scope": "chat", "key": "x y", "state": {}}, {"scope": "chat", "key": "5", "state": {"data": {}, "more": 1}},
    ])  # fmt: skip
    said = {what: found.samples for what, found in report.skipped.items()}
    assert said["a field that is not known: favourite"] == ["file[0]"]
    assert set(said) == {
        "nested more than 200 levels deep, or containing itself", "a field that is not known: favourite",
        "username that is none", "tags that is none", "no number of Telegram's: user_id or chat_id", "not an object",
        "conversations that is none", "memory of nobody", "memory in another form than an export has",
    }  # fmt: skip


def test_a_group_that_is_a_supergroup_by_now_keeps_its_memory_there(bring: Import, clean: Services) -> None:
    clean.superuser("INSERT INTO chats (bot_id, chat_key, moved_to) VALUES (1, '-200', '-100200')")
    bring([GROUP])
    assert set(memory(clean)) == {("chat", "-100200")}


def test_nothing_is_imported_into_a_bot_that_is_being_removed_or_is_anothers(bot: ServedBot, clean: Services) -> None:
    items: list[Item] = [Person(11), Remembered("user", "11", b'{"data":{}}')]
    for target in (Target(bot.id, 999), Target(999, bot.customer_id)):
        with pytest.raises(BotGone):
            Writer(target, Report()).write(items)
    clean.superuser("UPDATE bots SET removal_began = now()")
    with pytest.raises(BotGone):
        Writer(Target(bot.id, bot.customer_id), Report()).write(items)
    assert clean.superuser("SELECT count(*) FROM bot_users") == [(0,)]


def test_a_table_is_read_by_its_header(bring: Import, clean: Services) -> None:
    table = "\ufeffTelegram ID;First name;Tags;Phone;Plan\r\n11;Ann;vip, new;'+49 30;gold\r\n"
    table += '12;"B\n""ob""";;;\r\nx;;;;\r\n'
    report = bring(table)
    assert report.counts == {"people": {"new": 2}}
    found = clean.superuser("SELECT user_id, first_name, tags, attributes FROM bot_users ORDER BY 1")
    assert found == [
        (11, "Ann", ["new", "vip"], {"Phone": "+49 30", "Plan": "gold"}), (12, 'B\n"ob"', [], {}),
    ]  # fmt: skip
    assert [said.count for said in report.skipped.values()] == [1]


def test_lines_that_are_broken_do_not_stop_the_others(bring: Import) -> None:
    report = bring('{"user_id": 11}\n{"user_id": \n\n{"user_id": 12}\n' + '{"x": ' * 2000 + "\n" + '{"user_id": NaN}\n')
    assert report.counts == {"people": {"new": 2}}
    assert report.skipped["a line that is no JSON"].count == 3


def test_a_report_is_read_again() -> None:
    report = Report()
    report.count("people", "new", 3)
    report.skip("why", "where")
    assert Report.of(json.loads(json.dumps(report.as_json()))).as_json() == report.as_json()
