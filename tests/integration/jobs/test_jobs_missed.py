"""Moments that came while nobody was there."""

from typing import Any

from botyard.bots.removal import remove_bot
from tests.integration.fake_api import FakeApi, error
from tests.integration.jobs.kinds import alarm, silent
from tests.integration.jobs.tools import Bot, come, fire, jobs, rows, sends, sweep
from tests.integration.rig import Rig


def repeating(**kwargs: Any) -> Any:
    return lambda queue, chat, _: queue.run_repeating(alarm, 60, chat_id=chat, job_kwargs=kwargs) and None


def begin(yard: Rig, seconds: float) -> None:
    """Let the rhythm of every job have begun some seconds ago."""
    yard.services.superuser(
        f"UPDATE jobs SET trigger = jsonb_set(trigger, '{{start}}', to_jsonb(now() - interval '{seconds} s'))"  # noqa: S608
    )


async def test_a_job_that_runs_once_fires_however_late(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, chat, _: queue.run_once(alarm, 5, chat_id=chat) and None)
    await fire(yard, seconds=86_400)
    assert sends(yard) == ["beep None"]


async def test_a_repeating_job_fires_once_for_all_it_has_missed_and_keeps_its_rhythm(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating())
    begin(yard, 630)
    (start,) = jobs(yard, "trigger->>'start'")
    await fire(yard, seconds=600)
    assert sends(yard) == ["beep None"]
    assert rows(
        yard,
        "SELECT next_run > now() AND next_run <= now() + interval '60 s',"  # noqa: S608
        f" abs(mod(extract(epoch FROM next_run - '{start}')::numeric, 60)) < 0.01 FROM jobs",
    ) == [(True, True)]
    assert sweep(yard) == 0


async def test_a_job_that_does_not_coalesce_fires_for_each_moment(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating(coalesce=False))
    begin(yard, 190)
    come(yard, seconds=190)
    for _ in range(4):
        assert sweep(yard) == 1
        await yard.settle(sending=False)
    assert sweep(yard) == 0
    assert sends(yard) == ["beep None"] * 4


async def test_a_moment_beyond_its_grace_is_left_out(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating(misfire_grace_time=30))
    await bot.does(
        lambda queue, chat, _: (
            queue.run_once(alarm, 9, "once", chat_id=chat, job_kwargs={"misfire_grace_time": 30}) and None
        )
    )
    come(yard, seconds=31)
    assert sweep(yard) == 0
    assert jobs(yard, "next_run > now()") == [True], "the other one had no further moment"
    await fire(yard, seconds=20)
    assert sends(yard) == ["beep None"]


async def test_moments_that_come_while_a_firing_waits_become_one(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating())
    come(yard)
    assert sweep(yard) == 1
    yard.services.superuser("UPDATE jobs SET next_run = now() - interval '300 s', due = now()")
    assert sweep(yard) == 1, "it is put again, under its number"
    assert yard.redis.hget(f"by:bot:{bot.bot.telegram_id}", "held") == b"1"
    await yard.settle(sending=False)
    assert len(sends(yard)) == 1
    assert sweep(yard) == 1, "it was due, and waited for the other one"
    await yard.settle(sending=False)
    assert len(sends(yard)) == 2
    assert sweep(yard) == 0


async def test_jobs_of_a_paused_bot_wait_as_its_updates_do(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating())
    yard.redis.hset(f"by:bot:{bot.bot.telegram_id}", "paused", "1")
    come(yard)
    sweep(yard)
    assert yard.keeper.sweep() == []
    yard.redis.hdel(f"by:bot:{bot.bot.telegram_id}", "paused")
    await yard.settle(sending=False)
    assert sends(yard) == ["beep None"]


async def test_jobs_of_a_bot_that_is_being_removed_do_not_fire(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating())
    rows(yard, "UPDATE bots SET status = 'inactive' RETURNING 1")
    come(yard)
    assert sweep(yard) == 0
    assert jobs(yard, "firing_id") == [None]


async def test_a_trigger_that_cannot_be_read_keeps_no_other_job_from_firing(yard: Rig, bot: Bot) -> None:
    await bot.does(repeating())
    await bot.does(lambda queue, *_: queue.run_repeating(silent, 60, name="odd") and None)
    yard.services.superuser(
        "UPDATE jobs SET trigger = jsonb_set(trigger, '{timezone}', '\"Mars/Base\"') WHERE name = 'odd'"
    )
    come(yard)
    assert sweep(yard) == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["beep None"]
    assert rows(yard, "SELECT due > now() + interval '50 min' FROM jobs WHERE name = 'odd'") == [(True,)]


async def test_a_removed_bot_leaves_no_job(yard: Rig, bot: Bot, api: FakeApi) -> None:
    await bot.does(repeating())
    rows(yard, f"UPDATE bots SET api_url = '{api.url}' RETURNING 1")  # noqa: S608
    api.script = [error(401, "Unauthorized")]
    removed = await remove_bot(str(bot.bot.id), yard.host.request, yard.settings)
    assert removed.rows["jobs"] == 1
    assert jobs(yard) == []
