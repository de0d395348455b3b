"""Slices of updates against the real Valkey and PostgreSQL: what a handler does wrong, and who notices."""

import asyncio
import sys
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from botyard.mailbox.protocol import PROCESS_UPDATES, Ticket, fresh_id
from botyard.settings import Settings
from tests.factories import make_bot, message, payloads, until
from tests.integration import kinds
from tests.integration.mailbox_tools import take_one
from tests.integration.rig import Rig, rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


def rows(yard: Rig, query: str) -> list[tuple[Any, ...]]:
    return yard.services.superuser(query)


def sends(yard: Rig) -> list[str]:
    return [text for (text,) in rows(yard, "SELECT params->>'text' FROM outbox ORDER BY id")]


def letters(yard: Rig) -> list[tuple[Any, ...]]:
    return rows(yard, "SELECT update_id, reason, attempts FROM dead_letters ORDER BY update_id")


async def test_a_handler_that_raises_is_tried_three_times_and_then_a_dead_letter_with_its_traceback(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "misbehaving")
    await yard.give(bot, message(1, "raise"), message(2, "after"))
    await yard.settle(sending=False)
    assert kinds.STARTS == [1, 1, 1, 2], "in order: the next one waits"
    assert letters(yard) == [(1, "ValueError: broken on purpose", 3)]
    ((detail, body),) = rows(yard, "SELECT detail, request#>>'{message,text}' FROM dead_letters")
    assert "in _misbehave" in detail
    assert body == "raise"
    assert sends(yard) == ["heard after"], "what the failed handler sent is undone"
    assert rows(yard, "SELECT update_id, state FROM inbox ORDER BY 1") == [(1, "dead"), (2, "done")]


async def test_every_line_about_an_update_names_its_bot(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "misbehaving")
    await yard.give(bot, message(1, "raise"))
    with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        await yard.settle(sending=False)
    assert {line["event"] for line in lines} >= {"handler_failed", "update_dead"}
    assert {line["bot"] for line in lines} == {bot.id}


async def test_a_bot_that_cannot_be_built_is_said_once_and_loses_nothing(yard: Rig) -> None:
    bot = make_bot(kind="tests.integration.test_processing:leaves")
    await yard.give(bot, message(1, "hello"))
    begun = yard.tickets.sent.pop()
    with capture_logs() as lines:
        for _ in range(3):
            await yard.work(begun)
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["bot"]) == ("application_not_built", bot.id)
    assert "SystemExit at tests/integration/test_processing.py" in line["error"]
    assert "KEY is not set" in line["error"]
    assert LEFT == [1], "it is not tried again at once"
    yard.keeper.sweep()
    assert yard.keeper.sweep() == [], "its tickets keep their places"
    rows(yard, "UPDATE bots SET kind = 'tests.integration.kinds:echo', config_version = 2 RETURNING 1")
    yard.services.tell_everybody()  # as after five seconds
    await yard.work(begun)
    assert sends(yard) == ["echo hello"]


LEFT: list[int] = []


def leaves(_: Any) -> None:
    LEFT.append(1)
    sys.exit("KEY is not set")


async def test_the_backoff_doubles_and_other_chats_go_on_meanwhile(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, backoff_seconds=0.4) as yard:
        bot = make_bot(kind=KINDS + "misbehaving")
        await yard.give(bot, message(1, "raise", chat_id=5))
        started = asyncio.get_running_loop().time()
        working = asyncio.create_task(yard.settle(sending=False))
        await until(lambda: 1 in kinds.STARTS)
        await yard.give(bot, message(2, "fine", chat_id=6))
        await until(lambda: 2 in kinds.STARTS, 0.35)
        await working
        assert asyncio.get_running_loop().time() - started >= 0.4 + 0.8
        assert kinds.STARTS == [1, 2, 1, 1]


async def test_error_handlers_speak_on_the_last_attempt_only_and_what_they_send_is_kept(yard: Rig) -> None:
    await yard.give(make_bot(kind=KINDS + "sorry"), message(1, "raise"))
    await yard.settle(sending=False)
    assert sends(yard) == ["sorry: ValueError"]
    assert [attempts for *_, attempts in letters(yard)] == [3]


