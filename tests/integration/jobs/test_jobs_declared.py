"""Jobs that a bot's code makes while it is built: once for the bot, whoever builds it and however often."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.errors import InputError
from tests.factories import make_bot, message
from tests.integration.jobs.kinds import SHAPE, silent
from tests.integration.jobs.tools import Bot, come, fire, jobs, now, rows, sends, sweep
from tests.integration.rig import Rig

ALL = ["hello", "hourly", "hourly", "morning", "past"]


@pytest.fixture
def bot(yard: Rig) -> Iterator[Bot]:
    SHAPE["declares"] = "daily"
    yield Bot(yard, "declaring")
    SHAPE["declares"] = "daily"


def nothing(*_: Any) -> None:
    """An update that changes nothing; its worker builds the bot anew."""


def version(bot: Bot, number: int) -> None:
    rows(bot.yard, f"UPDATE bots SET config_version = {number} RETURNING 1")  # noqa: S608
    bot.yard.services.tell_everybody()


def names(yard: Rig) -> list[str]:
    return sorted(jobs(yard))


async def test_declared_jobs_are_there_once_however_often_the_bot_is_built(yard: Rig, bot: Bot) -> None:
    await bot.does(nothing)
    before = jobs(yard, "id, name, next_run")
    assert sorted(name for _, name, _ in before) == ALL
    for _ in range(3):
        await bot.does(nothing)
    assert jobs(yard, "id, name, next_run") == before, "and a rebuild does not put off their moments"


async def test_a_declared_job_keeps_its_local_time(yard: Rig, bot: Bot) -> None:
    await bot.does(nothing)
    ((moment,),) = rows(yard, "SELECT next_run AT TIME ZONE 'Europe/Berlin' FROM jobs WHERE name = 'morning'")
    assert moment.time() == dt.time(9)


async def test_a_job_that_runs_once_is_not_fired_again_by_a_restart_but_by_the_next_version(
    yard: Rig, bot: Bot
) -> None:
    await bot.does(nothing)
    assert sweep(yard) == 1, "the moment that has passed"
    await fire(yard, "hello")
    await bot.does(nothing)
    assert sweep(yard) == 0
    assert sends(yard) == ["beep once", "beep started"]
    assert await bot.is_told(lambda queue, *_: sorted(job.name for job in queue.jobs())) == str(ALL[1:4])
    version(bot, 2)
    await bot.does(nothing)
    assert rows(yard, "SELECT name FROM jobs WHERE next_run < now() + interval '11 s' AND name <> 'hourly'") == [
        ("hello",)
    ], "what named a date has had its date"


async def test_what_the_new_code_does_not_declare_goes_and_what_handlers_made_stays(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: queue.run_once(silent, 600, name="own") and None)
    SHAPE["declares"] = "less"
    await bot.does(nothing)
    assert names(yard) == ["hourly", "own", "past"]


async def test_an_older_version_that_is_still_at_work_changes_nothing(yard: Rig, bot: Bot) -> None:
    await bot.does(nothing)
    SHAPE["declares"] = "less"
    old = yard.manager.bot(1)
    assert old is not None
    rows(yard, "UPDATE bots SET config_version = 2 RETURNING 1")
    yard.host._applications.clear()
    await yard.host.application(old)
    assert names(yard) == ALL


async def test_a_declared_job_that_a_handler_removes_stays_away_until_the_next_version(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda queue, *_: [job.schedule_removal() for job in queue.get_jobs_by_name("hourly")] and None)
    for _ in range(2):
        assert await bot.is_told(lambda queue, *_: len(queue.get_jobs_by_name("hourly"))) == "0"
    come(yard, "hourly")
    version(bot, 2)
    assert await bot.is_told(lambda queue, *_: len(queue.get_jobs_by_name("hourly"))) == "2"


async def test_a_declared_job_that_a_handler_switches_off_stays_off(yard: Rig, bot: Bot) -> None:
    def off(queue: Any, *_: Any) -> None:
        for job in queue.get_jobs_by_name("hourly"):
            job.enabled = False

    await bot.does(off)
    version(bot, 2)
    await bot.does(nothing)
    assert sorted(jobs(yard, "name, enabled"))[1:3] == [("hourly", False), ("hourly", False)]


async def test_a_repeating_declared_job_goes_on_after_it_fired(yard: Rig, bot: Bot) -> None:
    await bot.does(nothing)
    await fire(yard, "hourly")
    await bot.does(nothing)
    moments = [moment for name, moment in jobs(yard, "name, next_run") if name == "hourly"]
    assert len(moments) == 2
    assert all(now() < moment < now() + dt.timedelta(hours=1) for moment in moments)


SCRIPT = """
from telegram import Update
from telegram.ext import Application, CommandHandler


async def alarm(context):
    await context.bot.send_message(context.job.chat_id, f"WORDS {context.job.data}")


async def remind(update, context):
    context.job_queue.run_once(alarm, 600, chat_id=update.effective_chat.id, data="asked for")


def main():
    application = Application.builder().token("1:t").build()
    application.job_queue.run_once(alarm, 5, chat_id=7, data="at the start")
    application.add_handler(CommandHandler("remind", remind))
    application.run_polling()


if __name__ == "__main__":
    main()
"""


async def test_jobs_of_an_ordinary_script_call_the_code_as_it_is_when_they_fire(yard: Rig, tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(SCRIPT.replace("WORDS", "old"), encoding="utf-8")
    bot = make_bot(kind=str(script))
    await yard.give(bot, message(1, "/remind"))
    await yard.settle(sending=False)
    assert set(jobs(yard, "callback")) == {"shop:alarm"}
    script.write_text(SCRIPT.replace("WORDS", "the new words of"), encoding="utf-8")
    await fire(yard)
    assert sorted(sends(yard)) == ["the new words of asked for", "the new words of at the start"]
    assert rows(yard, "SELECT name, declared IS NOT NULL FROM jobs") == [("alarm", True)]


async def test_a_bot_whose_declared_data_cannot_be_kept_is_not_built_and_says_so(yard: Rig) -> None:
    bot = make_bot(kind="tests.integration.jobs.kinds:unkeepable")
    with pytest.raises(InputError, match="job silent"):
        await yard.host.application(bot)
