"""Messages that bots send by themselves, through all processes: from the clock of a worker to a person's chat."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.commands import botyard
from tests.e2e.load import KIND
from tests.e2e.test_answers import Chats
from tests.e2e.yard import Yard, wait_until

TOKEN = "4150000077:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
pytestmark = pytest.mark.timeout(150)


@pytest.fixture(scope="module")
def alone(yard: Yard) -> Chats:
    return Chats(yard, yard.add_bot(TOKEN, KIND, "updates", "alone_bot"))


def _add(alone: Chats, *words: str) -> Any:
    return alone.command("schedule", "add", "alone_bot", *words)


def test_a_moment_that_comes_reaches_everyone_and_one_that_is_asked_for_too(alone: Chats) -> None:
    ann, bob = alone.person(), alone.person()
    for person in (ann, bob):
        alone.write(person, "hello")
        alone.wait_for(person, "1 hello")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    made = _add(alone, "by itself", "It is {{id}}", "--at", soon.isoformat(timespec="seconds"))
    for person in (ann, bob):
        alone.wait_for(person, "1 hello", f"It is {person}")
    botyard(alone.yard.environment, "schedule", "run", "alone_bot", str(made["schedule"]))
    for person in (ann, bob):
        alone.wait_for(person, "1 hello", f"It is {person}", f"It is {person}", seconds=10)
    history = alone.command("schedule", "history", "alone_bot", str(made["schedule"]))
    assert [(one["state"], one["planned"]) for one in history][-2:] == [("done", 2)] * 2
    botyard(alone.yard.environment, "schedule", "remove", "alone_bot", str(made["schedule"]), "--yes")


def test_a_killed_maintenance_worker_makes_a_message_late_and_nothing_else(alone: Chats) -> None:
    people = [alone.person() for _ in range(40)]
    for person in people:
        alone.write(person, "hello")
    wait_until(lambda: all(alone.heard(person) for person in people), 60, "all are known")
    made = _add(alone, "once", "now", "--cron", "0 9 1 1 *")
    number = str(made["schedule"])
    for _ in range(3):
        botyard(alone.yard.environment, "schedule", "run", "alone_bot", number)
        alone.yard.kill("worker_maintenance")
    wait_until(
        lambda: all(alone.heard(person).count("now") == 3 for person in people), 60, "everybody is told three times"
    )
    assert all(one["state"] == "done" for one in alone.command("schedule", "history", "alone_bot", number))
    assert all(alone.heard(person).count("now") == 3 for person in people)
