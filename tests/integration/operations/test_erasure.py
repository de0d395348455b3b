"""A person is forgotten everywhere: no row of the database and no key of Redis tells of them; others lose nothing."""

# ruff: noqa: S608 - statements with our own numbers and names

import json
import re
from typing import Any

import pytest
from redis import Redis

from botyard.accounts.customers import add_customer
from botyard.bots.registry import ServedBot
from botyard.erasure import rows
from botyard.erasure.operation import erase_person
from botyard.erasure.traces import Traces
from botyard.erasure.wanting import ERASE_PERSON, erasing
from botyard.errors import InputError
from botyard.exporting.operation import EXPORT_BOT, export_bot, exported
from botyard.media.store import MediaGone, operations_store_of
from botyard.operations import Runner, Wanted, begin, work
from botyard.operations.reading import operation
from botyard.operations.running import run
from botyard.settings import get_settings
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.operations.planted import GROUP, OTTO, ZELDA, Plot, of_schedules, update, user, waiting
from tests.services import Services

HER = re.compile(rf"{ZELDA}|zelda|quillfeather", re.IGNORECASE)
HIM = re.compile(rf"{OTTO}|otto|blumenkohl", re.IGNORECASE)


def in_tables(services: Services, who: re.Pattern[str]) -> list[str]:
    """Every cell of every table that tells of somebody."""
    found = []
    for (table,) in services.superuser("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"):
        for (row,) in services.superuser(f"SELECT row_to_json(t)::text FROM {table} t"):
            if who.search(row) or who.search(json.dumps(json.loads(row), ensure_ascii=False)):
                found.append(f"{table}: {row}")
    return found


def in_redis(redis: "Redis", who: re.Pattern[str]) -> list[str]:
    """Every key that tells of somebody, or whose content does."""
    found = []
    for key in redis.scan_iter():
        content = redis.dump(key)
        told = key + str(_content(redis, key))
        if who.search(told) or who.search(str(content)):
            found.append(key)
    return sorted(found)


def _content(redis: "Redis", key: str) -> Any:
    kind = redis.type(key)
    if kind == "list":
        return redis.lrange(key, 0, -1)
    if kind == "hash":
        return redis.hgetall(key)
    if kind == "zset":
        return redis.zrange(key, 0, -1)
    return redis.get(key) if kind == "string" else kind


@pytest.fixture
def bot(clean: Services, valkey: "Redis") -> ServedBot:
    made = make_bot()
    plot = Plot(clean, made)
    plot.person(OTTO, 100)
    plot.person(ZELDA, 200)
    for who, first in ((OTTO, 300), (ZELDA, 400)):
        waiting(valkey, made, first, who)
        waiting(valkey, made, first + 1, who, GROUP)
        valkey.rpush(f"by:box:{made.telegram_id}:b77:{who}", f"{first + 2} 1764000000000 {{}}")
        valkey.zadd("by:callbacks", {f"{made.telegram_id} {first} 77 {who}": 1})
        valkey.set(f"by:lim:{made.id}:c:{who}", 1)
        valkey.zadd(f"by:shut:{made.id}", {str(who): 1})
    shared(plot)
    of_schedules(clean, made)
    return made


def shared(plot: Plot) -> None:
    """What tells of both of them."""
    reply = update(500, OTTO, "I agree with @zelda_q", GROUP)
    reply["message"]["reply_to_message"] = {**update(201, ZELDA, "My secret is tea", GROUP)["message"], "message_id": 7}
    plot.row("inbox", plot.bot.telegram_id, 500, str(GROUP), "message", reply, "done", "now")
    plot.row("messages", str(GROUP), "in", "message", 500, 500, None, "I agree with @zelda_q")
    memory = {
        "data": {"seen": [OTTO, ZELDA], "scores": {str(OTTO): 5, str(ZELDA): 7}, "winner_id": ZELDA, "by": user(ZELDA)},
        "talks": {"quiz": [[[GROUP, OTTO], 1], [[GROUP, ZELDA], 2]]},
    }
    plot.row("conversations", "chat", str(GROUP), memory, 3)
    typed = {"format": 1, "data": {"ages": {"!": "dict", "of": [[OTTO, 40], [ZELDA, 41]]}, "at": f"user:{ZELDA}:cart"}}
    plot.row("conversations", "bot", "", typed, 9)
    plot.row("outbox", str(GROUP), None, None, None, 1, "sendMessage", {"text": "@zelda_q and @otto_b"}, "sent")