async def test_a_handler_that_hangs_is_cut_off(yard: Rig) -> None:
    await yard.give(make_bot(kind=KINDS + "misbehaving"), message(1, "hang"), message(2, "after"))
    await yard.settle(sending=False)
    assert letters(yard) == [(1, "the handlers took longer than 0.3 s", 3)]
    assert sends(yard) == ["heard after"]


BAD = {
    "cancelled": "CancelledError",
    "exit": "SystemExit: 3",
    "lock": "user_data['x'] is a Lock",
    "nul": "the database refused what the bot sent or keeps",
    "surrogate": "what the bot sent or keeps is not text or a number",
    "huge": "what the bot sent or keeps is not text or a number",
    "odd": "ValueError: broken",
}


@pytest.mark.parametrize("text", BAD)
async def test_one_bad_update_changes_nothing_for_thirty_others(yard: Rig, text: str) -> None:
    bot = make_bot(kind=KINDS + "misbehaving")
    updates = [message(number, text if number == 7 else "fine", chat_id=number) for number in range(1, 32)]
    await yard.give(bot, *updates)
    await yard.settle(sending=False)
    ((update_id, reason, attempts),) = letters(yard)
    assert (update_id, attempts) == (7, 3)
    assert BAD[text] in reason
    assert sorted(kinds.STARTS) == sorted([*range(1, 32), 7, 7]), "nobody else was run again"
    assert len(sends(yard)) == 30


