"""A command of the bot's own in the place of a text: its handlers act as if the person had sent it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from botyard.accounts.access import tenant_session
from botyard.errors import InputError
from botyard.schedules import storing
from botyard.schedules.content import command_of
from botyard.schedules.plans import Audience
from botyard.settings import Settings
from tests.integration.jobs.tools import sweep
from tests.integration.rig import Rig, rig
from tests.integration.schedules.tools import Planned, execute, rows, work
from tests.services import Services

KIND = "tests.integration.schedules.kinds:digesting"


def texts() -> list[tuple[Any, ...]]:
    return rows("SELECT chat_key, params->>'text' FROM outbox ORDER BY chat_key, id")


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    async with rig(clean, settings, handler_timeout_seconds=5) as made:
        yield made


@pytest.fixture
def planned(yard: Rig) -> Planned:  # noqa: ARG001 - the tables are empty
    made = Planned(kind=KIND)
    made.people(7, 8)
    return made


async def fire(yard: Rig) -> None:
    """Let what is due run to its end."""
    sweep(yard)
    await yard.settle(sending=False)


async def test_everybody_is_taken_to_have_sent_it_and_its_effects_are_kept(yard: Rig, planned: Planned) -> None:
    schedule = planned.schedule(content=command_of("/digest news"))
    planned.come(schedule)
    work()
    await fire(yard)
    assert texts() == [("7", "P7 has news, 1"), ("8", "P8 has news, 1")]
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule)
        assert found is not None
        storing.run_now(session, planned.bot, found)
    work()
    await fire(yard)
    assert texts()[1::2] == [("7", "P7 has news, 2"), ("8", "P8 has news, 2")], "what it remembers is kept"
    assert rows("SELECT count(*) FROM jobs") == [(0,)]
    assert rows("SELECT planned, skipped FROM schedule_runs") == [(2, {})] * 2


async def test_a_handler_finds_no_job_of_a_schedule_among_its_own(yard: Rig, planned: Planned) -> None:
    planned.come(planned.schedule(content=command_of("/jobs")))
    work()
    await fire(yard)
    assert texts() == [("7", "0 jobs"), ("8", "0 jobs")]


async def test_a_pause_takes_back_what_did_not_begin(yard: Rig, planned: Planned) -> None:
    schedule = planned.schedule(content=command_of("/digest news"))
    planned.come(schedule)
    work()
    with tenant_session(1) as session:
        found = storing.schedule_of(session, planned.bot.id, schedule, to_change=True)
        assert found is not None
        assert storing.switch(session, planned.bot, found, enabled=False) == 2
    await fire(yard)
    assert texts() == []


async def test_many_of_them_leave_a_bots_own_jobs_their_room(
    yard: Rig, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botyard.processing.store.MOST_JOBS", 1)
    execute(
        """INSERT INTO jobs (bot_id, customer_id, id, name, callback, data, chat_key, trigger)
           SELECT :bot, 1, 'schedule:9:' || n, 'x', 'command:/x', '{}', 'x', '{}' FROM generate_series(1, 5) n""",
        bot=planned.bot.id,
    )
    planned.come(planned.schedule(content=command_of("/later"), audience=Audience(users=(7,))))
    work()
    await fire(yard)
    assert texts() == [("7", "later")]


@pytest.mark.parametrize("text", ["digest", "/", "/Digest", "/x\0", "", "/a b\0"])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no command"):
        command_of(text)