def of_customer(services: Services, bot: ServedBot) -> None:
    """What is kept of what its people did and were told."""
    services.superuser(
        "INSERT INTO people (id, name) VALUES (7, 'ann')",
        f"INSERT INTO memberships VALUES (7, {bot.customer_id}, 'owner')",
        "INSERT INTO endpoints (id, customer_id, url) VALUES (1, 1, 'https://a.example')",
    )
    for who in (ZELDA, OTTO):
        told = json.dumps({"userId": str(who), "firstName": user(who)["first_name"]})
        services.superuser(
            "INSERT INTO endpoint_messages (customer_id, endpoint_id, type, body)"
            f" VALUES (1, 1, 'message.received', '{told}')",
            "INSERT INTO operations (customer_id, actor, kind, request, result, finished_at)"
            f" VALUES (1, 'person:7', 'bot.import', '{{}}', '{told}', now())",
            "INSERT INTO idempotency_keys (person_id, route, key, digest, state, running_until, answer) VALUES"
            f" (7, 'POST /api/v1/bots/bot_1/users/{who}/erasure', 'k', '', 'done', now(), '{told}'),"
            f" (7, 'POST /api/v1/bots/bot_1/messages', 'k{who % 10}', '', 'done', now(), '{told}')",
        )
        (message,) = services.superuser("SELECT max(id) FROM endpoint_messages")[0]
        services.superuser(
            "INSERT INTO endpoint_attempts (customer_id, message_id, milliseconds, answer)"
            f" VALUES (1, {message}, 5, 'thanks for {who}')"
        )


def erase(bot: ServedBot, who: int = ZELDA, *, slices: int = 1) -> dict[str, Any]:
    number = begin(erasing(bot.customer_id, bot.id, who))
    for _ in range(slices * 100):
        if not run(number, {ERASE_PERSON: Runner(erase_person)}):
            break
    row = operation(number)
    assert row is not None
    assert (row.state, row.error) == ("done", None)
    return row.result or {}


def untouched(services: Services, bot: ServedBot) -> dict[str, Any]:
    """What tells of the neighbour."""
    return {
        "users": services.superuser(f"SELECT row_to_json(u)::text FROM bot_users u WHERE user_id = {OTTO}"),
        "memory": services.superuser(f"SELECT state::text FROM conversations WHERE key = '{OTTO}' ORDER BY scope"),
        "messages": services.superuser(
            f"SELECT id, text FROM messages WHERE text ~* 'otto' AND bot_id = {bot.id} ORDER BY id"
        ),
        "inbox": services.superuser("SELECT body::text FROM inbox WHERE update_id IN (100, 101) ORDER BY update_id"),
        "jobs": services.superuser(f"SELECT id FROM jobs WHERE user_id = {OTTO}"),
        "letters": services.superuser("SELECT detail FROM dead_letters WHERE detail ~ 'Otto' ORDER BY id"),
        "bodies": services.superuser("SELECT body FROM endpoint_messages WHERE body ~ 'Otto'"),
    }


def test_nothing_tells_of_them_and_everything_of_others_is_as_it_was(
    bot: ServedBot, clean: Services, valkey: "Redis"
) -> None:
    of_customer(clean, bot)
    before = untouched(clean, bot), in_redis(valkey, HIM)
    assert len(in_tables(clean, HER)) > 20
    assert len(in_redis(valkey, HER)) >= 4
    told = erase(bot)
    assert in_tables(clean, HER) == []
    assert in_redis(valkey, HER) == []
    assert (untouched(clean, bot), in_redis(valkey, HIM)) == before
    assert (told["bots"], told["updates"]) == (1, 3)
    assert told["removed"] > 15
    assert told["changed"] > 3


