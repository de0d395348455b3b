"""Firings: jobs whose moment has come, on their way through the mailbox of their chat."""

import asyncio
from typing import Any

import pytest

from botyard.bots.dead_letters import Replayer
from botyard.jobs.firing import fire_due
from tasks.processes import WorkerProcess
from tests.factories import CHAT, message, until
from tests.integration.jobs.kinds import ORDERS, alarm, broken, counting
from tests.integration.jobs.tools import Bot, away_once, come, fire, jobs, now, rows, sends, sweep
from tests.integration.rig import Rig


async def test_two_clocks_at_once_fire_a_moment_once(yard: Rig, bot: Bot) -> None:
    def make(queue: Any, chat: int, _: Any) -> None:
        for number in range(150):
            queue.run_once(alarm, 600, data=number, chat_id=chat + number % 7)

    await bot.does(make)
    come(yard)
    fired = await asyncio.gather(*(asyncio.to_thread(sweep, yard) for _ in range(4)))
    assert sum(fired) == 150
    await yard.settle(sending=False)
    assert sorted(sends(yard)) == sorted(f"beep {number}" for number in range(150))
    assert jobs(yard) == []


async def test_a_firing_that_was_not_put_into_the_mailbox_is_put_there_later(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, 600, chat_id=chat) and None)
    come(yard)

    def dies(*_: Any) -> None:
        raise ConnectionError("killed")

    with pytest.raises(ConnectionError):
        fire_due(dies)
    assert sweep(yard) == 0, "another clock leaves it some time"
    assert jobs(yard, "due < now() + interval '11 s'") == [True]
    yard.services.superuser("UPDATE jobs SET due = now()")
    assert sweep(yard) == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["beep None"]


async def test_a_firing_that_redis_has_lost_is_put_there_again_and_one_that_waits_is_not_doubled(
    yard: Rig, bot: Bot
) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, 600, chat_id=chat) and None)
    come(yard)
    sweep(yard)
    yard.redis.flushdb()
    for _ in range(3):
        yard.services.superuser("UPDATE jobs SET due = now()")
        sweep(yard)
    assert yard.redis.llen(f"by:box:{bot.bot.telegram_id}:{CHAT}") == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["beep None"]


@pytest.mark.parametrize("what", ["removed", "disabled", "replaced"])
async def test_a_job_that_is_removed_while_its_firing_waits_does_not_run(yard: Rig, bot: Bot, what: str) -> None:
    await bot.does(
        lambda queue, chat, _: queue.run_once(alarm, 600, name="r", chat_id=chat + 1, job_kwargs={"id": "x"}) and None
    )
    come(yard)
    assert sweep(yard) == 1
    waiting = yard.tickets.sent[:]
    yard.tickets.sent.clear()

    def order(queue: Any, chat: int, _: Any) -> None:
        if what == "removed":
            queue.get_jobs_by_name("r")[0].schedule_removal()
        elif what == "disabled":
            queue.get_jobs_by_name("r")[0].enabled = False
        else:
            queue.run_once(alarm, 900, name="r", chat_id=chat, job_kwargs={"id": "x", "replace_existing": True})

    # As if another worker had that chat in its hands meanwhile.
    box, places = f"by:box:{bot.bot.telegram_id}:{CHAT + 1}", f"by:chats:{bot.bot.telegram_id}"
    score = yard.redis.zscore(places, str(CHAT + 1))
    assert score is not None
    yard.redis.zadd(places, {str(CHAT + 1): score + 1e12})
    bot.updates += 1
    ORDERS[f"order {bot.updates}"] = order
    await yard.give(bot.bot, message(bot.updates, f"order {bot.updates}"))
    for ticket in [*waiting, *yard.tickets.sent]:
        await yard.work(ticket)
    yard.tickets.sent.clear()
    assert yard.redis.llen(box) == 1
    yard.redis.zadd(places, {str(CHAT + 1): score})
    await yard.settle(sending=False)
    assert sends(yard) == []
    assert jobs(yard, "next_run IS NULL, enabled") == {
        "removed": [], "disabled": [(True, False)], "replaced": [(False, True)],
    }[what]  # fmt: skip


async def test_a_job_that_raises_is_tried_three_times_and_its_dead_letter_can_be_replayed(yard: Rig) -> None:
    bot = Bot(yard, "apologising")
    await bot.does(lambda queue, chat, _: queue.run_once(broken, 60, name="b", chat_id=chat) and None)
    await fire(yard)
    assert sends(yard) == ["sorry: broken on purpose of b"]
    assert rows(yard, "SELECT what, reason, attempts FROM dead_letters") == [
        ("update", "ValueError: broken on purpose", 3)
    ]
    assert jobs(yard) == []
    await _replay(yard)
    assert rows(yard, "SELECT attempts FROM dead_letters") == [(3,), (3,)], "it ran again"


async def _replay(yard: Rig) -> None:
    ((number,),) = rows(yard, "SELECT id FROM dead_letters")
    assert Replayer(yard.keeper, yard.tickets).replay(number) == "replayed"
    await yard.settle(sending=False)


async def test_a_repeating_job_goes_on_after_a_dead_letter(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_repeating(broken, 60, name="b", chat_id=chat) and None)
    await fire(yard)
    assert jobs(yard, "firing_id IS NULL, next_run > now(), due = next_run") == [(True, True, True)]


async def test_a_job_of_a_chat_that_became_a_supergroup_fires_there(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: queue.run_once(alarm, 600, chat_id=-5) and None)
    yard.services.superuser(
        f"INSERT INTO chats (bot_id, chat_key, moved_to) VALUES ({bot.bot.id}, '-5', '-1005')"  # noqa: S608
    )
    await fire(yard)
    assert rows(yard, "SELECT chat_key FROM outbox") == [("-1005",)]


async def test_a_database_that_is_away_when_a_handler_asks_for_jobs_costs_no_attempt(
    yard: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    away_once(monkeypatch, "botyard.jobs.stored")
    assert await bot.is_told(lambda queue, *_: queue.jobs()) == "()"
    assert rows(yard, "SELECT attempt FROM inbox") == [(1,)]


async def test_the_clock_of_a_worker_fires_what_is_due_within_a_second(
    yard: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, 1, chat_id=chat) and None)
    (moment,) = jobs(yard, "next_run")
    monkeypatch.setattr("tasks.processes.CeleryTickets", lambda _: yard.tickets)
    process = WorkerProcess(slots=False)
    try:
        await until(lambda: bool(yard.redis.llen(f"by:box:{bot.bot.telegram_id}:{CHAT}")))
        late = (now() - moment).total_seconds()
        await yard.settle(sending=False)
    finally:
        process.stop()
    assert sends(yard) == ["beep None"]
    assert 0 <= late < 3, "a busy machine may take longer than the second it takes alone"
    print(f"{late:.2f} s late")


async def test_a_job_that_changes_its_data_when_it_fires_is_due_at_its_next_moment(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_repeating(counting, 600, chat_id=chat, data={"times": 0}) and None)
    await fire(yard)
    assert jobs(yard, "data#>>'{data,data,times}', due = next_run, firing_id IS NULL") == [("1", True, True)]
