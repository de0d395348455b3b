"""The commands that connect bots: what they say, and how they end."""

import asyncio
import json
import os

import pytest

from tests.commands import botyard
from tests.services import Services
from tests.unit.simulator.process import BOT, TOKEN, Client, Process

OTHER_TOKEN = "4200000002:BBBB"


class Shell:
    """Runs the command as somebody at a terminal does."""

    def __init__(self, services: Services, process: Process) -> None:
        self._environment = {
            **os.environ, **services.environment, "API_URL": process.url, "WEBHOOK_BASE_URL": "http://127.0.0.1:9",
            "SIMULATOR_PORT": str(process.port), "LOG_FORMAT": "console",
        }  # fmt: skip

    async def run(self, *words: str, token: str = "") -> tuple[int, str, str]:
        """The exit code, standard output, standard error."""
        ran = await asyncio.to_thread(botyard, self._environment, "bot", *words, given=f"{token}\n")
        assert TOKEN not in ran.stdout + ran.stderr
        return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture
def shell(clean: Services, process: Process) -> Shell:
    return Shell(clean, process)


async def test_adding_says_each_step_and_ends_with_the_bots_number(shell: Shell, client: Client) -> None:
    assert await client.call("deleteWebhook")
    code, out, err = await shell.run("add", token=TOKEN)
    assert (code, out) == (0, "@demo_bot is connected by webhook, as bot 1.\n")
    assert "ok       token       Telegram accepts the token: it is @demo_bot." in err
    assert "warning  proof       Nothing listens at 127.0.0.1." in err
    assert "→ Start the web process" in err
    code, out, _ = await shell.run("show", "demo_bot", "--json")
    assert code == 0
    assert '"health": "warning"' in out
    assert '"health_says": "Nothing listens at 127.0.0.1.' in out


async def test_a_stolen_webhook_is_seen_by_checking_and_brought_back_by_reclaiming(
    shell: Shell, client: Client
) -> None:
    await client.call("deleteWebhook")
    await shell.run("add", token=TOKEN)
    for found in ("it was taken back", "Two systems fight for its updates: thief.example"):
        await client.call("setWebhook", url="https://thief.example/x")
        code, out, _ = await shell.run("check", str(BOT))
        assert code == 1
        assert found in out
    code, out, err = await shell.run("reclaim", "@demo_bot", "--json")
    assert (code, json.loads(out)["id"]) == (0, 1)
    assert "ok       webhook     Telegram brings its updates to 127.0.0.1." in err
    assert "127.0.0.1" in (await client.call("getWebhookInfo"))["result"]["url"]
    assert (await shell.run("check", "1"))[0] == 0


async def test_a_secret_and_a_token_are_changed(shell: Shell, client: Client, clean: Services) -> None:
    await client.call("deleteWebhook")
    await client.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Other")
    await shell.run("add", token=TOKEN)
    secrets = "SELECT secret_hash FROM bot_identities"
    before = clean.superuser(secrets)
    code, out, _ = await shell.run("rotate-secret", "1")
    assert code == 0
    assert "earlier_secret_until" in out
    assert clean.superuser(secrets) != before
    code, out, _ = await shell.run("replace-token", "1", "--json", token=OTHER_TOKEN)
    assert (code, json.loads(out)) == (0, {"id": 1, "username": "other_bot"})
    code, _, err = await shell.run("replace-token", "1", token="nonsense")
    assert (code, "has no colon" in err) == (1, True)
    code, _, err = await shell.run("check", "nobody_bot")
    assert (code, "there is no bot" in err) == (1, True)
    await client.get(f"/bot{OTHER_TOKEN}/deleteWebhook")