async def test_an_update_that_cannot_be_read_is_buried_with_its_body(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo")
    broken = {"update_id": 1, "message": {"message_id": 1, "date": "yesterday", "chat": {"id": 5, "type": "private"}}}
    await yard.give(bot, broken, message(2, "after", chat_id=5))
    await yard.settle(sending=False)
    ((update_id, reason, _),) = letters(yard)
    assert update_id == 1
    assert reason.startswith("python-telegram-bot cannot read it: ")
    assert rows(yard, "SELECT request#>>'{message,date}' FROM dead_letters") == [("yesterday",)]
    assert sends(yard) == ["echo after"]


@pytest.mark.parametrize("kind", sorted(payloads()))
async def test_an_update_of_every_kind_comes_to_its_end(yard: Rig, kind: str) -> None:
    await yard.give(make_bot(kind=KINDS + "counting"), payloads()[kind])
    await yard.settle(sending=False)
    assert rows(yard, "SELECT kind, state FROM inbox") == [(kind, "done")]


async def test_an_update_of_tomorrow_is_kept_as_it_came(yard: Rig) -> None:
    await yard.give(make_bot(kind=KINDS + "echo"), {"update_id": 1, "brand_new\0kind": {"x": "\0"}})
    await yard.settle(sending=False)
    assert rows(yard, "SELECT kind, state, body::text FROM inbox") == [
        ("brand_new\ufffdkind", "done", '{"update_id":1,"brand_new\\u0000kind":{"x":"\\u0000"}}')
    ]


async def test_a_text_with_a_nul_is_history_without_it(yard: Rig) -> None:
    await yard.give(make_bot(kind=KINDS + "counting"), message(1, "a\0b"))
    await yard.settle(sending=False)
    assert rows(yard, "SELECT text FROM messages") == [("a\ufffdb",)]
    assert rows(yard, "SELECT state FROM inbox") == [("done",)]


async def test_two_chats_of_one_person_do_not_lose_each_others_memory(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "counting")
    await yard.give(bot, *(message(number, "x", chat_id=-(number % 6) - 1, user_id=5) for number in range(1, 31)))
    await yard.settle(sending=False)
    assert rows(yard, "SELECT state#>>'{data,seen}' FROM conversations WHERE scope = 'user'") == [("30",)]
    assert rows(yard, "SELECT count(*) FROM dead_letters") == [(0,)]


async def test_chats_side_by_side_and_two_workers_do_not_lose_what_the_bot_remembers(
    clean: Services, settings: Settings
) -> None:
    async with rig(clean, settings) as one, rig(clean, settings) as other:
        bot = make_bot(kind=KINDS + "counting")
        await one.give(bot, *(message(number, "x", chat_id=number) for number in range(1, 13)))
        other.tickets = one.tickets
        await asyncio.gather(one.settle(sending=False), other.settle(sending=False))
        assert rows(one, "SELECT state#>>'{data,seen}' FROM conversations WHERE scope = 'bot'") == [("12",)]
        assert rows(one, "SELECT count(*) FROM dead_letters") == [(0,)]


async def test_without_a_fault_everything_drains_without_the_sweep(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, slice_updates=5) as yard:
        bot = make_bot(kind=KINDS + "echo")
        await yard.give(bot, *(message(number, str(number), chat_id=5) for number in range(1, 24)))
        await yard.settle(sending=False, sweeping=False)
        assert sends(yard) == [f"echo {number}" for number in range(1, 24)]


async def test_a_slow_bot_never_works_in_more_slices_than_its_share(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, handler_timeout_seconds=5) as yard:
        bot = make_bot(kind=KINDS + "slow")
        running: list[asyncio.Task[None]] = []
        for number in range(1, 5):
            await yard.give(bot, message(number, chat_id=number))
            yard.tickets.sent += yard.keeper.sweep()
            running += [asyncio.create_task(yard.work(ticket)) for ticket in yard.tickets.sent]
            yard.tickets.sent.clear()
            await until(lambda number=number: len(kinds.STARTS) == number, 0.9)
            assert sum(not task.done() for task in running) <= yard.settings.share
        await asyncio.gather(*running)
        await yard.settle(sending=False)
        assert rows(yard, "SELECT count(*) FROM inbox") == [(4,)]


async def test_a_doubled_ticket_and_a_ticket_of_a_stranger_do_no_harm(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo")
    await yard.give(bot, message(1, "a"), message(2, "b"))
    (ticket,) = yard.tickets.sent
    yard.tickets.sent += [ticket, Ticket(PROCESS_UPDATES, 999, fresh_id(), ticket.stamp, "slow")]
    await yard.settle(sending=False)
    assert sends(yard) == ["echo a", "echo b"]


async def test_an_update_that_was_resolved_before_only_wakes_the_sender(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo")
    await yard.give(bot, message(1, "a"))
    await yard.settle(sending=False)
    for key in ("by:send", f"by:tix:send:{bot.id}", f"by:seen:{bot.telegram_id}:0"):
        yard.redis.delete(key)  # whoever committed died before waking; and Redis forgot
    kinds.STARTS.clear()
    yard.tickets.sent.clear()
    await yard.give(bot, message(1, "a"))
    await yard.settle(sending=False)
    assert kinds.STARTS == []
    assert yard.redis.zrange("by:send", 0, -1) == [str(bot.id).encode()]
    assert sends(yard) == ["echo a"]


async def test_an_update_whose_process_died_at_each_start_is_buried_without_another(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo")
    await yard.give(bot, message(1, "deadly", chat_id=5), message(2, "after", chat_id=5))
    for _ in range(3):
        held = await take_one(yard.boxes, bot.telegram_id, "t", fresh_id(), None, "slow")
        assert held is not None
        yard.redis.zadd(f"by:chats:{bot.telegram_id}", {held.chat: 0})  # it died; its lease has passed
    await yard.settle(sending=False)
    ((update_id, reason, attempts),) = letters(yard)
    assert (update_id, attempts) == (1, 3)
    assert "3 times" in reason
    assert kinds.STARTS == [2]


async def test_a_suspect_runs_alone(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, handler_timeout_seconds=5) as yard:
        bot = make_bot(kind=KINDS + "held_up")
        yard.redis.hset(f"by:bot:{bot.telegram_id}", "queue", "updates")  # a suspect of a slow one is lent
        await yard.give(bot, message(1, chat_id=1))
        held = await take_one(yard.boxes, bot.telegram_id, "t", fresh_id(), None, "slow")
        assert held is not None
        await yard.give(bot, message(2, chat_id=2))
        working = asyncio.create_task(yard.settle(sending=False))
        await until(lambda: kinds.STARTS == [2])
        yard.redis.zadd(f"by:chats:{bot.telegram_id}", {"1": 0})
        await until(lambda: yard.tools.solitude.wanted)
        await asyncio.sleep(0.1)  # it looks whether it is alone, and looks again
        assert kinds.STARTS == [2]
        await yard.give(bot, message(3, chat_id=3))
        kinds.LET_GO.add(2)
        await until(lambda: len(kinds.STARTS) == 2)
        assert kinds.STARTS == [2, 1]
        kinds.LET_GO.update({1, 3})
        await working
        assert kinds.STARTS == [2, 1, 3]
        assert rows(yard, "SELECT count(*) FROM dead_letters") == [(0,)]
