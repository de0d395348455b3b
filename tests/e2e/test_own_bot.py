"""``BOT_TOKEN=… make run``: a bot of one's own beside the demo bot. A second simulator stands for Telegram."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiohttp import web

from botyard.embedded import free_port
from botyard.running.own_bots import connect_own
from botyard.settings import Settings
from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until
from tests.unit.simulator.process import Process

TOKEN = "4500000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
BOT = 4500000001


@pytest.fixture
def telegram() -> Iterator[Simulator]:
    process = Process().wait_until_ready()
    simulator = Simulator(process.port)
    simulator.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")
    yield simulator
    process.stop()


def _said(telegram: Simulator) -> list[str]:
    calls = [event for event in telegram.history() if event["kind"] == "call" and event["bot_id"] == BOT]
    return [event["params"]["text"] for event in calls if event["method"] == "sendMessage"]


@pytest.mark.timeout(180)
def test_a_bot_without_a_public_address_is_fetched_and_answers(run: Run, telegram: Simulator) -> None:
    run.environment |= {"BOT_TOKEN": TOKEN, "API_URL": telegram.url}
    run.start()
    assert "Your bot @own_bot is connected by long polling." in run.log.read_text()

    telegram.post("/sim/batch", bot_id=BOT, messages=[{"person_id": 6_700_000_000, "text": "/count"}])
    wait_until(lambda: bool(_said(telegram)), 30, "the bot answered")
    assert _said(telegram) == ["This is message number 1 from you."]
    run.interrupt()

    telegram.post("/sim/batch", bot_id=BOT, messages=[{"person_id": 6_700_000_000, "text": "/count"}])
    run.start()
    wait_until(lambda: len(_said(telegram)) == 2, 30, "what was written in between is answered")
    assert _said(telegram)[1] == "This is message number 2 from you."
    assert TOKEN.partition(":")[2] not in run.log.read_text()
    run.interrupt()


@pytest.mark.timeout(120)
def test_a_wrong_token_ends_the_start_and_is_not_repeated(run: Run, telegram: Simulator) -> None:
    wrong = "4500000002:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
    told = _refused(run, BOT_TOKEN=wrong, API_URL=telegram.url)
    assert "BOT_TOKEN: is not accepted by Telegram: it was revoked, or its bot was deleted." in told
    assert wrong.partition(":")[2] not in told


@pytest.mark.timeout(120)
def test_a_bot_that_lives_elsewhere_is_not_taken_away_without_being_told_to(run: Run, telegram: Simulator) -> None:
    with_webhook = f"{telegram.url}/bot{TOKEN}/setWebhook?url=http://127.0.0.1:9/elsewhere"
    telegram.get(with_webhook.removeprefix(telegram.url))
    told = _refused(run, BOT_TOKEN=TOKEN, API_URL=telegram.url)
    assert "updates go to 127.0.0.1 now" in told
    assert "TAKE_OVER=true" in told
    assert telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]["url"]

    run.environment["TAKE_OVER"] = "true"
    run.start()
    assert not telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]["url"]
    run.interrupt()


@pytest.mark.timeout(240)
def test_a_bot_waits_for_the_network_and_then_gets_its_webhook_and_follows_its_handlers(
    run: Run, ports: dict[str, str]
) -> None:
    api = free_port()
    public = f"http://127.0.0.1:{ports['WEB_PORT']}"
    run.environment |= {"BOT_TOKEN": TOKEN, "API_URL": f"http://127.0.0.1:{api}", "PUBLIC_URL": public}
    run.start()
    assert "Your bot is not connected yet" in run.log.read_text()
    assert "127.0.0.1 cannot be asked" in run.log.read_text()

    process = Process(port=api).wait_until_ready()
    telegram = Simulator(api)
    try:
        telegram.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")
        wait_until(lambda: "@own_bot is connected by webhook" in run.log.read_text(), 60, "the bot is connected")
        webhook = telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]
        assert webhook["url"].startswith(f"{public}/webhook/")
        assert webhook["max_connections"] == 40
        assert "callback_query" in webhook["allowed_updates"]
        assert "chat_member" not in webhook["allowed_updates"]
        telegram.post("/sim/batch", bot_id=BOT, messages=[{"person_id": 6_700_000_000, "text": "/count"}])
        wait_until(lambda: bool(_said(telegram)), 30, "the bot answered")
        run.interrupt()

        run.environment["BOT_KIND"] = "tests.e2e.bots:echo_of_members"
        run.start()
        changed = telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]
        assert changed["url"] == webhook["url"]
        assert changed["allowed_updates"] == ["chat_member", "my_chat_member"]
        run.interrupt()

        # Without a public address it is fetched again: its webhook was ours, so nobody has to be asked.
        del run.environment["PUBLIC_URL"]
        run.start()
        assert "connected by long polling" in run.log.read_text()
        assert not telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]["url"]
        run.interrupt()
    finally:
        process.stop()


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (f'"{TOKEN}"', "BOT_TOKEN: has quotes"),
        (f"bot{TOKEN}", 'BOT_TOKEN: begins with "bot"'),
        (TOKEN.replace(":", ""), "BOT_TOKEN: has no colon"),
    ],
)
def test_what_cannot_be_a_token_is_refused_at_once(run: Run, token: str, words: str) -> None:
    told = _refused(run, BOT_TOKEN=token)
    assert words in told
    assert told.count("\n") == 1
    assert TOKEN.partition(":")[2] not in told


async def test_a_wrong_clock_is_a_warning(settings: Settings) -> None:
    async def answer(request: web.Request) -> web.Response:
        result = {"id": BOT, "is_bot": True, "first_name": "Own", "username": "own_bot"}
        found = {"getMe": result, "getWebhookInfo": {"url": ""}}.get(request.path.rpartition("/")[2], True)
        headers = {"Date": "Fri, 20 Nov 2015 12:00:00 GMT"}
        return web.json_response({"ok": True, "result": found}, headers=headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    changes = {"bot_token": TOKEN, "api_url": f"http://127.0.0.1:{runner.addresses[0][1]}", "bot_kind": "demo"}
    own = await connect_own(settings.model_copy(update=changes))
    await runner.cleanup()
    assert own.username == "own_bot"
    assert len(own.warnings) == 1
    assert "s ahead of that of 127.0.0.1. Set it right" in own.warnings[0]


def _refused(run: Run, **settings: str) -> str:
    run.environment |= settings
    ended = subprocess.run(
        [sys.executable, "-m", "botyard.cli", "run"],
        env=run.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    return ended.stdout + ended.stderr
