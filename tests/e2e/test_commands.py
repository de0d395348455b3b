"""The commands beside a running ``botyard run``: one system for all of them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.embedded import free_port
from tests import rabbitmq
from tests.commands import botyard
from tests.e2e.breakable import VARIABLE
from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until

DEMO = 7_000_000_001
OTHER = 7_000_000_002
TOKEN = f"{OTHER}:AAE-an_invented-token_of-35-characters"
PERSON = 6_800_000_000

pytestmark = pytest.mark.timeout(180)


class Home:
    """A running installation, and the command beside it."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: str(free_port()) for name in ("WEB_PORT", "SIMULATOR_PORT", "FLOWER_PORT")}
        self.broken = folder / "broken"
        self.state = folder / "state"
        pace = {"BACKOFF_SECONDS": "0.1", "LIMIT_PRIVATE_BURST": "1000"}
        self.run = Run(self.state, **self.ports, **pace, **{VARIABLE: str(self.broken)})
        self.simulator = Simulator(int(self.ports["SIMULATOR_PORT"]))
        self.api_url = self.simulator.url

    def __call__(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return botyard(self.run.environment | settings, *words)

    def json(self, *words: str, code: int | None = 0, **settings: str) -> Any:
        ended = self(*words, "--json", **settings)
        assert code is None or ended.returncode == code, ended.stderr + ended.stdout
        return json.loads(ended.stdout)

    def pid(self, process: str) -> int:
        (found,) = [row["pid"] for row in self.json("status")["processes"] if row["process"] == process]
        return int(found)

    def write(self, bot: int, *texts: str) -> None:
        self.simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": text} for text in texts])

    def answers(self, bot: int) -> list[str]:
        events = self.simulator.history()
        calls = [one for one in events if one["kind"] == "call" and one["method"] == "sendMessage"]
        return [one["params"]["text"] for one in calls if one["bot_id"] == bot]

    def add(self) -> None:
        self.simulator.post("/sim/bots", token=TOKEN, username="fragile_bot", name="Fragile")
        words = ("bot", "add", "--kind", "tests.e2e.breakable:breakable", "--queue", "slow")
        ended = botyard(self.run.environment | {"API_URL": self.api_url}, *words, given=TOKEN + "\n")
        assert ended.returncode == 0, ended.stderr

    def call(self, token: str, method: str, **params: Any) -> Any:
        return self.simulator.post(f"/bot{token}/{method}", **params)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home"))
    made.run.start()
    made.simulator.post("/sim/settings", flood=False)
    yield made
    made.run.interrupt()


@pytest.fixture
def fragile(home: Home) -> Iterator[Home]:
    """With a second bot, that fails on purpose."""
    home.broken.touch()
    home.add()
    yield home
    home("bot", "remove", str(OTHER), "--yes")


def test_a_bot_is_listed_paused_and_resumed_and_loses_nothing(home: Home) -> None:
    shown = home.json("status")
    assert {"web", "worker", "threads", "beat"} <= {row["process"] for row in shown["processes"]}
    assert {"messages": 24 * 365, "inbox": 72, "conversations": None}.items() <= {
        one["table"]: one["hours"] for one in shown["kept"]
    }.items()
    assert home.json("bot", "list")[0] | {"waiting": 0, "health": "ok"} == {
        "id": 1, "username": "demo_bot", "kind": "demo", "status": "active", "queue": "updates", "intake": "webhook",
        "waiting": 0, "health": "ok",
    }  # fmt: skip
    assert home.json("bot", "pause", "@demo_bot")[0]["status"] == "paused"
    before = len(home.answers(DEMO))
    home.write(DEMO, *["/count"] * 3)
    wait_until(lambda: home.json("bot", "list")[0]["waiting"] == 3, 30, "three updates wait")
    assert len(home.answers(DEMO)) == before
    silent = home.json("bot", "why", "demo_bot", code=1)
    assert [one["check"] for one in silent if one["state"] == "trouble"] == ["status"]
    assert home.json("bot", "resume", "1")[0]["status"] == "active"
    wait_until(lambda: len(home.answers(DEMO)) == before + 3, 30, "they are answered")
    assert home.answers(DEMO)[-1] == "This is message number 3 from you."
    assert "demo_bot" in home("bot", "list").stdout
    unknown = home("bot", "pause", "dem_bot")
    assert unknown.returncode == 1
    assert unknown.stderr == "botyard: bot: there is no bot 'dem_bot'. Did you mean @demo_bot?\n"


def test_a_bot_is_shown_by_each_of_its_names_and_without_secrets(home: Home) -> None:
    shown = home.json("bot", "show", "@Demo_bot")
    assert list(shown) == [
        "id", "username", "name", "picture", "telegram_id", "public_id", "kind", "status", "status_reason",
        "status_since", "queue", "share", "intake", "api_url", "added", "waiting", "oldest_seconds", "unsent",
        "dead_letters",
        "last_update", "last_send", "last_send_state", "last_send_error", "health", "health_says", "health_since",
        "checked", "proven", "pending",
    ]  # fmt: skip
    for name in ("1", str(DEMO), shown["public_id"], "demo_bot"):
        assert home.json("bot", "show", name)["id"] == 1
    secrets = [value for value in json.loads((home.state / "secrets.json").read_text()).values() if value != 1]
    said = home("bot", "show", "1").stdout + home("bot", "why", "1").stdout + home("doctor").stdout
    assert [secret for secret in secrets if secret in said] == []
    assert "demo_bot" in said


def test_why_is_content_with_a_bot_that_answers_and_names_what_stands_in_the_way_of_one_that_does_not(
    home: Home,
) -> None:
    home.write(DEMO, "/start")
    wait_until(lambda: home.json("bot", "show", "1")["last_send_state"] == "sent", 30, "it has answered")
    found = home.json("bot", "why", "demo_bot")
    assert {tuple(one) for one in found} == {("check", "state", "says", "remedy")}
    assert {one["check"]: one["state"] for one in found} == dict.fromkeys(
        ("status", "token", "webhook", "last update", "health", "mailboxes", "workers", "kind", "last send",
         "dead letters"), "ok"
    )  # fmt: skip
    token = json.loads((home.state / "secrets.json").read_text())["demo_token"]
    ours = home.call(token, "getWebhookInfo")["result"]["url"]
    try:
        stolen = "Its updates go to another.example.org, which is not this installation."
        _says_of_the_webhook(home, stolen, token, "setWebhook", url="https://another.example.org/hook")
        _says_of_the_webhook(home, "No webhook is set at Telegram", token, "deleteWebhook")
    finally:
        home.call(token, "setWebhook", url=ours)


def _says_of_the_webhook(home: Home, words: str, token: str, method: str, **params: str) -> None:
    """The health check of the minute may mend it before it is looked at."""

    def said() -> bool:
        home.call(token, method, **params)
        (found,) = [one for one in home.json("bot", "why", "1", code=None) if one["check"] == "webhook"]
        return bool(found["says"].startswith(words))

    wait_until(said, 30, words)


def test_a_silent_telegram_and_silent_workers_are_findings_and_no_crash(home: Home) -> None:
    asleep = [home.pid("simulator"), home.pid("threads")]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        why = home.json("bot", "why", "1", code=1)
        assert time.monotonic() - began < 15
        doctor = home.json("doctor", code=1)
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    troubles = {one["check"]: one["says"] for one in why if one["state"] == "trouble"}
    # A health check that ran meanwhile found it, too.
    assert set(troubles) - {"health"} == {"Telegram", "workers"}
    assert "cannot be reached" in troubles["Telegram"]
    assert "No worker serves the queue outbound" in troubles["workers"]
    assert {"Bot API", "workers"} <= {one["check"] for one in doctor if one["state"] == "trouble"}


def test_dead_updates_are_counted_shown_replayed_in_order_and_only_once(fragile: Home) -> None:
    fragile.write(OTHER, "fragile one", "fragile two", "robust")
    wait_until(lambda: _count(fragile) == 2, 60, "both were given up")
    (group,) = fragile.json("dead", "list")
    assert list(group) == ["bot", "what", "cause", "reason", "count", "first", "last", "newest_id"]
    assert (group["bot"], group["what"], group["reason"]) == (
        "fragile_bot",
        "update",
        "RuntimeError: broken on purpose",
    )
    each = fragile.json("dead", "list", "--each", "--bot", "@fragile_bot")
    assert list(each[0]) == ["id", "bot", "what", "chat", "reason", "at", "replayed_at"]
    letter = fragile.json("dead", "show", str(each[-1]["id"]))
    assert list(letter) == [
        "id", "bot", "what", "chat", "reason", "detail", "attempts", "at", "update_id", "outbox_id", "replayed_at",
        "request",
    ]  # fmt: skip
    assert letter["request"]["message"]["text"] == "fragile one"
    assert "in _answer" in letter["detail"]
    shown = fragile("dead", "show", str(letter["id"])).stdout
    assert "broken on purpose" in shown
    assert "fragile one" in shown

    fragile.broken.unlink()
    choose = ("dead", "replay", "--all", "--bot", str(OTHER), "--reason", "on purpose", "--pace", "50")
    assert fragile.json(*choose) == [{"chosen": 2, "replayed": 2, "already": 0}]
    wait_until(lambda: len(fragile.answers(OTHER)) == 3, 30, "they are answered")
    assert fragile.answers(OTHER) == ["did robust", "did fragile one", "did fragile two"]
    assert fragile.json(*choose) == [{"chosen": 0, "replayed": 0, "already": 0}]
    assert fragile.json("dead", "replay", str(letter["id"])) == [{"chosen": 1, "replayed": 0, "already": 1}]
    assert fragile.json("dead", "list") == []
    assert fragile("dead", "list").stderr == "Nothing was given up.\n"


def test_letters_are_discarded_only_by_whoever_says_so(fragile: Home) -> None:
    fragile.write(OTHER, "fragile")
    wait_until(lambda: _count(fragile) == 1, 60, "it was given up")
    asked = fragile("dead", "discard", "--all")
    assert (asked.returncode, _count(fragile)) == (2, 1)
    assert "say --yes" in asked.stderr
    assert fragile("dead", "discard", "--yes").returncode == 2, "all of them are only meant when --all is said"
    assert fragile.json("dead", "discard", "--all", "--bot", "fragile_bot", "--yes") == [{"discarded": 1}]
    assert fragile.json("dead", "list", "--replayed") == []


def _count(home: Home) -> int:
    return sum(group["count"] for group in home.json("dead", "list"))


def test_a_removed_bot_is_gone_its_webhook_answers_404_and_it_can_be_added_again(fragile: Home) -> None:
    fragile.write(OTHER, "before")
    wait_until(lambda: fragile.answers(OTHER)[-1:] == ["did before"], 30, "it answers")
    webhook = fragile.call(TOKEN, "getWebhookInfo")["result"]["url"]
    asked = fragile("bot", "remove", "fragile_bot")
    assert asked.returncode == 2
    assert "@fragile_bot (bot" in asked.stderr
    removed = fragile.json("bot", "remove", "fragile_bot", "--yes")
    assert list(removed) == [
        "id", "username", "webhook", "outbox", "inbox", "conversations", "messages", "chats", "jobs",
        "journal", "keyboards", "media", "schedules", "schedule_zones", "schedule_runs", "occurrences", "dead_letters",
        "bot_users",
    ]  # fmt: skip
    assert removed["webhook"] == "removed"
    assert fragile.call(TOKEN, "getWebhookInfo")["result"]["url"] == ""
    assert [one["username"] for one in fragile.json("bot", "list")] == ["demo_bot"]
    assert _post(webhook) in (401, 404)
    wait_until(lambda: _post(webhook) == 404, 15, "every web process knows that it is gone")
    again = fragile("bot", "remove", "fragile_bot", "--yes")
    assert (again.returncode, again.stdout) == (1, "")
    fragile.add()
    fragile.write(OTHER, "after")
    wait_until(lambda: fragile.answers(OTHER)[-1:] == ["did after"], 30, "it answers again")


def _post(url: str) -> int:
    request = urllib.request.Request(url, b'{"update_id": 1}', {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_doctor_is_content_with_what_runs_and_finds_what_is_wrong(home: Home) -> None:
    found = home.json("doctor")
    assert {tuple(one) for one in found} == {("check", "state", "says", "remedy")}
    assert {one["check"] for one in found} >= {
        "Python", "settings", "state folder", "disk", "processes", "PostgreSQL", "migrations", "roles", "SECRET_KEY",
        "Redis", "clock", "Bot API", "workers",
    }  # fmt: skip
    assert [one for one in found if one["state"] == "trouble"] == []
    (home.state / "secrets.json").chmod(0o644)
    try:
        wrong = home("doctor", LEASE_SECONDS="banana", SECRET_KEY="not-a-key")
    finally:
        (home.state / "secrets.json").chmod(0o600)
    assert wrong.returncode == 1
    assert "LEASE_SECONDS" in wrong.stdout
    assert "SECRET_KEY: is not a Fernet key" in wrong.stdout
    assert "chmod 600" in wrong.stdout
    assert "banana" not in wrong.stdout
    assert "not-a-key" not in wrong.stdout


def test_the_doctor_answers_within_fifteen_seconds_when_the_servers_stand_still(home: Home) -> None:
    asleep = [home.pid("valkey"), home.pid("postgres")]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        found = home.json("doctor", code=1)
        assert time.monotonic() - began < 15
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    # Workers are asked through the broker, which may be another server that is awake.
    asked_by_redis = set() if rabbitmq.SERVER in os.environ else {"workers"}
    assert {"PostgreSQL", "Redis"} | asked_by_redis <= {one["check"] for one in found if one["state"] == "trouble"}


def test_logs_are_shown_in_one_order_filtered_and_followed(fragile: Home) -> None:
    fragile.write(OTHER, "fragile")
    wait_until(lambda: _count(fragile) == 1, 60, "it was given up")
    number = fragile.json("bot", "show", "fragile_bot")["id"]
    failed = fragile("logs", "--process", "threads", "--level", "warning", "--bot", str(number), "--since", "10m")
    assert fragile("logs", "--level", "warning", "--bot", "@fragile_bot", "--since", "10m").stdout == failed.stdout
    assert failed.stdout.count("handler_failed") == 2
    assert "\x1b[" not in failed.stdout
    lines = [json.loads(line) for line in fragile("logs", "--json", "--lines", "1000").stdout.splitlines()]
    assert {tuple(line) for line in lines} == {("process", "at", "level", "text")}
    assert {"web", "postgres", "valkey", "worker", "threads"} & {line["process"] for line in lines}
    times = [line["at"] or 0 for line in lines]
    assert times == sorted(times)
    assert fragile("logs", "--since", "yesterday").returncode == 2
    assert fragile("logs", "--process", "nobody").returncode == 1


def test_followed_logs_show_what_is_written_later(fragile: Home, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    # Whoever runs the tests in the background has them ignore Ctrl-C, and all that they start.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "botyard.cli", "logs", "--follow", "--lines", "0"]
    with shown.open("wb") as output:
        following = subprocess.Popen(command, env=fragile.run.environment, stdout=output)
        try:
            # Only lines from its start on are promised: keep failing until it has begun.
            def seen() -> bool:
                fragile.write(OTHER, "fragile")
                return "handler_failed" in shown.read_text()

            wait_until(seen, 30, "it shows a failure")
        finally:
            following.send_signal(signal.SIGINT)
            code = following.wait(60)
    assert code == 0


def test_the_shell_completes_the_names_of_bots(home: Home) -> None:
    def completed(words: str) -> list[str]:
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        environment = home.run.environment | typed | {"_BOTYARD_COMPLETE": "complete_bash"}
        program = str(Path(sys.executable).parent / "botyard")
        return subprocess.run(
            [program], env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.split()

    assert completed("botyard bot show de") == ["demo_bot"]
    assert completed("botyard bot why x") == []
    assert "doctor" in completed("botyard d")


def test_the_commands_take_plain_settings_of_an_environment(home: Home, tmp_path: Path) -> None:
    noted = json.loads((home.state / "environment.json").read_text())
    names = ("DATABASE_URL", "DATABASE_SYSTEM_URL", "REDIS_URL", "SECRET_KEY")
    elsewhere = {name: noted[name] for name in names} | {"STATE_DIR": str(tmp_path)}
    assert home.json("bot", "list", **elsewhere)[0]["username"] == "demo_bot"
    assert [one for one in home.json("doctor", **elsewhere) if one["state"] == "trouble"] == []
    away = home("bot", "list", **elsewhere | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})
    assert (away.returncode, away.stdout) == (3, "")
    assert away.stderr == "botyard: Redis cannot be reached (ConnectionError). `botyard doctor` says more.\n"
    nowhere = f"postgresql://u:hidden@127.0.0.1:{free_port()}/d"
    away = home("bot", "list", **elsewhere | {"DATABASE_SYSTEM_URL": nowhere})
    assert away.returncode == 3
    assert away.stderr == "botyard: PostgreSQL cannot be reached (OperationalError). `botyard doctor` says more.\n"
    broken = home("doctor", **elsewhere | {"DATABASE_SYSTEM_URL": nowhere, "REDIS_URL": "redis://127.0.0.1:1/0"})
    assert broken.returncode == 1
    assert "hidden" not in broken.stdout
