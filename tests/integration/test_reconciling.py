"""What Telegram has of a bot is brought to what it should be, and what is wrong is told once, in words."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import redis
from aiohttp import web

from botyard.bots.connection.adding import NewBot
from botyard.bots.connection.connecting import add_bot, connect_bot
from botyard.bots.connection.doors import webhook_url
from botyard.bots.health.checking import checker
from botyard.bots.health.verdicts import Verdict
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from tests.integration.fake_api import FakeApi, error
from tests.services import Services
from tests.unit.simulator.process import BOT, TOKEN, Client, Process

BASE = "http://127.0.0.1:9"
THIEF = "https://thief.example/hook/with-a-secret"


@dataclass
class Stage:
    """A bot at the simulator, and what is known of it here."""

    client: Client
    settings: Settings
    request: AiohttpRequest
    services: Services
    id: int = 0

    async def add(self, base: str | None = BASE) -> None:
        new = NewBot(TOKEN, None, self.client.url, webhook_base_url=base)
        self.id = (await add_bot(new, self.request, self.settings)).id

    async def check(self) -> Verdict:
        async with checker(self.settings) as checks:
            return await checks.check(self.id)

    async def info(self) -> dict[str, Any]:
        return dict((await self.client.call("getWebhookInfo"))["result"])

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        return self.services.superuser(query)

    def own_url(self) -> str:
        ((public_id,),) = self.sql("SELECT public_id FROM bot_identities WHERE leaving_since IS NULL")
        return webhook_url(BASE, public_id)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [data for (data,) in self.sql(f"SELECT data FROM events WHERE type = '{kind}' ORDER BY id")]  # noqa: S608

    def notes(self) -> list[str]:
        return [text for (text,) in self.sql("SELECT params->>'text' FROM outbox ORDER BY id")]

    def later(self, time: timedelta) -> None:
        """As if so much time had passed since the last check."""
        seconds = time.total_seconds()
        self.sql(f"UPDATE bot_health SET take_back_at = take_back_at - interval '{seconds} s' RETURNING 1")  # noqa: S608


@pytest.fixture
async def stage(client: Client, process: Process, clean: Services, settings: Settings) -> AsyncIterator[Stage]:
    await client.call("deleteWebhook", drop_pending_updates=True)
    request = AiohttpRequest(5)
    changed = settings.model_copy(update={"webhook_base_url": BASE, "simulator_port": process.port})
    made = Stage(client, changed, request, clean)
    await made.add()
    made.sql("UPDATE bots SET settings = '{\"admin_chat_id\": 77}' RETURNING 1")
    made.sql("DELETE FROM events RETURNING 1")
    try:
        yield made
    finally:
        await client.post("/sim/bots", token=TOKEN, username="demo_bot", name="Demo")
        await request.close()


async def test_what_is_as_it_should_be_is_left_as_it_is(stage: Stage) -> None:
    found = await stage.check()
    assert (found.state, found.says) == ("ok", "Its webhook leads here, to 127.0.0.1.")
    assert (stage.events("bot.webhook_set"), stage.notes()) == ([], [])
    known = stage.sql("SELECT state, reason, says, checked_at IS NOT NULL, next_check > now() + interval '4 min',"
                      " contacted_at IS NOT NULL, webhook_host FROM bot_health")  # fmt: skip
    assert known == [("ok", None, "Its webhook leads here, to 127.0.0.1.", True, True, True, "127.0.0.1")]


async def test_a_missing_webhook_is_set_again_and_what_waited_is_kept(stage: Stage) -> None:
    person = await stage.client.post("/sim/people", first_name="Ann")
    await stage.client.call("deleteWebhook")
    await stage.client.write(int(person["id"]))
    found = await stage.check()
    assert (found.state, found.says) == ("ok", "Its webhook was missing at Telegram. It was set.")
    info = await stage.info()
    assert (info["url"], info["pending_update_count"]) == (stage.own_url(), 1)
    assert stage.events("bot.webhook_set") == [{"reason": "missing"}]


@pytest.mark.parametrize(
    ("drift", "reason"),
    [
        ({"url": "http://127.0.0.1:9/webhook/{own}", "allowed_updates": ["poll"]}, "updates"),
        ({"url": "http://127.0.0.1:9/webhook/{own}", "max_connections": 3}, "connections"),
        ({"url": "http://localhost:9/webhook/{own}"}, "moved"),
        ({"url": "http://127.0.0.1:9/webhook/another-name"}, "moved"),
    ],
)
async def test_what_has_drifted_is_repaired(stage: Stage, drift: dict[str, Any], reason: str) -> None:
    before = await stage.info()
    url = drift["url"].format(own=stage.own_url().rpartition("/")[2])
    await stage.client.call("setWebhook", **{**drift, "url": url})
    assert (await stage.check()).state == "ok"
    assert await stage.info() == before
    assert stage.events("bot.webhook_set") == [{"reason": reason}]
    await stage.check()
    assert len(stage.events("bot.webhook_set")) == 1


async def test_a_bot_api_that_knows_not_all_kinds_of_updates_is_told_once_and_not_at_every_check(
    stage: Stage, api: FakeApi
) -> None:
    stage.sql(f"UPDATE bots SET api_url = '{api.url}' RETURNING 1")  # noqa: S608
    shown = {**await stage.info(), "allowed_updates": ["message"]}
    stage.settings = stage.settings.model_copy(update={"simulator_port": int(api.url.rpartition(":")[2])})

    async def older(request: web.Request, _: dict[str, Any]) -> web.Response:
        me = {"id": BOT, "username": "demo_bot", "first_name": "Demo"}
        return web.json_response({"ok": True, "result": me if request.path.endswith("getMe") else shown})

    api.refusing[0] = older
    for _ in range(3):
        assert (await stage.check()).state == "ok"
    assert [call.method for call in api.calls].count("setWebhook") == 1


async def test_other_kinds_of_updates_are_asked_for_again_until_telegram_was_told(stage: Stage) -> None:
    before = await stage.info()
    for _ in range(2):
        # What somebody else sets is set right as often as it is wrong.
        await stage.client.call("setWebhook", url=stage.own_url(), allowed_updates=["poll"])
        await stage.client.post("/sim/faults", fault="500", methods=["setWebhook"])
        assert (await stage.check()).reason == "away"
        await stage.client.post("/sim/faults", fault="off")
        assert (await stage.check()).state == "ok"
        assert await stage.info() == before
        await stage.check()


async def test_a_refusal_that_lasts_after_the_secret_was_told_is_a_trouble_and_what_waits_is_counted(
    stage: Stage, api: FakeApi
) -> None:
    shown = {
        **await stage.info(), "pending_update_count": 500, "last_error_date": time.time() - 20,
        "last_error_message": "Wrong response from the webhook: 401 Unauthorized",
    }  # fmt: skip
    stage.sql(f"UPDATE bots SET api_url = '{api.url}' RETURNING 1")  # noqa: S608
    stage.settings = stage.settings.model_copy(update={"simulator_port": int(api.url.rpartition(":")[2])})

    async def refusing(request: web.Request, _: dict[str, Any]) -> web.Response:
        me = {"id": BOT, "username": "demo_bot", "first_name": "Demo"}
        return web.json_response({"ok": True, "result": me if request.path.endswith("getMe") else shown})

    api.refusing[0] = refusing
    assert (await stage.check()).says == "Telegram did not know the present secret of its webhook. It was set."
    assert stage.sql("SELECT pending FROM bot_health") == [(500,)]
    for _ in range(3):
        found = await stage.check()
        assert (found.state, found.reason) == ("trouble", "deliveries")
        assert "let /webhook/ through" in found.remedy
    assert [call.method for call in api.calls].count("setWebhook") == 1


async def test_a_token_that_was_changed_while_it_was_asked_about_stops_nothing(stage: Stage, api: FakeApi) -> None:
    stage.sql(f"UPDATE bots SET api_url = '{api.url}' RETURNING 1")  # noqa: S608

    async def changed_meanwhile(request: web.Request, params: dict[str, Any]) -> web.StreamResponse:
        stage.sql("UPDATE bots SET config_version = config_version + 1 RETURNING 1")
        return await error(401, "Unauthorized")(request, params)

    api.refusing[0] = changed_meanwhile
    assert (await stage.check()).reason == "changed"
    assert stage.sql("SELECT status FROM bots") == [("active",)]


async def test_a_secret_that_telegram_was_not_told_is_told(stage: Stage) -> None:
    from botyard.bots.connection.webhooks import renew_secret

    assert renew_secret(stage.id)
    assert stage.sql("SELECT previous_until FROM bot_identities") == [(None,)]
    assert (await stage.check()).says == "Telegram did not know the present secret of its webhook. It was set."
    assert stage.sql("SELECT previous_until > now() FROM bot_identities") == [(True,)]


async def test_secrets_are_changed_after_so_many_days_and_not_before(stage: Stage) -> None:
    old = stage.sql("SELECT secret_hash FROM bot_identities")
    stage.sql("UPDATE bot_identities SET secret_since = now() - interval '29 days' RETURNING 1")
    await stage.check()
    assert stage.sql("SELECT secret_hash FROM bot_identities") == old
    stage.sql("UPDATE bot_identities SET secret_since = now() - interval '31 days' RETURNING 1")
    stage.settings = stage.settings.model_copy(update={"webhook_secret_days": 0})
    await stage.check()
    assert stage.sql("SELECT secret_hash FROM bot_identities") == old
    stage.settings = stage.settings.model_copy(update={"webhook_secret_days": 30})
    assert (await stage.check()).state == "ok"
    assert stage.sql("SELECT previous_secret_hash FROM bot_identities") == old
    assert stage.events("bot.webhook_set") == [{"reason": "rotated"}]


async def test_a_stolen_webhook_is_taken_back_at_once_and_the_thief_is_named_by_its_host_only(stage: Stage) -> None:
    await stage.client.call("setWebhook", url=THIEF)
    found = await stage.check()
    says = "Another system, thief.example, had set its webhook; it was taken back."
    remedy = "End it there: whoever sets it last gets the updates. If it comes again, we wait 10 minutes."
    assert (found.state, found.says, found.remedy) == ("trouble", says, remedy)
    assert (await stage.info())["url"] == stage.own_url()
    assert stage.events("bot.webhook_stolen") == [{"host": "thief.example"}]
    assert stage.events("bot.health_check_failed") == [{"reason": "stolen", "says": f"{says} {remedy}"}]
    assert (await stage.check()).state == "ok"
    assert stage.events("bot.health_check_passed") == [{"after": "stolen"}]
    assert stage.notes() == [
        f"@demo_bot: {says} {remedy}", "@demo_bot is well again. Its webhook leads here, to 127.0.0.1.",
    ]  # fmt: skip
    assert "with-a-secret" not in repr(stage.sql("SELECT * FROM bot_health"))


async def test_two_systems_that_fight_wait_longer_and_longer_and_the_owner_is_told_what_to_do(stage: Stage) -> None:
    async def steal() -> Verdict:
        await stage.client.call("setWebhook", url=THIEF)
        return await stage.check()

    await steal()
    waits = await steal()
    ((until,),) = stage.sql("SELECT to_char(take_back_at AT TIME ZONE 'UTC', 'HH24:MI') FROM bot_health")
    assert waits.says == (
        "Two systems fight for its updates: thief.example has set its webhook again, after it was taken back once. "
        f"It is taken back at {until} UTC."
    )
    assert waits.remedy == f"End it there first; `botyard bot reclaim {stage.id}` takes it back at once."
    assert (await stage.info())["url"] == THIEF
    pauses = []
    for _ in range(8):
        stage.later(timedelta(hours=6))
        assert "it was taken back" in (await steal()).says
        assert (await steal()).says.startswith("Two systems fight")
        ((pause,),) = stage.sql("SELECT round(extract(epoch FROM take_back_at - now()) / 60) FROM bot_health")
        pauses.append(int(pause))
    assert pauses == [20, 40, 80, 160, 320, 360, 360, 360]
    # One trouble, one message, however long the fight lasts.
    assert len(stage.notes()) == 1
    assert len(stage.events("bot.webhook_stolen")) == 1


async def test_a_day_of_peace_lets_a_theft_be_forgotten_and_so_does_reclaiming(stage: Stage) -> None:
    await stage.client.call("setWebhook", url=THIEF)
    await stage.check()
    await stage.check()
    assert stage.sql("SELECT thefts, thief_host FROM bot_health") == [(1, "thief.example")]
    stage.later(timedelta(days=2))
    await stage.check()
    assert stage.sql("SELECT thefts, thief_host, take_back_at FROM bot_health") == [(0, None, None)]
    for _ in range(2):
        await stage.client.call("setWebhook", url=THIEF)
        await stage.check()
    assert (await stage.info())["url"] == THIEF
    await connect_bot(stage.id, stage.request, stage.settings, proving=False, take_over=True)
    assert (await stage.info())["url"] == stage.own_url()
    assert stage.sql("SELECT thefts, take_back_at FROM bot_health") == [(0, None)]


async def test_a_paused_bot_with_a_revoked_token_is_stopped_and_its_pause_remembered(stage: Stage) -> None:
    stage.sql("UPDATE bots SET status = 'paused' RETURNING 1")
    await stage.client.post("/sim/bots", token=f"{BOT}:fresh", username="demo_bot", name="Demo")
    assert (await stage.check()).reason == "token"
    ((status, reason),) = stage.sql("SELECT status, status_reason FROM bots")
    assert (status, reason.endswith("; it was paused before")) == ("error", True)


async def test_a_revoked_token_stops_the_bot_at_once_and_sends_nothing(stage: Stage) -> None:
    await stage.client.post("/sim/bots", token=f"{BOT}:fresh", username="demo_bot", name="Demo")
    found = await stage.check()
    assert (found.state, found.reason) == ("trouble", "token")
    assert "it was revoked, or its bot was deleted" in found.says
    assert stage.sql("SELECT status, status_reason LIKE 'Telegram refuses%' FROM bots") == [("error", True)]
    assert stage.sql("SELECT state, reason FROM bot_health") == [("trouble", "token")]
    assert [one["status"] for one in stage.events("bot.stopped")] == ["error"]
    assert stage.notes() == []
    async with checker(stage.settings) as checks:
        stage.sql("UPDATE bot_health SET next_check = now() - interval '1 min' RETURNING 1")
        assert (await checks.check_due()).checked == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["500", "502", "html", "429", "reset"])
async def test_a_bot_api_that_cannot_be_asked_is_no_trouble_of_the_bots(stage: Stage, fault: str) -> None:
    await stage.client.post("/sim/faults", fault=fault, methods=["getWebhookInfo"])
    found = await stage.check()
    assert (found.state, found.reason) == ("warning", "away")
    assert "127.0.0.1 cannot be asked" in found.says
    assert stage.sql("SELECT status FROM bots") == [("active",)]
    assert (stage.notes(), stage.events("bot.health_check_failed")) == ([], [])


async def test_a_trouble_stays_known_while_the_bot_api_cannot_be_asked(stage: Stage) -> None:
    await stage.client.call("setWebhook", url=THIEF)
    await stage.check()
    await stage.client.post("/sim/faults", fault="502")
    assert (await stage.check()).state == "warning"
    assert stage.sql("SELECT state, reason FROM bot_health") == [("trouble", "stolen")]
    assert len(stage.notes()) == 1


async def test_a_delivery_that_fails_becomes_a_sentence_and_its_remedy(stage: Stage) -> None:
    person = await stage.client.post("/sim/people", first_name="Ann")
    await stage.client.write(int(person["id"]))
    found = await stage.check()
    while not found.remedy:
        found = await stage.check()
    assert (found.state, found.reason) == ("trouble", "deliveries")
    assert "1 updates wait at Telegram" in found.says
    assert stage.sql("SELECT pending FROM bot_health") == [(1,)]


async def test_a_changed_name_is_taken_over_once_a_day(stage: Stage, valkey: "redis.Redis") -> None:
    await stage.check()
    await stage.client.post("/sim/bots", token=TOKEN, username="new_bot", name="New")
    await stage.check()
    assert stage.sql("SELECT username FROM bots") == [("demo_bot",)]
    valkey.delete(f"by:profile:{stage.id}")
    await stage.check()
    assert stage.sql("SELECT username, name FROM bots") == [("new_bot", "New")]


async def test_a_fetched_bot_is_judged_by_its_poller_and_a_webhook_in_the_way_is_named(stage: Stage) -> None:
    await stage.client.call("deleteWebhook")
    await stage.add(base=None)
    assert (await stage.check()).reason == "nobody"
    await stage.client.call("setWebhook", url=THIEF)
    found = await stage.check()
    assert (found.reason, found.says.partition(" is set")[0]) == ("webhook", "A webhook of thief.example")
    assert (await stage.info())["url"] == THIEF
    await stage.client.call("setWebhook", url=stage.own_url())
    assert (await stage.check()).state == "ok"
    assert (await stage.info())["url"] == ""


async def test_a_bot_that_is_switched_off_has_our_webhook_taken_away_and_no_others(stage: Stage) -> None:
    stage.sql("UPDATE bots SET status = 'inactive' RETURNING 1")
    assert (await stage.check()).state == "ok"
    assert (await stage.info())["url"] == ""
    await stage.client.call("setWebhook", url=THIEF)
    await stage.check()
    assert (await stage.info())["url"] == THIEF


async def test_two_checks_at_once_harm_nothing(stage: Stage) -> None:
    import asyncio

    stage.sql("UPDATE bot_identities SET secret_since = now() - interval '31 days' RETURNING 1")
    await asyncio.gather(*(stage.check() for _ in range(8)))
    assert (await stage.info())["url"] == stage.own_url()
    assert stage.sql("SELECT state FROM bot_health") == [("ok",)]
    # The secret that Telegram knows is the present one: what it brings is shown with it.
    assert stage.sql("SELECT previous_until > now() FROM bot_identities") == [(True,)]
