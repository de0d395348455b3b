"""``BOT_TOKEN=… make run``: a bot of one's own beside the demo bot. A second simulator stands for Telegram."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

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
    assert "BOT_TOKEN: is not accepted by Telegram." in told
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


def _refused(run: Run, **settings: str) -> str:
    run.environment |= settings
    ended = subprocess.run(
        [sys.executable, "-m", "botyard.cli", "run"],
        env=run.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    return ended.stdout + ended.stderr
