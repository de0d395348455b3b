"""The poller against the simulator: what it fetched is in the mailboxes before Telegram may forget it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from cryptography.fernet import Fernet

from botyard.bots.poll_state import PollState, now_ms, poll_state, tell
from botyard.bots.routing import publish_all
from botyard.bots.stopping import REFUSED
from botyard.polling import Poller
from botyard.settings import Settings
from tests.factories import FakeTickets, make_bot
from tests.integration.fake_api import error, fake_api
from tests.services import Services, environment
from tests.unit.simulator.process import BOT, TOKEN, Client, eventually


class Bench:
    """One polled bot, one person who writes to it, and a look into its mailbox."""

    def __init__(self, client: Client, valkey: "redis.Redis", settings: Settings, person: int) -> None:
        self.client, self.valkey, self.settings, self.person = client, valkey, settings, person

    async def write(self, *texts: str) -> None:
        messages = [{"person_id": self.person, "text": text} for text in texts]
        await self.client.post("/sim/batch", bot_id=BOT, messages=messages)

    @property
    def texts(self) -> list[str]:
        import orjson

        entries: list[str] = self.valkey.lrange(f"by:box:{BOT}:{self.person}", 0, -1)  # type: ignore[assignment]
        return [orjson.loads(entry.split(" ", 2)[2])["message"]["text"] for entry in entries]

    @property
    def state(self) -> PollState | None:
        return poll_state(self.valkey, BOT)

    def reason(self) -> str:
        return self.state.reason if self.state else "nobody polls"

    async def waiting(self) -> int:
        return int((await self.client.get("/sim/pending"))["total"])

    @asynccontextmanager
    async def poller(self, **changes: Any) -> AsyncIterator[None]:
        poller = Poller(self.settings.model_copy(update={"backoff_seconds": 0.2} | changes), FakeTickets())
        await poller.look()
        try:
            yield
        finally:
            await poller.close()


@pytest.fixture
async def bench(client: Client, clean: Services, valkey: "redis.Redis", settings: Settings) -> Bench:
    make_bot(BOT, token=TOKEN, api_url=client.url)
    clean.superuser("UPDATE bots SET intake = 'polling'")
    person = await client.post("/sim/people", first_name="Ann")
    return Bench(client, valkey, settings, int(person["id"]))


@contextmanager
def refusing(valkey: "redis.Redis") -> Iterator[None]:
    """Every write is refused, as by a full Redis or a read-only replica."""
    valkey.config_set("maxmemory", 1)
    try:
        yield
    finally:
        valkey.config_set("maxmemory", 0)


async def test_nothing_is_lost_or_reordered_while_redis_refuses_to_take_it(bench: Bench) -> None:
    async with bench.poller():
        await bench.write("1", "2")
        await eventually(lambda: bench.texts == ["1", "2"])
        with refusing(bench.valkey):
            await bench.write("3", "4", "5")
            await asyncio.sleep(1)  # time enough to forget them, if it did
            assert bench.texts == ["1", "2"]
            assert await bench.waiting() >= 3
        await eventually(lambda: bench.texts == ["1", "2", "3", "4", "5"])
        await eventually(lambda: _is_zero(bench))


async def _is_zero(bench: Bench) -> bool:
    return await bench.waiting() == 0


async def test_a_poller_killed_before_redis_had_them_leaves_them_with_telegram(bench: Bench, clean: Services) -> None:
    await bench.write("1", "2")
    environment = {**os.environ, **clean.environment, "BACKOFF_SECONDS": "0.2"}
    command = (sys.executable, "-m", "botyard.cli", "poller")
    killed = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
    try:
        await eventually(lambda: bench.texts == ["1", "2"])
        with refusing(bench.valkey):
            await bench.write("3", "4")
            await asyncio.sleep(0.5)  # it has fetched them and cannot hand them over
            killed.kill()
            await killed.wait()
    finally:
        if killed.returncode is None:
            killed.kill()
    # Its lease would pass by itself, in 20 s.
    bench.valkey.delete(f"by:polling:{BOT}")
    await bench.write("5")
    async with bench.poller():
        await eventually(lambda: bench.texts == ["1", "2", "3", "4", "5"])


async def test_a_full_mailbox_holds_up_the_polling_until_there_is_room(bench: Bench) -> None:
    async with bench.poller(mailbox_cap=3):
        await bench.write("1", "2", "3", "4", "5")
        await eventually(lambda: bench.reason() == "full")
        assert bench.texts == ["1", "2", "3"]
        # As if a worker had resolved two.
        bench.valkey.ltrim(f"by:box:{BOT}:{bench.person}", 2, -1)
        bench.valkey.hincrby(f"by:bot:{BOT}", "held", -2)
        await eventually(lambda: bench.texts == ["3", "4", "5"])
        await eventually(lambda: bench.reason() == "")


async def test_another_poller_is_named_and_fetching_goes_on_when_it_stops(bench: Bench) -> None:
    async def steal() -> None:
        while True:
            await bench.client.call("getUpdates", timeout=20)

    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        other = asyncio.create_task(steal())
        await eventually(lambda: bench.reason() == "conflict")
        state = bench.state
        assert state
        assert "Another program fetches this bot's updates" in state.problem
        assert TOKEN not in state.problem
        assert state.retry_in > 0
        other.cancel()
        await bench.write("1")
        await eventually(lambda: bench.texts == ["1"])
        await eventually(lambda: bench.reason() == "")


async def test_a_webhook_set_meanwhile_stays_and_is_named(bench: Bench) -> None:
    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        await bench.client.call("setWebhook", url="http://127.0.0.1:9/elsewhere")
        await eventually(lambda: bench.reason() == "webhook")
        assert bench.state
        assert "127.0.0.1" in bench.state.problem
        assert "TAKE_OVER=true" in bench.state.problem
        assert (await bench.client.call("getWebhookInfo"))["result"]["url"]
    async with bench.poller(take_over=True):
        await eventually(lambda: bench.reason() == "")
        assert not (await bench.client.call("getWebhookInfo"))["result"]["url"]
        await bench.write("1")
        await eventually(lambda: bench.texts == ["1"])


async def test_a_bot_of_reactions_is_asked_for_by_its_kind_and_only_then(bench: Bench, clean: Services) -> None:
    clean.superuser("UPDATE bots SET kind = 'tests.integration.test_polling:takes_members'")
    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        info = (await bench.client.call("getWebhookInfo"))["result"]
        assert info["allowed_updates"] == ["chat_member", "edited_message", "message", "my_chat_member"]


def takes_members(application: Any) -> None:
    from telegram.ext import ChatMemberHandler, CommandHandler

    async def handle(update: Any, context: Any) -> None:
        pass

    application.add_handler(CommandHandler("start", handle))
    application.add_handler(ChatMemberHandler(handle, ChatMemberHandler.CHAT_MEMBER))


async def test_what_came_for_a_bot_that_was_removed_stays_with_telegram_until_it_is_here_again(bench: Bench) -> None:
    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        bench.valkey.hset(f"by:bot:{BOT}", "gone", "1")
        await bench.write("1", "2")
        await asyncio.sleep(0.5)  # time enough to have Telegram forget them, if it did
        assert await bench.waiting() == 2
    publish_all(bench.valkey)
    async with bench.poller():
        await eventually(lambda: bench.texts == ["1", "2"])


async def test_how_it_goes_is_said_again_after_redis_lost_it(bench: Bench) -> None:
    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        bench.valkey.delete(f"by:poll:{BOT}")
        await bench.write("1")
        await eventually(lambda: bench.reason() == "")


async def test_trouble_is_known_for_as_long_as_the_next_try_is_away(
    clean: Services, async_valkey: "redis.asyncio.Redis"
) -> None:
    assert clean
    await tell(async_valkey, BOT, PollState("flood", "asks to wait", now_ms(), 3600))
    assert await async_valkey.ttl(f"by:poll:{BOT}") > 3600


async def test_a_poller_neither_takes_nor_lengthens_the_lease_of_another(bench: Bench) -> None:
    lease = f"by:polling:{BOT}"
    bench.valkey.set(lease, "another", px=5000)
    async with bench.poller():
        await bench.write("1")
        await asyncio.sleep(0.3)  # time enough to fetch it, if it did
        assert bench.texts == []
    assert bench.valkey.get(lease) == "another"
    assert bench.valkey.pttl(lease) <= 5000


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (error(404, "Not Found"), "token", "does not accept the bot's token any more"),
        (error(502, "Bad Gateway"), "network", "does not answer"),
        (error(429, "Too Many Requests", retry_after=1), "flood", "asks to wait for 1 s"),
    ],
)
async def test_every_trouble_is_explained_and_passes(
    clean: Services, settings: Settings, valkey: "redis.Redis", answer: Any, reason: str, words: str
) -> None:
    async with fake_api() as api:
        make_bot(BOT, token=TOKEN, api_url=api.url)
        clean.superuser("UPDATE bots SET intake = 'polling'")
        bench = Bench(None, valkey, settings, 0)  # type: ignore[arg-type]
        api.script[:] = [answer]

        async def answer_nothing(*_: Any) -> Any:
            from aiohttp import web

            await asyncio.sleep(0.05)
            return web.json_response({"ok": True, "result": []})

        api.script += [answer_nothing] * 1000
        async with bench.poller():
            await eventually(lambda: bench.reason() == reason)
            assert bench.state
            assert words in bench.state.problem
            await eventually(lambda: bench.reason() == "")
            assert clean.superuser("SELECT status FROM bots") == [("active",)]


async def nothing_new(*_: Any) -> Any:
    from aiohttp import web

    await asyncio.sleep(0.05)
    return web.json_response({"ok": True, "result": []})


async def test_a_bot_whose_present_token_is_refused_is_stopped(bench: Bench, clean: Services) -> None:
    status = "SELECT status, status_reason FROM bots"
    async with bench.poller():
        await eventually(lambda: bench.reason() == "")
        await bench.client.post("/sim/bots", token=f"{BOT}:another", username="demo_bot", name="Demo")
        try:
            # What ends the poll that was under way: the next one is refused.
            await bench.write("1")
            await eventually(lambda: clean.superuser(status) == [("error", REFUSED)])
            assert bench.reason() in ("", "token")
        finally:
            await bench.client.post("/sim/bots", token=TOKEN, username="demo_bot", name="Demo")


async def test_a_missing_key_is_told_and_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botyard.polling._KEY_SECONDS", 0.2)
    with environment({"SECRET_KEY": Fernet.generate_key().decode()}):
        poller = Poller(bench.settings, FakeTickets())
        await poller.look()
        await eventually(lambda: bench.reason() == "token")
        assert bench.state
        assert "SECRET_KEY: has no key" in bench.state.problem
        polls = dict(poller._polls)
        await poller.look()
        assert poller._polls == polls, "it was not begun anew"
    try:
        await eventually(lambda: bench.reason() == "")
    finally:
        await poller.close()


async def test_bots_that_a_bot_api_has_not_seen_lately_begin_as_permits_come(
    clean: Services, settings: Settings, valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "SELECT count(*) FROM bot_health WHERE contacted_at > now() - interval '1 min'"
    async with fake_api() as api:
        api.script[:] = [nothing_new] * 1000
        for number in range(3):
            make_bot(BOT + number, token=f"{BOT + number}:A", api_url=api.url)
        clean.superuser(
            "UPDATE bots SET intake = 'polling'", "INSERT INTO bot_health (bot_id, customer_id) SELECT id, 1 FROM bots"
        )
        bench = Bench(None, valkey, settings, 0)  # type: ignore[arg-type]

        def reasons() -> list[str]:
            states = [poll_state(valkey, BOT + number) for number in range(3)]
            return sorted(state.reason if state else "nobody" for state in states)

        async with bench.poller(first_contacts="127.0.0.1=2/600"):
            await eventually(lambda: reasons() == ["", "", "flood"])
            await eventually(lambda: clean.superuser(asked) == [(2,)])
        assert len({call.token for call in api.calls}) == 2
        monkeypatch.setattr("botyard.polling._SHORTEST_TURN", 0.2)
        monkeypatch.setattr("botyard.polling._LONGEST_TURN", 0.2)
        async with bench.poller(first_contacts="127.0.0.1=2/600"):
            await eventually(lambda: reasons() == ["", "", "flood"])
            valkey.delete("by:first:127.0.0.1")
            await eventually(lambda: reasons() == ["", "", ""])
