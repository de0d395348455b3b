"""Connecting bots, and changing what they are known by, while people write: no update is lost or mixed up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio
from aiohttp import FormData
from telegram.error import TimedOut

from botyard.bots.connection import first_contact
from botyard.bots.connection.adding import AlreadyHere, NewBot, replace_token
from botyard.bots.connection.asking import TokenRefused, Unreachable
from botyard.bots.connection.connecting import add_bot, connect_bot, rotate_secret
from botyard.bots.connection.doors import BOTH_VALID
from botyard.bots.connection.steps import Step
from botyard.bots.connection.webhooks import Changed, asking_as, connection_of, renew_secret, set_webhook
from botyard.bots.health.reconciling import Reconciler
from botyard.bots.registry import forget_left, polled_bots
from botyard.errors import InputError
from botyard.polling import Poller
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from tests.factories import FakeTickets
from tests.integration.doorway import Doorway, doorway
from tests.integration.fake_api import FakeApi, error
from tests.services import Services
from tests.unit.simulator.process import BOT, TOKEN, Client, Process, eventually

OTHER = 4200000002
OTHER_TOKEN = f"{OTHER}:BBBB"


@dataclass
class Stage:
    """A bot that is connected by webhook, and people who write to it."""

    client: Client
    settings: Settings
    door: Doorway
    request: AiohttpRequest
    services: Services
    id: int = 0

    async def add(self, base: str | None = None) -> list[Step]:
        steps: list[Step] = []
        new = NewBot(TOKEN, None, self.client.url, webhook_base_url=base or self.door.url)
        added = await add_bot(new, self.request, self.settings, steps.append, proving=True)
        self.id = added.id
        return steps

    @asynccontextmanager
    async def traffic(self, *bots: int) -> AsyncIterator[dict[int, list[int]]]:
        """People write all the time; the ids of the updates that came of it."""
        written: dict[int, list[int]] = {bot: [] for bot in bots}
        people = [int((await self.client.post("/sim/people", first_name="P"))["id"]) for _ in range(4)]
        going_on = True

        async def write(bot: int, person: int) -> None:
            while going_on:
                sent = await self.client.post("/sim/send", bot_id=bot, person_id=person, text="hi")
                written[bot].append(int(sent["update_id"]))
                await asyncio.sleep(0.005)

        writers = [asyncio.create_task(write(bot, person)) for bot in bots for person in people]
        try:
            yield written
        finally:
            await asyncio.sleep(0.3)
            going_on = False
            await asyncio.gather(*writers)

    async def all_came(self, written: dict[int, list[int]]) -> bool:
        return all([sorted(await self.door.taken(bot)) == sorted(ids) for bot, ids in written.items()])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.services.superuser(query)


@pytest.fixture
async def stage(client: Client, process: Process, clean: Services, settings: Settings) -> AsyncIterator[Stage]:
    await client.post("/sim/settings", retry_scale=0.01)
    await client.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Other")
    request = AiohttpRequest(5)
    async with doorway(settings) as door:
        changes = {"webhook_base_url": door.url, "simulator_port": process.port, "backoff_seconds": 0.1}
        made = Stage(client, settings.model_copy(update=changes), door, request, clean)
        try:
            yield made
        finally:
            # Whatever a test has made of them.
            for token in (TOKEN, OTHER_TOKEN):
                name = "demo_bot" if token == TOKEN else "other_bot"
                await client.post("/sim/bots", token=token, username=name, name="Demo")
                async with client.session.post(f"{client.url}/bot{token}/deleteWebhook", json=DROP):
                    pass
            await request.close()


DROP = {"drop_pending_updates": True}


async def test_each_step_is_told_and_a_probe_comes_back_through_the_address(stage: Stage) -> None:
    steps = await stage.add()
    assert [(step.name, step.state) for step in steps] == [
        ("token", "ok"), ("webhook", "ok"), ("registered", "ok"), ("webhook", "ok"), ("proof", "ok"),
    ]  # fmt: skip
    assert stage.rows("SELECT state, says, proven_at IS NOT NULL FROM bot_health") == [
        ("ok", "A probe to 127.0.0.1 came back: its address leads here.", True)
    ]
    assert stage.rows("SELECT type FROM events ORDER BY id") == [("bot.added",), ("bot.webhook_set",)]
    assert await stage.door.taken(BOT) == [], "a probe is no update"


async def test_the_picture_of_a_bot_is_known_once_it_is_connected(stage: Stage) -> None:
    await stage.add()
    assert stage.rows("SELECT picture FROM bots") == [(None,)]
    form = FormData({"photo": json.dumps({"type": "static", "photo": "attach://mine"})})
    form.add_field("mine", b"GIF89a" + (64).to_bytes(2, "little") * 2 + bytes(8), filename="me.gif")
    async with stage.client.session.post(f"{stage.client.url}/bot{TOKEN}/setMyProfilePhoto", data=form) as answer:
        assert answer.status == 200, await answer.text()
    await stage.add()
    ((picture,),) = stage.rows("SELECT picture FROM bots")
    assert picture


async def test_an_address_that_leads_elsewhere_is_named_though_the_bot_is_connected(stage: Stage) -> None:
    steps = await stage.add("http://127.0.0.1:9")
    assert (steps[-1].name, steps[-1].state) == ("proof", "warning")
    assert steps[-1].says == "Nothing listens at 127.0.0.1."
    steps = await stage.add(stage.client.url)
    assert steps[-1].says.startswith("127.0.0.1 answers 404 to a probe: another server")
    assert stage.rows("SELECT state, reason, proven_at FROM bot_health") == [("warning", "unproven", None)]


async def test_a_secret_is_changed_under_traffic_and_nothing_is_refused_or_lost(stage: Stage) -> None:
    await stage.add()
    # Nobody tells this web process: it finds out by the secret itself.
    async with stage.traffic(BOT) as written:
        for _ in range(3):
            await asyncio.sleep(1.1)
            await rotate_secret(stage.id, stage.request, stage.settings)
    await eventually(lambda: stage.all_came(written))
    assert written[BOT]
    assert set(stage.door.answers) == {200}
    ((left,),) = stage.rows("SELECT previous_until - now() FROM bot_identities")
    assert BOTH_VALID - timedelta(minutes=1) < left <= BOTH_VALID


async def test_an_earlier_secret_is_taken_until_telegram_was_told_the_new_one(stage: Stage) -> None:
    await stage.add()
    await stage.client.post("/sim/faults", fault="500", bot_id=BOT, methods=["setWebhook"])
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be asked"):
            await rotate_secret(stage.id, stage.request, stage.settings)
    assert stage.rows("SELECT previous_until FROM bot_identities") == [(None,)]
    async with stage.traffic(BOT) as written:
        stage.door.intakes.forget(stage.id)
    await eventually(lambda: stage.all_came(written))
    assert 401 not in stage.door.answers


class LostAnswers(AiohttpRequest):
    """Telegram hears of a webhook, or does not; in both cases no answer comes."""

    arrives = True

    async def do_request(self, url: str, *others: Any, **more: Any) -> tuple[int, bytes]:
        if not url.endswith("setWebhook"):
            return await super().do_request(url, *others, **more)
        if self.arrives:
            await super().do_request(url, *others, **more)
        raise TimedOut


async def test_a_secret_of_which_telegram_may_have_heard_is_told_again_and_not_replaced(stage: Stage) -> None:
    await stage.add()
    losing = LostAnswers(5)
    try:
        for arrives in (True, False):
            losing.arrives = arrives
            with pytest.raises(Unreachable):
                await rotate_secret(stage.id, losing, stage.settings)
    finally:
        await losing.close()
    stage.door.intakes.forget(stage.id)
    async with stage.traffic(BOT) as written:
        pass
    await eventually(lambda: stage.all_came(written))
    assert set(stage.door.answers) == {200}


async def test_a_secret_that_no_key_opens_any_more_is_replaced_though_telegram_was_not_told(stage: Stage) -> None:
    await stage.add()
    assert renew_secret(stage.id)
    query = "SELECT secret_hash FROM bot_identities"
    before = stage.rows(query)
    assert renew_secret(stage.id)
    assert stage.rows(query) == before
    # The id of the key stands in these bytes.
    stage.rows("UPDATE bot_secrets SET sealed = set_byte(sealed, 1, (get_byte(sealed, 1) + 1) % 256)"
               " WHERE name LIKE 'webhook:%' RETURNING 1")  # fmt: skip
    assert renew_secret(stage.id)
    assert stage.rows(query) != before


@pytest.mark.parametrize("status", ["active", "inactive"])
async def test_a_bot_that_telegram_does_not_know_is_connected_and_disconnected_by_permit_only(
    stage: Stage, status: str, monkeypatch: pytest.MonkeyPatch, raw_valkey: "redis.Redis"
) -> None:
    await stage.add()
    monkeypatch.setattr(first_contact, "PATIENCE_SECONDS", 0.0)
    raw_valkey.zadd("by:first:127.0.0.1", {"somebody": time.time() * 1000})
    limited = stage.settings.model_copy(update={"first_contacts": "127.0.0.1=1/1"})
    await connect_bot(stage.id, stage.request, limited)
    await rotate_secret(stage.id, stage.request, limited)
    stage.rows(f"UPDATE bots SET status = '{status}' RETURNING 1")  # noqa: S608
    stage.rows("UPDATE bot_health SET contacted_at = now() - interval '3 hours' RETURNING 1")
    with pytest.raises(Unreachable, match="Too many bots"):
        await connect_bot(stage.id, stage.request, limited)
    if status == "active":
        with pytest.raises(Unreachable, match="Too many bots"):
            await rotate_secret(stage.id, stage.request, limited)
    assert stage.rows("SELECT contacted_at < now() - interval '2 hours' FROM bot_health") == [(True,)]


async def test_a_bot_whose_token_is_refused_while_it_is_connected_is_stopped(stage: Stage) -> None:
    await stage.add()
    await stage.client.post("/sim/bots", token=f"{BOT}:fresh", username="demo_bot", name="Demo")
    with pytest.raises(TokenRefused):
        await connect_bot(stage.id, stage.request, stage.settings)
    assert stage.rows("SELECT status FROM bots") == [("error",)]
    assert stage.rows("SELECT state, reason FROM bot_health") == [("trouble", "token")]


async def test_what_is_wrong_with_the_address_is_not_said_of_the_token(stage: Stage, api: FakeApi) -> None:
    await stage.add()
    stage.rows(f"UPDATE bots SET api_url = '{api.url}' RETURNING 1")  # noqa: S608
    forget = "UPDATE bot_health SET contacted_at = NULL RETURNING 1"
    stage.rows(forget)
    taking = stage.settings.model_copy(update={"take_over": True})
    with pytest.raises(InputError, match="PUBLIC_URL: is not set"):
        await connect_bot(stage.id, stage.request, taking)
    answered = "SELECT reason, contacted_at IS NOT NULL FROM bot_health"
    assert stage.rows(answered) == [("connecting", False)], "Telegram was not asked"
    api.script = [error(400, "Bad Request: bad webhook: IP address is reserved")]
    with pytest.raises(InputError, match=r"^webhook: is not accepted by Telegram .*reserved.* Look at PUBLIC_URL"):
        await connect_bot(stage.id, stage.request, taking, base="http://10.0.0.1")
    assert stage.rows(answered) == [("connecting", True)]


async def test_a_new_token_of_the_same_bot_takes_effect_under_traffic(stage: Stage) -> None:
    await stage.add()
    fresh = f"{BOT}:CCCC"
    async with stage.traffic(BOT) as written:
        await stage.client.post("/sim/bots", token=fresh, username="demo_bot", name="Demo")
        await replace_token(stage.id, fresh, stage.request, stage.settings)
        await connect_bot(stage.id, stage.request, stage.settings)
    await eventually(lambda: stage.all_came(written))
    assert set(stage.door.answers) == {200}
    assert stage.rows("SELECT count(*) FROM bot_identities") == [(1,)]
    assert stage.rows("SELECT data FROM events WHERE type = 'bot.token_replaced'") == [({"earlier": None},)]


async def test_another_telegram_bot_takes_the_place_of_the_earlier_whose_updates_still_come(stage: Stage) -> None:
    await stage.add()
    async with stage.traffic(BOT, OTHER) as written:
        await asyncio.sleep(0.2)
        await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
        await connect_bot(stage.id, stage.request, stage.settings)
        await asyncio.sleep(0.2)
    await eventually(lambda: stage.all_came(written))
    assert min(map(len, written.values())) > 10
    assert set(stage.door.answers) == {200}
    doors = stage.rows("SELECT telegram_id, leaving_since IS NOT NULL FROM bot_identities ORDER BY 1")
    assert doors == [(BOT, True), (OTHER, False)]
    assert stage.rows("SELECT b.telegram_id, b.public_id = i.public_id, b.username FROM bots b"
                      " JOIN bot_identities i USING (telegram_id)") == [(OTHER, True, "other_bot")]  # fmt: skip
    assert len({public_id for (public_id,) in stage.rows("SELECT public_id FROM bot_identities")}) == 2


async def test_a_check_under_way_does_not_give_the_earlier_telegram_bot_the_door_of_the_new_one(stage: Stage) -> None:
    await stage.add()
    earlier = connection_of(stage.id)
    assert earlier is not None
    asking = asking_as(earlier, stage.request)
    await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
    await connect_bot(stage.id, stage.request, stage.settings)
    with pytest.raises(Changed):
        await set_webhook(asking, stage.id, stage.door.url, None, "rotated")
    async with redis.asyncio.Redis.from_url(stage.settings.require("redis_url")) as client:
        found = await Reconciler(stage.request, client, stage.settings).look_at(replace(earlier, untold=True))
    assert (found.state, found.reason) == ("warning", "changed")
    async with stage.traffic(BOT, OTHER) as written:
        pass
    await eventually(lambda: stage.all_came(written))
    assert set(stage.door.answers) == {200}


async def test_a_bot_may_become_the_one_again_that_it_was(stage: Stage) -> None:
    await stage.add()
    for token in (OTHER_TOKEN, TOKEN):
        await replace_token(stage.id, token, stage.request, stage.settings)
        await connect_bot(stage.id, stage.request, stage.settings)
    async with stage.traffic(BOT, OTHER) as written:
        pass
    await eventually(lambda: stage.all_came(written))
    leaving = stage.rows("SELECT telegram_id FROM bot_identities WHERE leaving_since IS NOT NULL")
    assert leaving == [(OTHER,)]


async def test_a_fetched_bot_is_fetched_as_both_until_the_earlier_token_is_refused(stage: Stage) -> None:
    new = NewBot(TOKEN, None, stage.client.url)
    stage.id = (await add_bot(new, stage.request, stage.settings)).id
    person = (await stage.client.post("/sim/people", first_name="Ann"))["id"]
    poller = Poller(stage.settings, FakeTickets())
    try:
        await poller.look()
        async with stage.traffic(BOT, OTHER) as written:
            await asyncio.sleep(0.2)
            await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
            await poller.look()
        await eventually(lambda: stage.all_came(written))
        await stage.client.post("/sim/bots", token=f"{BOT}:CCCC", username="demo_bot", name="Demo")
        # What ends the poll that was under way: the next one is refused.
        await stage.client.post("/sim/send", bot_id=BOT, person_id=person, text="the last one")
        await eventually(lambda: stage.rows("SELECT name FROM bot_secrets WHERE name LIKE 'token:%'") == [
            (f"token:{OTHER}",)])  # fmt: skip
    finally:
        await poller.close()


@pytest.mark.parametrize(("before", "after"), [("error", "active"), ("inactive", "inactive"), ("paused", "paused")])
async def test_another_token_mends_a_refused_one_and_switches_nothing_on(stage: Stage, before: str, after: str) -> None:
    await stage.add()
    stage.rows(f"UPDATE bots SET status = '{before}' RETURNING 1")  # noqa: S608
    await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
    await connect_bot(stage.id, stage.request, stage.settings)
    assert stage.rows("SELECT status FROM bots") == [(after,)]


@pytest.mark.parametrize(("intake", "left"), [("polling", 1), ("webhook", 2)])
async def test_the_token_of_an_earlier_identity_is_kept_for_a_day_or_as_long_as_its_webhook(
    stage: Stage, intake: str, left: int
) -> None:
    await stage.add()
    await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
    stage.rows(f"UPDATE bots SET intake = '{intake}' RETURNING 1")  # noqa: S608
    tokens = "SELECT count(*) FROM bot_secrets WHERE name LIKE 'token:%'"
    stage.rows("UPDATE bot_identities SET leaving_since = now() - interval '23 hours' WHERE leaving_since IS NOT NULL"
               " RETURNING 1")  # fmt: skip
    forget_left()
    assert stage.rows(tokens) == [(2,)]
    assert len(polled_bots()) == (2 if intake == "polling" else 0)
    stage.rows("UPDATE bot_identities SET leaving_since = now() - interval '25 hours' WHERE leaving_since IS NOT NULL"
               " RETURNING 1")  # fmt: skip
    assert len(polled_bots()) == (1 if intake == "polling" else 0)
    forget_left()
    assert stage.rows(tokens) == [(left,)]


async def test_a_telegram_bot_is_here_only_once(stage: Stage) -> None:
    await stage.add()
    other = await add_bot(NewBot(OTHER_TOKEN, None, stage.client.url), stage.request, stage.settings)
    with pytest.raises(AlreadyHere) as here:
        await replace_token(stage.id, OTHER_TOKEN, stage.request, stage.settings)
    assert here.value.bot_id == other.id
    assert stage.rows("SELECT count(*) FROM bot_identities WHERE leaving_since IS NOT NULL") == [(0,)]


async def test_a_bot_that_is_switched_off_waits_at_telegram_and_nothing_of_it_is_dropped(stage: Stage) -> None:
    await stage.add()
    stage.rows("UPDATE bots SET status = 'inactive' RETURNING 1")
    stage.door.intakes.forget(stage.id)
    async with stage.traffic(BOT) as written:
        await asyncio.sleep(0.1)
        await connect_bot(stage.id, stage.request, stage.settings)
    info = (await stage.client.call("getWebhookInfo"))["result"]
    # Those that were at the door as it closed.
    taken = len(await stage.door.taken(BOT))
    assert taken < 10
    assert (info["url"], info["pending_update_count"]) == ("", len(written[BOT]) - taken)
    stage.rows("UPDATE bots SET status = 'active' RETURNING 1")
    await connect_bot(stage.id, stage.request, stage.settings)
    await eventually(lambda: stage.all_came(written))


async def test_a_bot_without_a_webhook_has_no_secret_to_change(stage: Stage) -> None:
    added = await add_bot(NewBot(TOKEN, None, stage.client.url), stage.request, stage.settings)
    with pytest.raises(InputError, match="has no webhook here"):
        await rotate_secret(added.id, stage.request, stage.settings)