def test_what_is_shared_keeps_the_part_of_others(bot: ServedBot, clean: Services) -> None:
    erase(bot)
    (group,) = clean.superuser(f"SELECT state, version FROM conversations WHERE key = '{GROUP}'")
    assert group == (
        {
            "data": {"seen": [OTTO], "scores": {str(OTTO): 5}, "winner_id": 0,
                     "by": {"is_bot": False, "id": 0, "first_name": ""}},
            "talks": {"quiz": [[[GROUP, OTTO], 1]]},
        }, 4,
    )  # fmt: skip
    ((state,),) = clean.superuser("SELECT state FROM conversations WHERE scope = 'bot'")
    assert state["data"] == {"ages": {"!": "dict", "of": [[OTTO, 40]]}, "at": "user:0:cart"}
    ((body,),) = clean.superuser("SELECT body FROM inbox WHERE update_id = 500")
    assert body["message"]["text"] == "I agree with @***"
    assert body["message"]["from"]["id"] == OTTO
    assert set(body["message"]["reply_to_message"]) == {"message_id", "date", "chat"}


def test_their_updates_stay_recognised_though_nothing_of_them_is_known(bot: ServedBot, clean: Services) -> None:
    erase(bot)
    found = clean.superuser("SELECT chat_key, body::text FROM inbox WHERE update_id IN (200, 201) ORDER BY update_id")
    assert found == [("0", '{"update_id": 200}'), ("0", '{"update_id": 201}')]


def test_the_act_is_recorded_without_whom(bot: ServedBot, clean: Services) -> None:
    erase(bot)
    entries = clean.superuser(f"SELECT after FROM audit WHERE entity LIKE 'operations:%' AND bot_id = {bot.id}")
    assert entries == [({"kind": "person.erase"},)]


