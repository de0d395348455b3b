import time
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import update

from botyard.bots.configuration.configuring import configure
from botyard.bots.connection.adding import NewBot
from botyard.errors import InputError
from botyard.manager import METHOD, BotManager
from botyard.settings import Settings
from botyard.sync import get_sync
from botyard.sync.service import SyncService
from botyard.telegram.request import AiohttpRequest
from db.engine import get_sessions
from db.models import Bot, Customer
from tests.factories import TELEGRAM_ID, TOKEN, make_bot
from tests.integration.api.telegram import errands
from tests.integration.fake_api import FakeApi
from tests.integration.test_removal import answer
from tests.integration.test_sync import process_of, wait_until
from tests.services import Services


@pytest.fixture
def here(settings: Settings, raw_valkey: "redis.Redis") -> BotManager:  # noqa: ARG001 - its servers
    """The manager of the process that changes things."""
    return BotManager(get_sync(), raw_valkey)


@pytest.fixture
def there(clean: Services, raw_valkey: "redis.Redis") -> Iterator[BotManager]:
    """The manager of another process."""
    made = list[BotManager]()
    with process_of(clean.redis_url, lambda sync: made.append(BotManager(sync, raw_valkey))):
        yield made[0]


def heard_all(there: BotManager) -> None:
    """What was told until now has been heard."""
    heard = list[str]()
    end = there._sync.on("bots.marked", lambda event, _: heard.append(event))
    get_sync().publish("bots.marked", {"id": 0})
    wait_until(lambda: bool(heard), "everything before it is heard")
    end()


def two_bots() -> tuple[int, int]:
    return make_bot(telegram_id=4_200_000_001).id, make_bot(telegram_id=4_200_000_002).id


def test_a_change_through_the_orm_is_seen_by_another_process_in_a_moment(there: BotManager) -> None:
    bot, neighbour = two_bots()
    assert there.bot(bot)
    kept = there.bot(neighbour)
    configure(str(bot), {"repeat_uncertain": False})
    wait_until(lambda: there.known_bot(bot) is None, "it forgets what changed")
    found = there.bot(bot)
    assert found is not None
    assert not found.repeats
    assert there.known_bot(neighbour) is kept, "and nothing else"


def test_a_bulk_statement_is_seen_too(there: BotManager) -> None:
    bot, neighbour = two_bots()
    there.bot(bot)
    there.bot(neighbour)
    with get_sessions("system").begin() as session:
        session.execute(update(Bot).where(Bot.id == bot).values(status="paused"))
    wait_until(lambda: there.known_bot(bot) is None, "it forgets what changed")
    assert there.known_bot(neighbour)


def test_raw_sql_is_found_by_the_sync_and_then_seen_everywhere(
    here: BotManager, there: BotManager, clean: Services
) -> None:
    bot, neighbour = two_bots()
    here.sync_with_database()
    heard_all(there)
    before = there.bot(bot)
    there.bot(neighbour)
    assert before is not None
    clean.superuser(f"UPDATE bots SET kind = 'other' WHERE id = {bot}")  # noqa: S608
    assert there.bot(bot) is before, "nobody was told"
    found = here.sync_with_database()
    assert (found.added, found.updated, found.removed, found.total) == (0, 1, 0, 2)
    wait_until(lambda: there.known_bot(bot) is None, "it is told")
    assert there.known_bot(neighbour)
    after = there.bot(bot)
    assert after is not None
    assert (after.kind, after.config_version) == ("other", before.config_version + 1)
    again = here.sync_with_database()
    assert (again.added, again.updated, again.removed) == (0, 0, 0)


