import pytest
from sqlalchemy.exc import SQLAlchemyError

from botyard.bots import activity
from botyard.settings import Settings
from botyard.sync import get_sync
from tests.factories import make_bot, message
from tests.integration.rig import Rig
from tests.services import Services

DAYS = "SELECT bot_id, customer_id, updates, dead_updates, sent, unsent, uncertain FROM bot_days ORDER BY bot_id"


@pytest.fixture(autouse=True)
def nothing_counted(settings: Settings) -> None:  # noqa: ARG001 - its servers
    for kept in (activity._counted, activity._told):
        kept.clear()


async def test_what_a_bot_does_is_counted_for_its_day(yard: Rig) -> None:
    bot = make_bot(kind="tests.integration.kinds:echo")
    await yard.give(bot, message(1), message(2))
    await yard.settle(sending=False)
    activity.write()
    ((_, customer, updates, dead, *_),) = yard.services.superuser(DAYS)
    assert (customer, updates, dead) == (1, 2, 0)


def test_counts_of_several_processes_add_up_and_nothing_is_written_twice(clean: Services) -> None:
    bot, other = make_bot(), make_bot(telegram_id=4_200_000_002)
    activity.note(bot, "sent", 3)
    activity.note(other, "unsent")
    activity.write()
    activity.write()
    activity.note(bot, "sent")
    activity.note(bot, "uncertain")
    activity.write()
    assert clean.superuser(DAYS) == [(bot.id, 1, 0, 0, 4, 0, 1), (other.id, 1, 0, 0, 0, 1, 0)]


def test_what_cannot_be_written_now_is_written_later(clean: Services) -> None:
    bot = make_bot()
    activity.note(bot, "sent", 3)
    clean.superuser("ALTER TABLE bot_days RENAME TO away")
    try:
        with pytest.raises(SQLAlchemyError):
            activity.write()
        activity.note(bot, "sent")
    finally:
        clean.superuser("ALTER TABLE away RENAME TO bot_days")
    activity.write()
    assert [sent for _, _, _, _, sent, _, _ in clean.superuser(DAYS)] == [4]


def test_a_bot_that_was_removed_meanwhile_has_no_day(clean: Services) -> None:
    bot, other = make_bot(), make_bot(telegram_id=4_200_000_002)
    activity.note(bot, "sent")
    activity.note(other, "sent")
    clean.superuser(f"DELETE FROM bots WHERE id = {bot.id}")  # noqa: S608
    activity.write()
    assert [number for number, *_ in clean.superuser(DAYS)] == [other.id]


def test_whoever_watches_hears_once_of_all_that_a_bot_did(settings: Settings) -> None:  # noqa: ARG001 - its servers
    bot = make_bot()
    heard: list[object] = []
    get_sync().on("activity.*", lambda _, data: heard.append(data))
    for _ in range(5):
        activity.note(bot, "sent")
    activity.tell()
    activity.tell()
    assert heard == [{"id": bot.id, "customer": 1}]
