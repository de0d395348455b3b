"""Removing a bot: nothing of it is left, and nothing of it comes back."""

import asyncio
import threading
from typing import Any

import pytest
from aiohttp import web

from botyard.bots import removal, routing
from botyard.bots.connection import adding
from botyard.bots.connection.adding import NewBot
from botyard.bots.connection.connecting import add_bot
from botyard.bots.naming import bot_names, find_bot
from botyard.bots.overview import set_status
from botyard.bots.registry import ServedBot, routings
from botyard.bots.removal import remove_bot
from botyard.bots.routing import publish, publish_all
from botyard.errors import InputError
from botyard.journal import Calls, Journal
from botyard.keyboards import Keyboards
from botyard.mailbox.protocol import PROCESS_UPDATES, Ticket
from botyard.media.attached import Attached
from botyard.media.known import KnownFiles
from botyard.processing.store import Verdict
from botyard.settings import Settings
from db.engine import get_sessions, one_statement
from tests.factories import TELEGRAM_ID, TOKEN, entry, guard, make_bot, message, resolution, send
from tests.integration import gates, kinds
from tests.integration.asked import commit
from tests.integration.fake_api import FakeApi, error
from tests.integration.rig import Rig, rig
from tests.services import Services

TABLES = (
    "bots", "bot_identities", "inbox", "conversations", "messages", "media", "dead_letters", "outbox", "jobs",
    "journal", "keyboards", "bot_users", "schedules", "schedule_zones", "schedule_runs", "occurrences",
)  # fmt: skip

FILE = Attached("photo", "0" * 64, "a.jpg", "image/jpeg", 5, "photo", "photo", 0)


def answer(result: Any) -> Any:
    async def respond(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.json_response({"ok": True, "result": result})

    return respond


def left(yard: Rig, bot: ServedBot) -> dict[str, int]:
    column = {"bots": "id"}
    counted = {
        table: yard.services.superuser(f"SELECT count(*) FROM {table} WHERE {column.get(table, 'bot_id')} = {bot.id}")  # noqa: S608
        for table in TABLES
    }
    return {table: rows[0][0] for table, rows in counted.items() if rows[0][0]}


def keys(yard: Rig) -> set[str]:
    found: Any = yard.redis.keys("by:*")
    return {key.decode() for key in found}


async def filled(yard: Rig, bot: ServedBot) -> None:
    """Something in every table and of every kind of key."""
    await yard.give(bot, message(1, "raise"), message(2, "hello", 6))
    await yard.settle(sending=False)
    commit(bot, bot.telegram_id, [resolution(3, guards=[guard(state={"data": {}})], sends=[send()])])
    await yard.give(bot, message(4, "waits"))
    KnownFiles(bot.id, 1).remember([(FILE, "an-id")])
    await Keyboards(bot.id, 1, yard.host.database).write({"k": {"data": {}}})
    Calls(bot.id, 1).note(Journal("update 1 1", 1).call("a digest"), "sendDice", True)
    yard.services.superuser(
        "INSERT INTO jobs (bot_id, customer_id, id, name, callback, data, chat_key, trigger)"  # noqa: S608 - our own number
        f" VALUES ({bot.id}, 1, 'j', 'j', 'm:f', '{{}}', '5', '{{}}')",
        "INSERT INTO schedules (bot_id, name, recurrence, zone, audience, content, grace)"  # noqa: S608 - our own number
        f" VALUES ({bot.id}, 's', '{{}}', 'UTC', '{{}}', '{{}}', 60)",
        f"INSERT INTO schedule_zones (schedule_id, zone, bot_id) VALUES ({bot.id}, 'UTC', {bot.id})",  # noqa: S608
        "INSERT INTO schedule_runs (schedule_id, bot_id, zone, slot, moment, state)"  # noqa: S608
        f" VALUES ({bot.id}, {bot.id}, 'UTC', 's', now(), 'done')",
        "INSERT INTO occurrences (schedule_id, slot, recipient, bot_id, run_id, day, due, send_id)"  # noqa: S608
        f" VALUES ({bot.id}, 's', 5, {bot.id}, 1, now(), now(), 1)",
    )
    await yard.limiter.close(bot.id, "5", 60)
    yard.keeper.wake(bot.id)


async def test_a_removed_bot_leaves_no_row_and_no_key_and_others_keep_theirs(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.kinds:misbehaving", api_url=api.url)
    other = make_bot(TELEGRAM_ID + 1, kind="tests.integration.kinds:misbehaving")
    publish_all(yard.redis)
    await filled(yard, other)
    await filled(yard, bot)
    others = {key for key in keys(yard) if str(other.telegram_id) in key}, left(yard, other)
    assert set(left(yard, bot)) == set(TABLES)
    api.script = [answer({"url": f"https://somewhere/webhook/{'public-' + str(TELEGRAM_ID)}"}), answer(result=True)]
    removed = await remove_bot(f"{TELEGRAM_ID}", yard.host.request, yard.settings)
    assert (removed.id, removed.webhook) == (bot.id, "removed")
    assert [call.method for call in api.calls] == ["getWebhookInfo", "deleteWebhook"]
    assert removed.rows["inbox"] == 3
    assert left(yard, bot) == {}
    assert {key for key in keys(yard) if str(TELEGRAM_ID) in key} == {f"by:bot:{TELEGRAM_ID}"}
    assert 3000 < yard.redis.ttl(f"by:bot:{TELEGRAM_ID}") <= 3600
    assert yard.redis.zscore("by:send", bot.id) is None
    assert ({key for key in keys(yard) if str(other.telegram_id) in key}, left(yard, other)) == others
    assert yard.services.superuser("SELECT type FROM events WHERE type LIKE 'bot.%'") == [("bot.removed",)]
    with pytest.raises(InputError, match="there is no bot"):
        await remove_bot(str(TELEGRAM_ID), yard.host.request, yard.settings)


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ([answer({"url": ""})], "none"),
        ([answer({"url": "https://another.system/hook"})], "elsewhere"),
        ([error(401, "Unauthorized")], "unknown"),
    ],
)
async def test_only_our_own_webhook_is_taken_away_and_a_revoked_token_is_no_obstacle(
    yard: Rig, api: FakeApi, script: list[Any], end: str
) -> None:
    bot = make_bot(api_url=api.url)
    api.script = script
    assert (await remove_bot(str(bot.id), yard.host.request, yard.settings)).webhook == end
    assert "deleteWebhook" not in [call.method for call in api.calls]


