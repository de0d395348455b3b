"""Jobs of handlers: made, seen, changed and fired, whichever worker is there."""

import datetime as dt
import re
from typing import Any

import pytest

from tests.factories import CHAT
from tests.integration.jobs import kinds as jobs_kinds
from tests.integration.jobs.kinds import BERLIN, alarm, chaining, counting, remembering, silent
from tests.integration.jobs.tools import Bot, fire, jobs, now, rows, sends, sweep
from tests.integration.rig import Rig


def a_while_from_now(yard: Rig, seconds: float, column: str = "next_run") -> bool:
    ((ok,),) = rows(
        yard,
        f"SELECT abs(extract(epoch FROM {column} - now()) - {seconds}) < 5 FROM jobs",  # noqa: S608
    )
    return bool(ok)


@pytest.mark.parametrize(
    "when",
    [60, 60.0, dt.timedelta(minutes=1), lambda: now() + dt.timedelta(minutes=1),
     lambda: (now() + dt.timedelta(seconds=60)).timetz()],  # noqa: PLW0108 - the time of the test
)  # fmt: skip
async def test_a_job_that_runs_once_waits_for_its_moment_fires_and_is_gone(yard: Rig, bot: Bot, when: Any) -> None:
    moment = when() if callable(when) else when
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, moment, data="tea", chat_id=chat) and None)
    assert a_while_from_now(yard, 60)
    assert sweep(yard) == 0, "it is not due"
    yard.host._applications.clear()
    await fire(yard)
    assert sends(yard) == ["beep tea"]
    assert jobs(yard) == []
    assert rows(yard, "SELECT kind, state, update_id < 0, chat_key FROM inbox ORDER BY received_at")[1:] == [
        ("botyard_job", "done", True, str(CHAT))
    ]


async def test_a_moment_that_has_passed_is_due_at_once(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, now() - dt.timedelta(1), chat_id=chat) and None)
    assert sweep(yard) == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["beep None"]


async def test_a_repeating_job_keeps_what_it_changes_in_its_data_and_may_end_itself(yard: Rig, bot: Bot) -> None:
    await bot.does(
        lambda queue, chat, _: queue.run_repeating(counting, 60, first=5, data={"times": 0}, chat_id=chat) and None
    )
    assert a_while_from_now(yard, 5)
    for _ in range(2):
        await fire(yard)
        assert jobs(yard, "firing_id") == [None]
    assert jobs(yard, "data->'data'->'data'->>'times'") == ["2"]
    await fire(yard)
    assert sends(yard) == ["time 1", "time 2", "time 3"]
    assert jobs(yard) == []


async def test_a_repeating_job_ends_after_its_last_moment(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: queue.run_repeating(silent, 60, first=5, last=30, name="r") and None)
    assert jobs(yard) == ["r"]
    yard.services.superuser("UPDATE jobs SET trigger = jsonb_set(trigger, '{end}', to_jsonb(now()))")
    await fire(yard)
    assert jobs(yard) == []


async def test_daily_monthly_and_custom_jobs_have_their_moments(yard: Rig, bot: Bot) -> None:
    at = dt.time(9, 30, tzinfo=BERLIN)

    def order(queue: Any, *_: Any) -> None:
        queue.run_daily(silent, at, days=(1, 3), name="daily")
        queue.run_monthly(silent, at, 31, name="monthly")
        queue.run_monthly(silent, at, -1, name="last")
        queue.run_custom(silent, {"trigger": "cron", "hour": "8-10", "timezone": "Asia/Tokyo"}, name="custom")

    await bot.does(order)
    moments = dict(jobs(yard, "name, next_run"))
    local = {name: moment.astimezone(BERLIN) for name, moment in moments.items()}
    assert {(m.hour, m.minute) for name, m in local.items() if name != "custom"} == {(9, 30)}
    assert local["daily"].isoweekday() in (1, 3), "Sunday is 0, as in python-telegram-bot"
    assert local["monthly"].day == 31
    assert (local["last"] + dt.timedelta(1)).day == 1
    assert (moments["custom"] - now()) < dt.timedelta(days=1)
    assert [trigger["type"] for trigger in jobs(yard, "trigger")] == ["cron"] * 4, "typed, never pickled"


async def test_what_a_handler_sees_is_what_it_changed_and_what_is_stored(yard: Rig, bot: Bot) -> None:
    def make(queue: Any, *_: Any) -> None:
        for name in ("one", "two", "three"):
            queue.run_once(silent, 600, name=name, data=[name])

    await bot.does(make)

    def change(queue: Any, *_: Any) -> list[Any]:
        queue.get_jobs_by_name("one")[0].schedule_removal()
        queue.run_once(silent, 900, name="four")
        (two,) = queue.get_jobs_by_name("two")
        assert two.data == ["two"]
        assert two == queue.jobs("tw")[0]
        assert not two.removed
        two.data.append("changed")
        return [job.name for job in queue.jobs()]

    assert await bot.is_told(change) == "['two', 'three', 'four']"
    assert sorted(jobs(yard)) == ["four", "three", "two"]
    assert await bot.is_told(lambda queue, *_: [job.name for job in queue.jobs("^t")]) == "['two', 'three']"
    assert await bot.is_told(lambda queue, *_: queue.get_jobs_by_name("two")[0].data) == "['two', 'changed']"