def test_killed_at_any_step_it_goes_on_to_the_same_end(
    bot: ServedBot, clean: Services, valkey: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    of_customer(clean, bot)
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(rows, "_PART", 1)
    erase(bot, slices=5)
    assert in_tables(clean, HER) == []
    assert in_redis(valkey, HER) == []


def test_another_bot_of_the_customer_forgets_them_only_if_all_are_to(clean: Services, bot: ServedBot) -> None:
    second = make_bot(TELEGRAM_ID + 1)
    foreign = make_bot(TELEGRAM_ID + 2, customer_id=add_customer("other").id)
    for one in (second, foreign):
        Plot(clean, one).person(ZELDA, 700)

    def known_by() -> list[Any]:
        return clean.superuser(f"SELECT bot_id FROM bot_users WHERE user_id = {ZELDA} ORDER BY 1")

    erase(bot)
    assert known_by() == [(second.id,), (foreign.id,)]
    number = begin(erasing(1, None, ZELDA))
    run(number, {ERASE_PERSON: Runner(erase_person)})
    assert known_by() == [(foreign.id,)]
    assert not [one for one in in_tables(clean, HER) if f'"bot_id":{foreign.id},' not in one]


def test_what_a_worker_writes_meanwhile_goes_too(
    bot: ServedBot, clean: Services, valkey: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one of their updates in its hands, and ends it while the rows are looked through."""
    valkey.hset(f"by:own:{bot.telegram_id}", str(ZELDA), "token")
    monkeypatch.setattr("botyard.erasure.operation._LEASED_SECONDS", 0.2)
    look, left = rows.look_through, [1]

    def look_through(*given: Any) -> Any:
        found = look(*given)
        if given[1][0].table == "bot_users" and left:
            left.clear()
            waiting(valkey, bot, 900, ZELDA)
            Plot(clean, bot).row("conversations", "user", str(ZELDA), {"data": {"name": "Zelda"}}, 1)
        return found

    monkeypatch.setattr(rows, "look_through", look_through)
    erase(bot)
    assert in_tables(clean, HER) == []
    assert in_redis(valkey, HER) == []


def test_files_that_tell_of_them_are_taken_away_and_one_that_is_still_read_is_not(
    bot: ServedBot, clean: Services
) -> None:
    store = operations_store_of(get_settings())
    number = begin(Wanted(EXPORT_BOT, 1, bot.id))
    run(number, {EXPORT_BOT: Runner(export_bot, whole=True)})
    read, needed = store.put(b"read already").name, store.put(b"still to be read").name
    for name, state, end in ((read, "done", "now()"), (needed, "queued", "NULL")):
        clean.superuser(
            "INSERT INTO operations (customer_id, bot_id, actor, kind, request, state, finished_at)"
            f""" VALUES (1, {bot.id}, 'x', 'bot.import', '{{"file": "{name}"}}', '{state}', {end})"""
        )
    row = operation(number)
    assert row is not None
    exported(row).close()
    erase(bot)
    with pytest.raises(MediaGone):
        exported(row)
    with pytest.raises(MediaGone):
        store.open(read)
    store.open(needed).close()


def test_an_export_that_runs_meanwhile_is_waited_for_and_its_file_goes(
    bot: ServedBot, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows a moment at which there was something of them."""
    store = operations_store_of(get_settings())
    name = store.put(b"of an earlier moment").name
    clean.superuser(
        "INSERT INTO operations (id, customer_id, bot_id, actor, kind, request, state, started_at, runs_until)"
        f" VALUES (900, 1, {bot.id}, 'x', '{EXPORT_BOT}', '{{}}', 'running', now(), now() + interval '1 hour')"
    )
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    number = begin(erasing(1, None, ZELDA))
    for _ in range(60):
        run(number, {ERASE_PERSON: Runner(erase_person)})
    assert [row.state for row in [operation(number)] if row] == ["queued"]
    clean.superuser(
        f"""UPDATE operations SET state = 'done', finished_at = now(), result = '{{"file": "{name}"}}' WHERE id = 900"""
    )
    while run(number, {ERASE_PERSON: Runner(erase_person)}):
        pass
    assert [row.state for row in [operation(number)] if row] == ["done"]
    with pytest.raises(MediaGone):
        store.open(name)


def test_redis_is_looked_through_once_for_all_bots(bot: ServedBot, valkey: "Redis") -> None:
    make_bot(TELEGRAM_ID + 1)

    def looked() -> int:
        return int(valkey.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"])

    before = looked()
    run(begin(erasing(bot.customer_id, None, ZELDA)), {ERASE_PERSON: Runner(erase_person)})
    assert looked() == before + 1


def test_what_is_written_while_they_are_looked_for_is_kept(
    bot: ServedBot, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = rows._settle

    def overtaken(connection: Any, person: Any, step: Any, found: dict[str, Any]) -> Any:
        if step[0].table == "conversations" and found["key"] == str(GROUP):
            news = json.dumps({"data": {"seen": [OTTO, ZELDA], "new": 1}})
            clean.superuser(f"UPDATE conversations SET state = '{news}', version = 8 WHERE key = '{GROUP}'")
        return settle(connection, person, step, found)

    monkeypatch.setattr(rows, "_settle", overtaken)
    erase(bot)
    assert clean.superuser(f"SELECT state, version FROM conversations WHERE key = '{GROUP}'") == [
        ({"data": {"seen": [OTTO], "new": 1}}, 9)
    ]


def test_what_their_update_sent_to_others_stays(bot: ServedBot, clean: Services) -> None:
    """As a broadcast that they began."""
    plot, told = Plot(clean, bot), {"chat_id": OTTO, "text": "Sale, says @zelda_q"}
    plot.row("outbox", str(OTTO), bot.telegram_id, 200, 2, 3, "sendMessage", told, "sent")
    ((sent,),) = clean.superuser("SELECT max(id) FROM outbox")
    plot.row("messages", str(OTTO), "out", "sendMessage", 60, None, sent, told["text"])
    erase(bot)
    ((params,),) = clean.superuser(f"SELECT params FROM outbox WHERE id = {sent}")
    assert params == {**told, "text": "Sale, says @***"}
    assert clean.superuser(f"SELECT text FROM messages WHERE outbox_id = {sent}") == [("Sale, says @***",)]


def test_what_only_looks_like_them_stays_and_so_does_what_is_another_customers(bot: ServedBot, clean: Services) -> None:
    of_customer(clean, bot)
    foreign = make_bot(TELEGRAM_ID + 2, customer_id=add_customer("other").id)
    answer = json.dumps({"botId": f"bot_{foreign.id}", "userId": str(ZELDA)})
    clean.superuser(
        "INSERT INTO endpoint_messages (customer_id, endpoint_id, type, body)"
        f""" VALUES (1, 1, 'message.received', '{{"userId": "{ZELDA}0"}}')""",
        "INSERT INTO idempotency_keys (person_id, route, key, digest, state, running_until, answer) VALUES"
        f" (7, 'POST /api/v1/bots/bot_{foreign.id}/users/{ZELDA}/erasure', 'k', '', 'done', now(), '{answer}'),"
        f" (7, 'POST /api/v1/bots/bot_{bot.id}/users/{ZELDA}0/erasure', 'k', '', 'done', now(), '{{}}')",
    )
    erase(bot)
    assert len(clean.superuser(f"SELECT id FROM endpoint_messages WHERE body ~ '{ZELDA}0'")) == 1
    kept = clean.superuser(f"SELECT answer::text FROM idempotency_keys WHERE route ~ '{ZELDA}' ORDER BY 1")
    assert sorted(json.loads(one)["userId"] if "userId" in one else one for (one,) in kept) == [str(ZELDA), "{}"]


def test_a_group_is_no_person(bot: ServedBot) -> None:
    with pytest.raises(InputError):
        erasing(1, bot.id, GROUP)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("7001 and 17001", "0 and 17001"),
        ("@Ann_B, not ann_b2", "@***, not ann_b2"),
        ("Ann Bee called; Ann did not", "*** called; Ann did not"),
        ({"id": 7001, "is_bot": False, "first_name": "Ann"}, {"is_bot": False, "id": 0, "first_name": ""}),
        ({"id": 7001, "price": 5}, {"id": 0, "price": 5}),
        ({"7001": 1, "7002": 2}, {"7002": 2}),
        ([7001, 7002, "7001"], [7002]),
        (
            {"ann_b": 1, "balance": 7001, "date": 7001, "paid": 7001},
            {"ann_b": 1, "balance": 7001, "date": 7001, "paid": 7001},
        ),
        ({"chat_id": 7001, "ownerId": 7001, "message_id": 7001}, {"chat_id": 0, "ownerId": 0, "message_id": 7001}),
        (
            {"callback_data": "ann_b", "method": "Ann_b", "plan": "ann_b"},
            {"callback_data": "ann_b", "method": "Ann_b", "plan": "ann_b"},
        ),
        ({"!": "ann_b", "of": [7001, "x"]}, {"!": "ann_b", "of": [7001, "x"]}),
        ({"!": "dict", "of": [[7001, 1], [5, 7001]]}, {"!": "dict", "of": [[5, 7001]]}),
        ({"plan": "for @ann_b", "text": "ann_b?"}, {"plan": "for @***", "text": "***?"}),
        ({"userId": "7001", "firstName": "Ann", "tags": []}, {"userId": "0"}),
        ({"user_id": 7001, "phone_number": "+1"}, {"phone_number": "", "first_name": "", "user_id": 0}),
    ],
)
def test_a_person_is_taken_out_and_nothing_else(told: Any, left: Any) -> None:
    traces = Traces(7001, [{"username": "ann_b", "first_name": "Ann", "last_name": "Bee"}])
    assert traces.without(told) == left
    assert traces.without(left) == left