async def test_updates_of_a_removed_bot_are_refused_at_the_door_until_it_is_added_again(
    yard: Rig, api: FakeApi
) -> None:
    bot = make_bot(api_url=api.url)
    await remove_bot(str(bot.id), yard.host.request, yard.settings)
    refused = await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))
    assert refused.verdict == "gone"
    assert keys(yard) == {f"by:bot:{TELEGRAM_ID}"}
    make_bot(api_url=api.url)
    publish_all(yard.redis)
    assert (await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))).verdict == "accepted"
    assert yard.redis.ttl(f"by:bot:{TELEGRAM_ID}") == -1


async def test_a_slice_under_way_brings_nothing_back(clean: Services, settings: Settings, api: FakeApi) -> None:
    async with rig(clean, settings, handler_timeout_seconds=20) as yard:
        await _remove_under_way(yard, api)


async def _remove_under_way(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.gates:gated", api_url=api.url)
    gate = gates.fresh()
    await yard.give(bot, message(1, "waits"))
    working = asyncio.create_task(yard.work(yard.tickets.sent.pop()))
    await asyncio.wait_for(gate.reached.wait(), 5)
    await remove_bot(str(bot.id), yard.host.request, yard.settings)
    gate.opened.set()
    await working
    await yard.work(Ticket(PROCESS_UPDATES, TELEGRAM_ID, "late", 0, "updates"))
    assert left(yard, bot) == {}
    assert keys(yard) <= {f"by:bot:{TELEGRAM_ID}", "by:wait:updates", "by:wait:slow"}


async def test_a_commit_that_began_before_the_removal_is_cleared_away_after_it(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    begun, go_on = threading.Event(), threading.Event()

    def slow_commit() -> None:
        with one_statement() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT set_config('app.tenant', '1', true)")
            cursor.execute(
                "INSERT INTO messages (bot_id, chat_key, direction, kind) SELECT id, '5', 'in', 'message' FROM bots"
            )
            begun.set()
            go_on.wait(4)
            cursor.execute("COMMIT")

    committing = asyncio.create_task(asyncio.to_thread(slow_commit))
    await asyncio.to_thread(begun.wait, 5)
    asyncio.get_running_loop().call_later(1, go_on.set)
    await asyncio.to_thread(asyncio.run, remove_bot(str(bot.id), yard.host.request, yard.settings))
    await committing
    assert left(yard, bot) == {}


def test_nothing_is_written_for_a_bot_without_a_row(clean: Services) -> None:
    bot = make_bot()
    clean.superuser(f"DELETE FROM bots WHERE id = {bot.id}")  # noqa: S608
    (decided,) = commit(bot, bot.telegram_id, [resolution(1, guards=[guard(state={"data": {}})], sends=[send()])])
    assert decided.verdict is Verdict.GONE
    KnownFiles(bot.id, 1).remember([(FILE, "an-id")])
    assert clean.superuser("SELECT count(*) FROM media") == [(0,)]
    assert clean.superuser("SELECT count(*) FROM inbox") == [(0,)]
    assert clean.superuser("SELECT count(*) FROM outbox") == [(0,)]


STEPS = ("publish", "_forget", "_disconnect", "_delete_rows", "_wait_for_older", "_delete_bot")


def killed_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """A removal that ends before the step of this number, counted over all of them."""
    left_to_do = [step]

    def noting(original: Any) -> Any:
        def noted(*args: Any) -> Any:
            if not left_to_do[0]:
                raise KeyboardInterrupt
            left_to_do[0] -= 1
            return original(*args)

        return noted

    for name in STEPS:
        monkeypatch.setattr(removal, name, noting(getattr(removal, name)))


@pytest.mark.parametrize("step", range(8))
async def test_a_removal_that_was_killed_at_any_moment_can_be_done_again(
    yard: Rig, api: FakeApi, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    bot = make_bot(kind="tests.integration.kinds:misbehaving", api_url=api.url)
    publish_all(yard.redis)
    await filled(yard, bot)
    with monkeypatch.context() as killing:
        killed_before(killing, step)
        with pytest.raises(KeyboardInterrupt):
            await remove_bot(str(bot.id), yard.host.request, yard.settings)
    late = resolution(7, guards=[guard("77", {"data": {}})], sends=[send()])
    assert commit(bot, bot.telegram_id, [late])[0].verdict is Verdict.GONE
    publish_all(yard.redis)
    api.script = [answer({"url": ""})]
    assert (await remove_bot(str(bot.id), yard.host.request, yard.settings)).id == bot.id
    assert left(yard, bot) == {}
    assert {key for key in keys(yard) if str(TELEGRAM_ID) in key} == {f"by:bot:{TELEGRAM_ID}"}
    assert yard.services.superuser("SELECT type FROM events WHERE type LIKE 'bot.%'") == [("bot.removed",)]


async def test_a_bot_that_was_paused_after_its_interrupted_removal_takes_updates_in(
    yard: Rig, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot(api_url=api.url)
    with monkeypatch.context() as killing:
        killed_before(killing, 2)
        with pytest.raises(KeyboardInterrupt):
            await remove_bot(str(bot.id), yard.host.request, yard.settings)
    assert (await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))).verdict == "gone"
    set_status(str(bot.id), "paused", yard.settings)
    assert (await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))).verdict == "accepted"
    assert yard.redis.ttl(f"by:bot:{TELEGRAM_ID}") == -1
    assert yard.keeper.sweep() == []