async def test_changes_of_a_handler_that_raises_are_undone(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: queue.run_once(silent, 600, name="stays") and None)

    def spoil(queue: Any, *_: Any) -> None:
        queue.run_once(silent, 600, name="never")
        queue.get_jobs_by_name("stays")[0].schedule_removal()
        raise ValueError("broken on purpose")

    await bot.does(spoil)
    assert jobs(yard) == ["stays"]
    assert rows(yard, "SELECT count(*) FROM dead_letters") == [(1,)]


async def test_a_job_that_is_switched_off_waits_and_goes_on_when_it_is_switched_on(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_repeating(alarm, 60, name="r", chat_id=chat) and None)

    def switch(on: bool) -> Any:
        def order(queue: Any, *_: Any) -> Any:
            (job,) = queue.jobs()
            job.enabled = on
            return job.enabled, job.next_t is None

        return order

    assert await bot.is_told(switch(on=False)) == "(False, True)"
    assert jobs(yard, "enabled, next_run, due") == [(False, None, None)]
    assert await bot.is_told(lambda queue, *_: queue.jobs()[0].enabled) == "False"
    assert await bot.is_told(switch(on=True)) == "(True, False)"
    await fire(yard)
    assert sends(yard)[-1] == "beep None"


async def test_a_job_finds_the_memory_of_its_chat_and_its_person(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: queue.run_once(remembering, 600, chat_id=-5, user_id=7) and None)
    await fire(yard)
    assert rows(yard, "SELECT scope, key, state->'data' FROM conversations ORDER BY scope") == [
        ("bot", "", {"fired": True}), ("chat", "-5", {"fired": 1}), ("user", "7", {"fired": True}),
    ]  # fmt: skip


async def test_a_job_without_a_chat_has_a_mailbox_of_its_own(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: [queue.run_once(silent, 600) for _ in range(2)] and None)
    keys = jobs(yard, "chat_key")
    assert len(set(keys)) == 2
    await fire(yard)
    assert jobs(yard) == []
    assert {key for (key,) in rows(yard, "SELECT chat_key FROM inbox WHERE update_id < 0")} == set(keys)


async def test_a_job_makes_the_next_one_of_its_name(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(chaining, 60, name="chain", chat_id=chat) and None)
    for _ in range(3):
        (before,) = jobs(yard, "id")
        await fire(yard)
        (after,) = jobs(yard, "id")
        assert before != after


async def test_a_static_method_and_arguments_of_the_scheduler_are_understood(yard: Rig, bot: Bot) -> None:
    kwargs = {"misfire_grace_time": 5, "coalesce": False, "max_instances": 1, "id": "mine"}
    await bot.does(
        lambda queue, chat, _: queue.run_once(jobs_kinds.Methods.static, 9, chat_id=chat, job_kwargs=kwargs) and None
    )
    assert jobs(yard, "id, grace, catches_up, callback") == [
        ("mine", 5, True, "tests.integration.jobs.kinds:Methods.static")
    ]
    await fire(yard)
    assert sends(yard) == ["static"]


def _refused(order: Any) -> Any:
    def ordered(queue: Any, chat: int, context: Any) -> str:
        try:
            order(queue, chat, context)
        except Exception as error:  # noqa: BLE001 - the test looks at whatever it is
            return f"{type(error).__name__}: {error}"
        return "nothing"

    return ordered


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (lambda q, *_: q.run_once(lambda _: None, 1), "InputError: callback.*lambda.*top level of its module"),
        (lambda q, *_: q.run_once(jobs_kinds.Methods().bound, 1), "InputError: callback.*Methods.bound"),
        (lambda q, *_: q.run_once(silent, 1, data=lambda: 1), "NotKept: job silent"),
        (lambda q, *_: q.run_once(silent, 1, job_kwargs={"executor": "x"}), "InputError: job_kwargs.*executor"),
        (lambda q, *_: q.run_once(silent, 1, job_kwargs={"max_instances": 2}), "InputError: max_instances"),
        (lambda q, *_: q.run_once(silent, 1, job_kwargs={"odd": 2}), "TypeError: .*odd"),
        (lambda q, *_: q.run_repeating(silent, 1, first=9, last=1), "ValueError: 'last' must not"),
        (lambda q, *_: q.scheduler.get_jobs(), "InputError: job_queue.scheduler: get_jobs"),
        (lambda q, *_: [q.run_once(silent, 9, job_kwargs={"id": "a"}) for _ in "ab"], "ConflictingIdError"),
        (lambda q, *_: q.run_custom(silent, {"trigger": "odd"}), "InputError: trigger"),
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused_at_once_and_by_name(bot: Bot, order: Any, words: str) -> None:
    said = await bot.is_told(_refused(order))
    assert re.match(words, said), said


async def test_a_bot_has_ten_thousand_jobs_at_most(yard: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botyard.processing.store.MOST_JOBS", 3)

    def make(count: int) -> Any:
        return lambda queue, *_: [queue.run_once(silent, 600) for _ in range(count)] and None

    await bot.does(make(2))
    await bot.does(make(2))
    assert len(jobs(yard)) == 2
    assert rows(yard, "SELECT reason FROM dead_letters") == [
        ("the database refused what the bot sent or keeps: it would have more than 3 jobs",)
    ]
    await bot.does(make(1))
    assert len(jobs(yard)) == 3