def test_a_change_whose_notification_was_lost_is_found_by_the_sync(
    here: BotManager, there: BotManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, _ = two_bots()
    here.sync_with_database()
    there.bot(bot)
    with monkeypatch.context() as lost:
        lost.setattr(SyncService, "publish", lambda *_: None)
        configure(str(bot), {"repeat_uncertain": False})
    assert here.sync_with_database().updated == 1
    wait_until(lambda: there.known_bot(bot) is None, "it is told")


def test_bots_that_came_and_went_by_raw_sql_are_told(here: BotManager, there: BotManager, clean: Services) -> None:
    bot, neighbour = two_bots()
    heard_all(there)
    heard: list[tuple[str, object]] = []
    there._sync.on("bots.*", lambda event, data: heard.append((event, data["id"])))
    first = here.sync_with_database()
    assert (first.added, first.total) == (2, 2)
    there.bot_by_telegram_id(4_200_000_002)
    clean.superuser(f"DELETE FROM bots WHERE id = {neighbour}")  # noqa: S608
    assert here.sync_with_database().removed == 1
    wait_until(lambda: ("bots.deleted", neighbour) in heard, "it is told")
    assert [event for event in heard if event[0] == "bots.created"] == [
        ("bots.created", bot),
        ("bots.created", neighbour),
    ]
    wait_until(lambda: there.known_bot_by_telegram_id(4_200_000_002) is None, "its identity is forgotten")
    assert there.bot_by_telegram_id(4_200_000_002) is None


def test_a_new_token_is_a_change_of_its_bot(here: BotManager, clean: Services) -> None:
    bot, _ = two_bots()
    here.sync_with_database()
    clean.superuser(f"UPDATE bot_secrets SET changed_at = now() WHERE bot_id = {bot}")  # noqa: S608
    assert here.sync_with_database().updated == 1
    clean.superuser(f"UPDATE bot_identities SET secret_since = now() WHERE bot_id = {bot}")  # noqa: S608
    assert here.sync_with_database().updated == 1


def test_a_change_of_a_customer_drops_the_bots_of_that_customer_alone(there: BotManager, clean: Services) -> None:
    bot, neighbour = two_bots()
    clean.superuser(
        "INSERT INTO customers (id, name, username) VALUES (2, 'Two', 'two')",
        f"UPDATE bots SET customer_id = 2 WHERE id = {neighbour}",  # noqa: S608
    )
    heard_all(there)
    there.bot(bot)
    there.bot(neighbour)
    with get_sessions("system").begin() as session:
        customer = session.get(Customer, 2)
        assert customer is not None
        customer.name = "Too"
    wait_until(lambda: there.known_bot(neighbour) is None, "its bots are read anew")
    assert there.known_bot(bot)


def test_who_hears_nothing_asks_again_after_some_seconds(
    here: BotManager, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not get_sync().is_watching
    bot, _ = two_bots()
    here.bot(bot)
    clean.superuser(f"UPDATE bots SET kind = 'other' WHERE id = {bot}")  # noqa: S608
    later = time.monotonic() + 6
    monkeypatch.setattr("botyard.sync.cache.time.monotonic", lambda: later)
    found = here.bot(bot)
    assert found is not None
    assert found.kind == "other"


def test_figures_and_states_are_those_of_the_bots(here: BotManager, there: BotManager) -> None:
    bot, neighbour = two_bots()
    here.set_status(bot, "paused", "for lunch")
    assert not here.set_status(bot, "paused", "again"), "it is so already"
    stats = there.stats()
    assert (stats.total, stats.active, stats.inactive, stats.error) == (2, 1, 1, 0)
    assert (stats.is_watching, stats.method) == (True, METHOD)
    assert here.stats().is_watching is False
    assert here.stats([2]).total == 0
    status = here.get_bot_status(bot)
    assert (status.status, status.reason, status.health) == ("paused", "for lunch", "unknown")
    assert [info.id for info in here.list_bots()] == [bot, neighbour]
    assert here.list_bots([2]) == []
    with pytest.raises(InputError, match="bot list"):
        here.get_bot_status(99)


def test_a_restart_gives_a_bot_another_version(here: BotManager) -> None:
    bot, _ = two_bots()
    before = here.bot(bot)
    here.restart_bot(bot)
    after = here.bot(bot)
    assert before is not None
    assert after is not None
    assert after.config_version == before.config_version + 1


def test_others_that_keep_something_of_a_bot_are_called_for_each_change(there: BotManager, here: BotManager) -> None:
    forgotten: list[int | None] = []
    there.watch(forgotten.append)
    bot, _ = two_bots()
    wait_until(lambda: len(forgotten) >= 2, "both were made")
    forgotten.clear()
    here.restart_bot(bot)
    wait_until(lambda: forgotten == [bot], "that one, once")


async def test_a_bot_is_registered_and_a_worker_is_asked_to_connect_it(
    here: BotManager, api: FakeApi, settings: Settings, valkey: "redis.Redis"
) -> None:
    api.script = [answer({"id": TELEGRAM_ID, "first_name": "Test", "username": "test_bot"}), answer({"url": ""})]
    request = AiohttpRequest(5)
    try:
        registered = await here.register_bot(NewBot(TOKEN, "demo", api.url), request, settings)
    finally:
        await request.close()
    assert here.get_bot_status(registered.id).status == "active"
    assert errands(valkey) == [("botyard.connect_bot", [registered.id])]


def test_a_bot_that_is_to_be_removed_is_served_no_longer_and_a_worker_is_asked_to(
    here: BotManager, valkey: "redis.Redis"
) -> None:
    bot, neighbour = two_bots()
    assert here.remove_bot(bot)
    assert here.remove_bot(bot), "asking again asks again"
    assert not here.remove_bot(99)
    kept = here.bot(bot)
    assert kept is not None
    assert kept.removed
    assert here.get_bot_status(neighbour).status == "active"
    assert errands(valkey) == [("botyard.remove_bot", [bot])] * 2