async def test_a_bot_that_is_added_after_its_interrupted_removal_is_served(
    yard: Rig, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot(api_url=api.url)
    with monkeypatch.context() as killing:
        killed_before(killing, 2)
        with pytest.raises(KeyboardInterrupt):
            await remove_bot(str(bot.id), yard.host.request, yard.settings)
    api.script = [answer({"id": TELEGRAM_ID, "first_name": "Test bot"}), answer({"url": ""}), answer(result=True)]
    await add_bot(NewBot(TOKEN, None, api.url), yard.host.request, yard.settings)
    status = "SELECT status, status_reason FROM bots"
    assert yard.services.superuser(status) == [("active", None)]
    assert yard.services.superuser("SELECT type FROM events") == [("bot.started",)]
    await yard.give(bot, message(9, "hello"))
    assert yard.tickets.sent


@pytest.mark.parametrize("step", ["publish", "_wait_for_older"])
async def test_what_comes_for_a_bot_that_is_added_again_during_its_removal_stays(
    yard: Rig, api: FakeApi, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    bot, loop, original = make_bot(api_url=api.url), asyncio.get_running_loop(), getattr(removal, step)
    publish_all(yard.redis)

    async def add_again() -> None:
        profile = {"id": TELEGRAM_ID, "first_name": "Test bot"}
        _, routes = await asyncio.to_thread(adding._register, NewBot(TOKEN, None, api.url), profile)
        publish(yard.redis, *routes)
        assert (await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))).verdict == "accepted"
        yard.services.superuser(
            "INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind)"
            " SELECT id, customer_id, '5', 'in', 'message' FROM bots"
        )

    def and_then(*args: Any) -> None:
        original(*args)
        asyncio.run_coroutine_threadsafe(add_again(), loop).result(10)

    monkeypatch.setattr(removal, step, and_then)
    api.script = [answer({"url": f"https://somewhere/webhook/public-{TELEGRAM_ID}"}), answer(result=True)]
    with pytest.raises(InputError, match="was added again while it was removed"):
        await asyncio.to_thread(asyncio.run, remove_bot(str(bot.id), yard.host.request, yard.settings))
    assert yard.redis.llen(f"by:box:{TELEGRAM_ID}:5") == 1
    assert left(yard, bot) == {"bots": 1, "bot_identities": 1, "messages": 1}
    assert ("deleteWebhook" in [call.method for call in api.calls]) == (step == "_wait_for_older")


