"""The two statements of processing: what stands, what falls, and that it does so update by update."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg2
import pytest

from botyard.bots.registry import ServedBot
from botyard.processing.early import EarlySends
from botyard.processing.store import Verdict, Wanted
from botyard.telegram.run import Lane, Send, UpdateRun
from db.engine import one_statement
from db.prepared import Prepared
from tests.factories import CHAT, guard, make_bot, resolution, send
from tests.integration.asked import asked, commit, load, statements
from tests.services import Services

KEY = ("chat", str(CHAT))


@pytest.fixture
def bot(clean: Services) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot()


def verdicts(bot: ServedBot, *batch: Any) -> list[Verdict]:
    return [decided.verdict for decided in commit(bot, bot.telegram_id, batch)]


def rows(services: Services, query: str) -> list[tuple[Any, ...]]:
    return services.superuser(query)


def memory(bot: ServedBot, *keys: tuple[str, str]) -> dict[tuple[str, str], tuple[Any, int]]:
    (loaded,) = load(bot, bot.telegram_id, [Wanted(0, keys or (KEY,))])
    return {key: (orjson.loads(state), version) for key, (state, version) in loaded.states.items()}


def test_an_update_leaves_its_row_its_memory_its_sends_its_message_and_its_event(
    clean: Services, bot: ServedBot
) -> None:
    one = resolution(1, guards=[guard(state={"data": {"a": 1}})], sends=[send("x"), send("y")])
    assert verdicts(bot, one) == [Verdict.WRITTEN]
    assert rows(clean, "SELECT telegram_id, update_id, state, bot_id, customer_id FROM inbox") == [
        (bot.telegram_id, 1, "done", bot.id, 1)
    ]
    assert memory(bot) == {KEY: ({"data": {"a": 1}}, 1)}
    assert rows(clean, "SELECT n, state, lane, params->>'text', attempt FROM outbox ORDER BY id") == [
        (1, "queued", 1, "x", 0),
        (2, "queued", 1, "y", 0),
    ]
    assert rows(clean, "SELECT direction, message_id, text, update_id FROM messages") == [("in", 5, "hello", 1)]
    assert rows(clean, "SELECT type, entity, data FROM events") == [
        ("message.received", "update:1", {"chat": str(CHAT), "kind": "message"})
    ]
    assert rows(clean, "SELECT deadline > now() + interval '14 min', caused_at IS NOT NULL FROM outbox LIMIT 1") == [
        (True, True)
    ]


def test_a_known_update_changes_nothing(clean: Services, bot: ServedBot) -> None:
    commit(bot, bot.telegram_id, [resolution(1, guards=[guard(state={"data": {"a": 1}})], sends=[send()])])
    again = resolution(1, guards=[guard(state={"data": {"a": 2}}, version=1)], sends=[send()])
    assert verdicts(bot, again) == [Verdict.KNOWN]
    assert memory(bot) == {KEY: ({"data": {"a": 1}}, 1)}
    assert rows(clean, "SELECT count(*) FROM outbox") == [(1,)]
    assert load(bot, bot.telegram_id, [Wanted(1, ()), Wanted(2, ())])[0].resolved
    assert not load(bot, bot.telegram_id, [Wanted(2, ())])[0].resolved


def test_a_send_whose_number_a_stalled_run_has_taken_is_not_dropped_but_run_again(
    clean: Services, bot: ServedBot
) -> None:
    clean.superuser(
        "INSERT INTO outbox (bot_id, customer_id, telegram_id, update_id, n, chat_key, lane, method, params)"
        " SELECT id, customer_id, telegram_id, 1, 1, '5', 1, 'sendMessage', '{}' FROM bots"
    )
    numbered = resolution(1, guards=[guard(state={"data": {"a": 1}})], sends=[send("x") | {"n": 1}])
    assert verdicts(bot, numbered) == [Verdict.STALE]
    assert (memory(bot), rows(clean, "SELECT count(*) FROM inbox")) == ({}, [(0,)])
    behind = resolution(1, guards=[guard(state={"data": {"a": 1}})], sends=[send("x") | {"n": 2}])
    assert verdicts(bot, behind) == [Verdict.WRITTEN]
    assert rows(clean, "SELECT n FROM outbox ORDER BY n") == [(1,), (2,)]
    assert verdicts(bot, resolution(1, guards=[guard(version=1)], sends=[send("x") | {"n": 1}])) == [Verdict.KNOWN]


async def test_what_was_to_be_written_early_under_a_taken_number_waits_for_the_commit(
    clean: Services, bot: ServedBot
) -> None:
    clean.superuser(
        "INSERT INTO outbox (bot_id, customer_id, telegram_id, update_id, n, chat_key, lane, method, params)"
        " SELECT id, customer_id, telegram_id, 1, 1, '5', 1, 'sendMessage', '{}' FROM bots"
    )
    run = UpdateRun(1, "5", 5, 5)
    for text in ("taken", "free"):
        run.queue(Send("sendMessage", {"chat_id": 5, "text": text}, "5", Lane.REPLY, None))

    async def wake() -> None:
        """Nobody sends."""

    await EarlySends(bot, bot.telegram_id, statements(), wake).write(run, datetime.now(UTC))
    assert [send.written for send in run.sends] == [False, True]


def test_an_update_that_stands_twice_in_a_batch_has_one_end(clean: Services, bot: ServedBot) -> None:
    commit(bot, bot.telegram_id, [resolution(9, guards=[guard(state={"data": {"a": 1}})])])
    # Nothing of these two has a key that would part them.
    run = resolution(1, guards=[guard(version=1, state={"data": {"a": 2}})], messages=[])
    given_up = resolution(1, messages=[], dead={"reason": "r", "detail": "d", "attempts": 3, "fingerprint": "f"})
    assert verdicts(bot, run, given_up)[0] in {Verdict.WRITTEN, Verdict.KNOWN}
    ends = rows(clean, "SELECT state, (SELECT count(*) FROM dead_letters) FROM inbox WHERE update_id = 1")
    assert ends in ([("done", 0)], [("dead", 1)])
    changed = memory(bot)[KEY] == ({"data": {"a": 2}}, 2)
    assert changed == (ends[0][0] == "done")


def test_the_same_update_id_of_another_telegram_bot_is_another_update(bot: ServedBot) -> None:
    other = make_bot(bot.telegram_id + 1)
    assert verdicts(bot, resolution(1)) == [Verdict.WRITTEN]
    assert verdicts(other, resolution(1)) == [Verdict.WRITTEN]


def test_a_stale_version_changes_nothing(clean: Services, bot: ServedBot) -> None:
    commit(bot, bot.telegram_id, [resolution(1, guards=[guard(state={"data": {"a": 1}})])])
    for update, one in enumerate([guard(state={"data": {}}, version=2), guard(version=0), guard(version=7)], 2):
        assert verdicts(bot, resolution(update, guards=[one], sends=[send()])) == [Verdict.STALE]
    assert memory(bot) == {KEY: ({"data": {"a": 1}}, 1)}
    assert rows(clean, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(clean, "SELECT update_id FROM inbox") == [(1,)]


def test_a_guard_without_a_change_fences_and_writes_nothing(clean: Services, bot: ServedBot) -> None:
    assert verdicts(bot, resolution(1, guards=[guard()])) == [Verdict.WRITTEN]
    assert rows(clean, "SELECT count(*) FROM conversations") == [(0,)]
    commit(bot, bot.telegram_id, [resolution(2, guards=[guard(state={"data": {}})])])
    assert verdicts(bot, resolution(3, guards=[guard(version=1)])) == [Verdict.WRITTEN]
    assert memory(bot) == {KEY: ({"data": {}}, 1)}


def test_each_row_of_a_batch_stands_or_falls_by_itself(clean: Services, bot: ServedBot) -> None:
    commit(bot, bot.telegram_id, [resolution(1, guards=[guard("1", {"data": {"v": 1}})])])
    batch = [
        resolution(1, chat_key="1", guards=[guard("1", {"data": {}}, 1)]),
        resolution(2, chat_key="2", guards=[guard("2", {"data": {"v": 2}})], sends=[send(chat_key="2")]),
        resolution(3, chat_key="3", guards=[guard("3", {"data": {}}, 5)], sends=[send(chat_key="3")]),
        resolution(4, chat_key="4", sends=[send("bad \0 text", chat_key="4")]),
        resolution(5, chat_key="5", guards=[guard("5", {"data": {"v": 5}})], sends=[send(chat_key="5")]),
    ]
    assert verdicts(bot, *batch) == [
        Verdict.KNOWN, Verdict.WRITTEN, Verdict.STALE, Verdict.REFUSED, Verdict.WRITTEN,
    ]  # fmt: skip
    assert rows(clean, "SELECT chat_key FROM outbox ORDER BY id") == [("2",), ("5",)]
    assert rows(clean, "SELECT update_id FROM inbox ORDER BY 1") == [(1,), (2,), (5,)]


BAD: dict[str, dict[str, Any]] = {
    "a NUL in a parameter": {"sends": [send("\0")]},
    "a NUL in the memory": {"guards": [guard(state={"data": {"a": "\0"}})]},
    "a message id beyond 64 bits": {"messages": [{"id": 2**63, "text": "x"}]},
    "a chat that is missing": {"k": None},
    "a body that is no JSON": {"body": "{"},
    "a lane of nobody": {"sends": [send(lane=99_999)]},
    "a reason with a NUL": {"dead": {"reason": "\0", "detail": "", "attempts": 3}},
}


@pytest.mark.parametrize("what", BAD)
def test_one_bad_update_among_thirty_two_is_refused_alone(clean: Services, bot: ServedBot, what: str) -> None:
    batch = [
        resolution(n, chat_key=str(n), guards=[guard(str(n), {"data": {"n": n}})], sends=[send(chat_key=str(n))])
        for n in range(1, 33)
    ]
    batch[20] = resolution(21, **BAD[what])
    found = commit(bot, bot.telegram_id, batch)
    assert [decided.verdict for decided in found] == [
        Verdict.REFUSED if n == 21 else Verdict.WRITTEN for n in range(1, 33)
    ]
    assert found[20].reason
    assert rows(clean, "SELECT count(*) FROM inbox") == [(31,)]
    assert verdicts(bot, *batch)[:2] == [Verdict.STALE, Verdict.STALE], "once more adds nothing"
    assert rows(clean, "SELECT count(*) FROM outbox") == [(31,)]


@pytest.mark.parametrize("version", [0, 1])
def test_updates_that_share_a_persons_memory_are_not_written_in_one_statement(bot: ServedBot, version: int) -> None:
    person = ("user", "7")
    if version:
        commit(bot, bot.telegram_id, [resolution(100, guards=[guard("7", {"data": {}}, scope="user")])])

    def with_person(update: int, chat: str) -> Any:
        of_person = guard("7", {"data": {"u": update}}, version, scope="user")
        return resolution(update, chat_key=chat, guards=[guard(chat, {"data": {"u": update}}), of_person])

    assert verdicts(bot, with_person(2, "b"), with_person(1, "a")) == [Verdict.STALE, Verdict.WRITTEN]
    assert memory(bot, person, ("chat", "b")) == {person: ({"data": {"u": 1}}, version + 1)}


@pytest.mark.parametrize("version", [0, 1])
def test_of_two_writers_that_loaded_the_same_memory_one_is_stale(clean: Services, bot: ServedBot, version: int) -> None:
    if version:
        commit(bot, bot.telegram_id, [resolution(100, guards=[guard(state={"data": {}})])])
    writers, gate = 4, threading.Barrier(4)

    def write(update: int) -> Verdict:
        gate.wait()
        return verdicts(bot, resolution(update, guards=[guard(state={"data": {"by": update}}, version=version)]))[0]

    with ThreadPoolExecutor(writers) as threads:
        found = list(threads.map(write, range(1, writers + 1)))
    assert sorted(found, key=str) == [Verdict.STALE] * 3 + [Verdict.WRITTEN]
    winner = found.index(Verdict.WRITTEN) + 1
    assert memory(bot) == {KEY: ({"data": {"by": winner}}, version + 1)}
    assert rows(clean, "SELECT update_id FROM inbox WHERE update_id < 100") == [(winner,)]


def test_of_two_writers_of_one_update_one_finds_it_known(clean: Services, bot: ServedBot) -> None:
    gate = threading.Barrier(4)

    def write(_: int) -> Verdict:
        gate.wait()
        return verdicts(bot, resolution(1, sends=[send()]))[0]

    with ThreadPoolExecutor(4) as threads:
        found = sorted(threads.map(write, range(4)), key=str)
    assert found == [Verdict.KNOWN] * 3 + [Verdict.WRITTEN]
    assert rows(clean, "SELECT count(*) FROM outbox") == [(1,)]


def test_writers_over_the_same_rows_in_opposite_order_do_not_deadlock(bot: ServedBot) -> None:
    def write(number: int) -> None:
        for turn in range(15):
            chats = range(8) if number % 2 else reversed(range(8))
            batch = [
                resolution(
                    number * 10_000 + turn * 10 + chat, chat_key=str(chat), guards=[guard(str(chat), {"data": {}})]
                )
                for chat in chats
            ]
            commit(bot, bot.telegram_id, batch)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))


def test_a_send_waits_for_the_message_it_edits_within_one_update_and_of_an_earlier_one(
    clean: Services, bot: ServedBot
) -> None:
    commit(bot, bot.telegram_id, [resolution(1, sends=[send("a"), send("b", after=(1, 1))])])
    commit(bot, bot.telegram_id, [resolution(2, sends=[send("c", after=(1, 2)), send("d", after=(99, 1)), send("e")])])
    found = rows(
        clean,
        "SELECT o.params->>'text', a.params->>'text'"
        " FROM outbox o LEFT JOIN outbox a ON a.id = o.after_id ORDER BY o.id",
    )
    assert found == [("a", None), ("b", "a"), ("c", "b"), ("d", None), ("e", None)]


def test_a_send_refers_to_no_row_of_another_telegram_bot(clean: Services, bot: ServedBot) -> None:
    other = make_bot(bot.telegram_id + 1)
    commit(other, other.telegram_id, [resolution(1, sends=[send("foreign")])])
    commit(bot, bot.telegram_id, [resolution(2, sends=[send("mine", after=(1, 1))])])
    assert rows(clean, "SELECT after_id FROM outbox WHERE params->>'text' = 'mine'") == [(None,)]


def test_a_dead_letter_keeps_the_body_the_reason_and_the_sends_of_error_handlers(
    clean: Services, bot: ServedBot
) -> None:
    dead = {"reason": "ValueError: x", "detail": "Traceback", "attempts": 3}
    assert verdicts(bot, resolution(1, dead=dead, sends=[send("sorry")])) == [Verdict.WRITTEN]
    assert rows(clean, "SELECT state FROM inbox") == [("dead",)]
    assert rows(clean, "SELECT what, update_id, reason, detail, attempts, request->>'update_id' FROM dead_letters") == [
        ("update", 1, "ValueError: x", "Traceback", 3, "1")
    ]
    assert rows(clean, "SELECT params->>'text' FROM outbox") == [("sorry",)]
    assert rows(clean, "SELECT type FROM events") == [("update.dead",)]
    assert verdicts(bot, resolution(1, dead=dead)) == [Verdict.KNOWN]


def test_the_memory_of_another_customers_bot_is_out_of_reach(clean: Services, bot: ServedBot) -> None:
    clean.superuser("INSERT INTO customers (id, name) VALUES (2, 'Other') ON CONFLICT DO NOTHING")
    commit(bot, bot.telegram_id, [resolution(1, guards=[guard(state={"data": {"private": 1}})])])
    intruder = replace(bot, customer_id=2)
    assert memory(intruder) == {}
    assert not load(intruder, bot.telegram_id, [Wanted(1, (KEY,))])[0].resolved
    assert verdicts(intruder, resolution(2, guards=[guard(state={"data": {"taken": 1}})])) == [Verdict.GONE]
    assert memory(bot) == {KEY: ({"data": {"private": 1}}, 1)}


def test_a_row_for_a_foreign_tenant_is_refused_and_blames_no_update(
    bot: ServedBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botyard.processing import store

    execute: Callable[..., Any] = store._execute
    monkeypatch.setattr(store, "_execute", lambda of, statement, given: execute(of, statement, given | {"customer": 2}))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        commit(bot, bot.telegram_id, [resolution(1)])


def test_a_connection_that_was_cut_is_replaced_and_nothing_is_done_twice(clean: Services, bot: ServedBot) -> None:
    commit(bot, bot.telegram_id, [resolution(1, sends=[send()])])
    clean.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'botyard_app'")
    assert verdicts(bot, resolution(2, sends=[send()]), resolution(1, sends=[send()])) == [
        Verdict.WRITTEN,
        Verdict.KNOWN,
    ]
    assert rows(clean, "SELECT count(*) FROM outbox") == [(2,)]


def test_the_servers_limits_are_shorter_than_a_lease(bot: ServedBot) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    said = ", ".join(f"current_setting('{name}')" for name in names)
    shown = Prepared(f"SELECT {said} FROM bots WHERE id = %(bot)s", bot="bigint")  # noqa: S608 - names of settings
    found = asked(statements().execute({"tenant": str(bot.customer_id), "bot": bot.id}, shown))
    assert found == [("5s", "2s", "5s")]


def test_connections_that_one_test_has_cut_are_no_trouble_of_the_next(clean: Services) -> None:
    with one_statement() as cursor:
        cursor.execute("SELECT 1")
    clean.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'botyard_app'")
    clean.empty()
    with one_statement() as cursor:
        cursor.execute("SELECT 1")
