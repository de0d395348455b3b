"""A slice that other bots wait behind is short; one that only its own bot waits behind is not."""

import pytest

from botyard.mailbox.native import celery_message
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES, TaskName, Ticket
from botyard.processing import yielding
from tests.factories import make_bot, message
from tests.integration.rig import Rig

OTHERS = 4_900_000_002
MANY = 150


@pytest.fixture(autouse=True)
def at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yielding, "SHORT_SECONDS", 0.0)


def waits(yard: Rig, bot: int, queue: str = "updates", task: TaskName = PROCESS_UPDATES) -> None:
    yard.redis.lpush(queue, celery_message(Ticket(task, bot, "another", 0, queue)))


async def one_slice(yard: Rig, telegram_id: int) -> int:
    """How many updates are done after the bot's first slice."""
    bot = make_bot(telegram_id, kind="tests.integration.kinds:echo", queue="updates")
    yard.redis.hset(f"by:bot:{telegram_id}", "queue", "updates")
    await yard.give(bot, *[message(number, chat_id=number) for number in range(1, MANY + 1)])
    await yard.work(yard.tickets.sent.pop(0))
    return int(yard.services.superuser("SELECT count(*) FROM inbox")[0][0])


async def test_a_slice_ends_early_when_another_bot_waits_and_the_rest_has_its_next_ticket(yard: Rig) -> None:
    waits(yard, OTHERS)
    bot = 4_900_000_001
    assert 0 < await one_slice(yard, bot) < MANY // 2, "something is done each time"
    following = [ticket for ticket in yard.tickets.sent if ticket.task == PROCESS_UPDATES][-1]
    assert (following.bot, following.queue) == (bot, "updates")
    yard.redis.delete("updates")
    await yard.settle(sending=False)
    assert yard.services.superuser("SELECT count(*) FROM inbox") == [(MANY,)]


@pytest.mark.parametrize("behind", ["nobody", "itself", "another in another queue"])
async def test_a_slice_goes_on_when_no_other_bot_waits_behind_it(yard: Rig, behind: str) -> None:
    bot = 4_900_000_001
    if behind == "itself":
        waits(yard, bot)
    elif behind == "another in another queue":
        waits(yard, OTHERS, "slow")
        waits(yard, 7, "outbound", DELIVER)
    assert await one_slice(yard, bot) == MANY
