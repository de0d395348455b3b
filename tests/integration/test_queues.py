"""Quick bots, slow bots, and bots that block: which pool serves them."""

from botyard.bots.queues import change_queue, note_blocking
from botyard.processing.paces import QUICK_UPDATES
from tests.factories import make_bot, message, until
from tests.integration.rig import Rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


def queue_of(services: Services) -> str:
    return str(services.superuser("SELECT queue FROM bots")[0][0])


async def test_a_bot_that_is_quick_moves_to_the_quick_ones_with_its_next_ticket(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo", queue="slow")
    await yard.give(bot, *[message(number, chat_id=number) for number in range(1, QUICK_UPDATES + 1)])
    await yard.settle(sending=False)
    await until(lambda: queue_of(yard.services) == "updates")
    await until(lambda: yard.redis.hget(f"by:bot:{bot.telegram_id}", "queue") == b"updates")
    assert yard.services.superuser("SELECT type, data->>'queue' FROM events WHERE type LIKE 'bot.%'") == [
        ("bot.queue", "updates")
    ]


async def test_a_bot_whose_owner_chose_its_queue_stays_there(yard: Rig) -> None:
    bot = make_bot(queue="slow")
    yard.services.superuser("""UPDATE bots SET settings = '{"queue": "slow"}'""")
    assert not change_queue(bot.id, "updates", "quick")
    assert queue_of(yard.services) == "slow"


async def test_a_bot_with_a_rare_slow_command_does_not_go_to_and_fro(yard: Rig) -> None:
    bot = make_bot(queue="updates")
    assert change_queue(bot.id, "slow", "slow")
    assert not change_queue(bot.id, "updates", "quick")
    yard.services.superuser("UPDATE bots SET settings = jsonb_build_object('slowed_at', 1)")
    assert change_queue(bot.id, "updates", "quick")


async def test_a_bot_that_blocks_is_moved_and_the_place_is_an_event(yard: Rig) -> None:
    bot = make_bot(queue="updates")
    note_blocking(bot.id, "bots/x.py:3 in y", 2.5)
    assert queue_of(yard.services) == "slow"
    events = yard.services.superuser("SELECT type, data->>'place' FROM events ORDER BY id")
    assert events == [("bot.blocked", "bots/x.py:3 in y"), ("bot.queue", None)]