async def test_of_two_removals_the_slower_one_leaves_alone_what_was_added_since(
    yard: Rig, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, original = make_bot(api_url=api.url), removal._wait_for_older

    def overtaken(transaction: str) -> None:
        original(transaction)
        yard.services.superuser(f"DELETE FROM bots WHERE id = {bot.id}")  # noqa: S608
        make_bot(api_url=api.url)
        yard.redis.set(f"by:box:{TELEGRAM_ID}:5", "an update of the new one")

    monkeypatch.setattr(removal, "_wait_for_older", overtaken)
    api.script = [answer({"url": ""})]
    with pytest.raises(InputError, match="another removal of it was faster"):
        await remove_bot(str(bot.id), yard.host.request, yard.settings)
    assert yard.redis.exists(f"by:box:{TELEGRAM_ID}:5")


async def test_the_handlers_of_a_bot_that_was_removed_meanwhile_run_once(yard: Rig) -> None:
    bot = make_bot(kind="tests.integration.kinds:echo")
    await yard.give(bot, message(1, "hello"))
    begun = yard.tickets.sent.pop()
    await yard.host.bot_by_telegram_id(TELEGRAM_ID)
    # By another process, and this one has not heard of it yet.
    yard.services.superuser("UPDATE bots SET status = 'inactive', removal_began = now()")
    await yard.work(begun)
    assert kinds.STARTS == [1]
    # It was not dropped either: whoever removes it drops it, and whoever adds it again has it.
    assert yard.redis.hget(f"by:bot:{TELEGRAM_ID}", "held") == b"1"
    removal._begin(str(bot.id))
    await yard.work(begun)
    assert kinds.STARTS == [1]
    assert yard.redis.hget(f"by:bot:{TELEGRAM_ID}", "paused") == b"1"


async def test_what_was_read_before_a_removal_or_a_pause_does_not_undo_it(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    other = make_bot(TELEGRAM_ID + 1, api_url=api.url)
    read_before = routings(0, 10)
    set_status(str(other.id), "paused", yard.settings)
    await remove_bot(str(bot.id), yard.host.request, yard.settings)
    publish(yard.redis, *read_before)
    assert yard.redis.hget(f"by:bot:{other.telegram_id}", "paused") == b"1"
    assert (await yard.boxes.accept(TELEGRAM_ID, "5", 9, entry(message(9)))).verdict == "gone"
    assert yard.redis.ttl(f"by:bot:{TELEGRAM_ID}") > 0
    set_status(str(other.id), "active", yard.settings)
    assert yard.redis.hget(f"by:bot:{other.telegram_id}", "paused") == b"0"


async def test_a_restored_database_that_counts_from_an_old_number_is_believed_in_the_end(yard: Rig) -> None:
    bot = make_bot()
    read_before = routings(0, 10)
    set_status(str(bot.id), "paused", yard.settings)
    yard.redis.hincrby(f"by:bot:{TELEGRAM_ID}", "said", -600_000)
    publish(yard.redis, *read_before)
    assert yard.redis.hget(f"by:bot:{TELEGRAM_ID}", "paused") == b"0"


def test_every_bot_is_told_of_however_many_there_are(
    clean: Services, raw_valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clean
    monkeypatch.setattr(routing, "_BATCH", 2)
    made = [make_bot(TELEGRAM_ID + number) for number in range(5)]
    assert publish_all(raw_valkey) == 5
    assert {raw_valkey.hget(f"by:bot:{bot.telegram_id}", "queue") for bot in made} == {b"updates"}


def rename(services: Services, bot: ServedBot, username: str) -> None:
    services.superuser(f"UPDATE bots SET username = '{username}' WHERE id = {bot.id}")  # noqa: S608


def test_a_bot_is_found_by_each_of_its_names_and_a_slip_of_the_pen_is_answered_with_near_names(clean: Services) -> None:
    one, other = make_bot(), make_bot(TELEGRAM_ID + 1)
    rename(clean, one, "Orders_bot")
    rename(clean, other, "support_bot")
    with get_sessions("system")() as session:
        for name in ("@Orders_bot", "orders_bot", "@orders_bot ", "1", str(TELEGRAM_ID), f"public-{TELEGRAM_ID}"):
            assert find_bot(session, name).id == one.id, name
        with pytest.raises(InputError) as slip:
            find_bot(session, "@ordrs_bot")
        assert slip.value.remedy == "Did you mean @Orders_bot?"
        for nobody in ("%", "_rders_bot", "@1", "99999999999999999999999", ""):
            with pytest.raises(InputError, match="there is no bot"):
                find_bot(session, nobody)
    assert bot_names() == ["Orders_bot", "support_bot"]
