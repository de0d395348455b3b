"""Customers and their bots over the REST API, against the whole system: made, given another token, removed, synced."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg2
import pytest
from redis import Redis

from tests import commands
from tests.e2e.yard import Yard, wait_until
from tests.security.test_secrets_at_rest import PG_DUMP
from tests.security.test_token_canary import in_redis

pytestmark = pytest.mark.timeout(180)
COUNTER, WELL = "tests.e2e.bots:counter", "tests.e2e.bots:forgetful"
CANARY = "AAEcanaryTOKENofAFullRUNcanaryTOKEN"
_numbers = count(4_170_000_001)
_people = count(6_400_000_000)
SHOWING = (("bot", "list"), ("bot", "show", "1"), ("audit", "--json"), ("admin", "tokens"), ("customer", "list"))


@dataclass
class Office:
    """A superadmin in front of the API."""

    yard: Yard
    token: str
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, *, as_member: str | None = None) -> tuple[int, Any]:
        token = self.tokens[as_member] if as_member else self.token
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.yard.web_port}/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def command(self, *words: str) -> str:
        ended = commands.botyard(self.yard.environment, *words)
        ended.check_returncode()
        return ended.stdout.strip()

    def celery(self, *words: str) -> None:
        """Send a task as beat or another process does."""
        subprocess.run(["celery", "-A", "tasks", *words], env=self.yard.environment, capture_output=True, check=True)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """As somebody who changes rows past the code."""
        with contextlib.closing(psycopg2.connect(self.yard.environment["DATABASE_OWNER_URL"])) as made:
            made.autocommit = True
            with made.cursor() as found:
                found.execute(statement)
                return found.fetchall() if found.description else []

    def telegram_bot(self) -> tuple[int, str]:
        """A bot that only Telegram knows."""
        number = next(_numbers)
        token = f"{number}:{CANARY}"
        self.yard.simulator.post("/sim/bots", token=token, username=f"c{number}_bot", name="Of a customer")
        return number, token

    def new_customer(self, username: str, kind: str = COUNTER) -> tuple[dict[str, Any], int, str]:
        number, token = self.telegram_bot()
        status, made = self.ask("POST", "/customers", {"username": username, "botToken": token, "kind": kind})
        assert status == 201, made
        self.tokens[username] = self.command("admin", "token", "--customer", username, "--role", "manager")
        return made, number, token

    def answers(self, bot: int, text: str = "hello") -> str:
        """What a bot answers to a new person."""
        person = next(_people)
        self.yard.simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": person, "text": text}])
        heard: list[str] = []

        def answered() -> bool:
            heard[:] = [
                one["params"]["text"]
                for one in self.yard.simulator.history()
                if one["kind"] == "call" and one["method"] == "sendMessage" and one["ok"]
                and (one["bot_id"], int(one["params"]["chat_id"])) == (bot, person)
            ]  # fmt: skip
            return bool(heard)

        wait_until(answered, 30, f"bot {bot} answers")
        return heard[0]

    def webhook(self, token: str) -> str:
        found = self.yard.simulator.get(f"/bot{token}/getWebhookInfo")["result"]["url"]
        assert isinstance(found, str)
        return found

    def wait_for_webhook(self, token: str) -> None:
        wait_until(lambda: bool(self.webhook(token)), 30, "its webhook is set")


@pytest.fixture(scope="module")
def office(yard: Yard) -> Office:
    made = Office(yard, "")
    made.token = made.command("admin", "token")
    return made


def test_a_customer_is_made_with_a_token_and_its_bot_answers(office: Office) -> None:
    made, number, token = office.new_customer("new_client")
    assert (made["username"], made["status"]) == ("new_client", "active")
    assert (made["bot"]["telegramId"], made["bot"]["status"], made["bot"]["kind"]) == (number, "active", COUNTER)
    office.wait_for_webhook(token)
    assert office.answers(number) == "1 hello"
    status, stats = office.ask("GET", "/messages/bot-manager-stats", as_member="new_client")
    assert status == 200
    assert stats["stats"] == {
        "total": 1, "active": 1, "inactive": 0, "error": 0, "isWatching": True, "method": "sqlalchemy-events",
    }  # fmt: skip


def test_a_token_that_telegram_refuses_leaves_no_customer(office: Office) -> None:
    token = f"{next(_numbers)}:{CANARY}"
    status, problem = office.ask("POST", "/customers", {"username": "half", "botToken": token})
    assert status == 422
    assert problem["errors"][0]["field"] == "botToken"
    assert token.partition(":")[2] not in json.dumps(problem)
    assert office.sql("SELECT count(*) FROM customers WHERE username = 'half'") == [(0,)]


def test_a_token_that_another_customer_has_is_refused_and_nothing_is_told_of_it(office: Office) -> None:
    made, number, token = office.new_customer("first")
    status, problem = office.ask("POST", "/customers", {"username": "second", "botToken": token})
    assert status == 409
    assert str(made["bot"]["id"]) not in problem["detail"].replace(str(number), "")
    assert office.sql("SELECT count(*) FROM customers WHERE username = 'second'") == [(0,)]


def test_another_token_is_given_and_its_bot_serves(office: Office) -> None:
    made, number, token = office.new_customer("replacing")
    office.wait_for_webhook(token)
    assert office.answers(number) == "1 hello"
    other, fresh = office.telegram_bot()
    status, changed = office.ask("PUT", "/customers/my-profile", {"botToken": fresh}, as_member="replacing")
    assert status == 200, changed
    assert (changed["bot"]["id"], changed["bot"]["telegramId"]) == (made["bot"]["id"], other)
    office.wait_for_webhook(fresh)
    assert office.answers(other) == "1 hello"


def test_a_customer_is_removed_with_its_bot_and_its_webhook(office: Office) -> None:
    made, number, token = office.new_customer("leaving")
    office.wait_for_webhook(token)
    assert office.answers(number) == "1 hello"
    status, going = office.ask("DELETE", f"/customers/{made['id']}")
    assert (status, going["state"], going["bots"]) == (202, "removing", [made["bot"]["id"]])
    assert office.ask("GET", "/customers/my-profile", as_member="leaving")[0] == 403
    wait_until(lambda: office.webhook(token) == "", 60, "its webhook is taken away")
    assert office.sql(f"SELECT count(*) > 0 FROM messages WHERE bot_id = {made['bot']['id']}") == [(True,)]  # noqa: S608
    office.command("customer", "remove", "leaving", "--now", "--yes")
    wait_until(lambda: office.ask("GET", f"/customers/{made['id']}")[0] == 404, 60, "the customer is gone")
    assert office.ask("GET", f"/v1/bots/bot_{made['bot']['id']}")[0] == 404
    assert office.webhook(token) == ""
    assert office.ask("GET", "/customers/my-profile", as_member="leaving")[0] == 401
    left = " UNION ALL ".join(
        f"SELECT count(*) FROM {table} WHERE bot_id = {made['bot']['id']}"  # noqa: S608 - names of our tables
        for table in ("bot_identities", "bot_secrets", "inbox", "outbox", "conversations", "messages", "bot_health")
    )
    assert office.sql(left) == [(0,)] * 7


@contextlib.contextmanager
def told(office: Office) -> Iterator[Any]:
    """What every process is told of bots in this block."""
    with Redis.from_url(office.yard.environment["REDIS_URL"], decode_responses=True) as redis, redis.pubsub() as heard:
        heard.psubscribe("sync:bots.*")
        assert heard.get_message(timeout=10)["type"] == "psubscribe"
        yield lambda seconds=0.5: heard.get_message(ignore_subscribe_messages=True, timeout=seconds)


def synced(office: Office, bot: int, hear: Any, event: str = "updated") -> None:
    """After a sync everybody was told of this bot, and only then."""
    assert hear() is None
    status, answer = office.ask("POST", "/messages/bot-manager-sync")
    assert (status, answer["message"]) == (200, "Bot manager synchronized with database")
    assert set(answer["stats"]) == {"total", "active", "error", "method"}
    message = hear(10)
    assert message is not None
    assert (message["channel"], json.loads(message["data"])["data"]["id"]) == (f"sync:bots.{event}", bot)


def quiet(office: Office, token: str, number: int) -> None:
    """Its bot answers, and nothing is left to tell of it."""
    office.wait_for_webhook(token)
    assert office.answers(number)
    assert office.ask("POST", "/messages/bot-manager-sync")[0] == 200


def test_a_sync_finds_what_raw_sql_changed(office: Office) -> None:
    made, number, token = office.new_customer("by_hand")
    bot = made["bot"]["id"]
    quiet(office, token, number)
    with told(office) as hear:
        office.sql(f"UPDATE bots SET kind = '{WELL}' WHERE id = {bot}")  # noqa: S608
        synced(office, bot, hear)
        wait_until(lambda: office.answers(number) == "Well?", 30, "it is of the other kind")
        office.sql(f"UPDATE bots SET status = 'error', status_reason = 'by hand' WHERE id = {bot}")  # noqa: S608
        synced(office, bot, hear)
    _, stats = office.ask("GET", "/messages/bot-manager-stats", as_member="by_hand")
    assert (stats["stats"]["active"], stats["stats"]["error"]) == (0, 1)


MUTE = """
import sys
from db.engine import get_sessions
from db.models import Bot
with get_sessions("system").begin() as session:
    bot = session.get(Bot, int(sys.argv[1]))
    bot.kind, bot.config_version = sys.argv[2], bot.config_version + 1
"""


def test_a_sync_finds_a_change_whose_notification_was_lost(office: Office) -> None:
    """It is made by a process whose Redis user may not publish."""
    made, number, token = office.new_customer("unheard")
    bot = made["bot"]["id"]
    quiet(office, token, number)
    with told(office) as hear:
        muted(office, "-c", MUTE, str(bot), WELL)
        synced(office, bot, hear)
    wait_until(lambda: office.answers(number) == "Well?", 30, "it is of the other kind")


def muted(office: Office, *words: str, given: str = "") -> None:
    """Run Python as a process whose changes nobody hears of: its Redis user may do everything but publish."""
    with Redis.from_url(office.yard.environment["REDIS_URL"]) as redis:
        redis.execute_command("ACL", "SETUSER", "mute", "on", ">quiet", "~*", "&*", "+@all", "-publish")
    url = f"redis://mute:quiet@127.0.0.1:{office.yard.valkey_port}/0"
    environment = office.yard.environment | {"REDIS_URL": url}
    ran = subprocess.run(
        [sys.executable, *words], env=environment, input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "sync_not_told" in ran.stdout + ran.stderr


def test_a_sync_finds_every_step_of_a_bots_life_of_which_nobody_was_told(office: Office) -> None:
    """Adding it, giving it another token, and removing it, each by a process that cannot tell of it."""
    number, token = office.telegram_bot()
    other, fresh = office.telegram_bot()
    botyard = ("-m", "botyard.cli", "bot")
    assert office.ask("POST", "/messages/bot-manager-sync")[0] == 200
    with told(office) as hear:
        muted(office, *botyard, "add", "--kind", COUNTER, given=token + "\n")
        ((bot,),) = office.sql(f"SELECT id FROM bots WHERE telegram_id = {number}")  # noqa: S608
        synced(office, bot, hear, "created")
        assert office.answers(number) == "1 hello"
        muted(office, *botyard, "replace-token", str(bot), given=fresh + "\n")
        synced(office, bot, hear)
        assert office.answers(other) == "1 hello"
        muted(office, *botyard, "remove", str(bot), "--yes")
        synced(office, bot, hear, "deleted")
    assert office.ask("GET", f"/v1/bots/bot_{bot}")[0] == 404


def test_a_sync_finds_bots_that_raw_sql_made_and_removed(office: Office) -> None:
    assert office.ask("POST", "/messages/bot-manager-sync")[0] == 200
    with told(office) as hear:
        ((bot,),) = office.sql(
            "INSERT INTO bots (telegram_id, public_id, kind, name, username, api_url, status)"
            " VALUES (4179999999, 'by-hand', 'demo', 'By hand', 'by_hand_bot', 'http://127.0.0.1:9', 'inactive')"
            " RETURNING id"
        )
        synced(office, bot, hear, "created")
        assert office.ask("GET", f"/v1/bots/bot_{bot}")[0] == 200
        office.sql(f"DELETE FROM bots WHERE id = {bot}")  # noqa: S608
        synced(office, bot, hear, "deleted")
    assert office.ask("GET", f"/v1/bots/bot_{bot}")[0] == 404


def test_another_tool_that_takes_the_webhook_is_named_and_not_fought(office: Office) -> None:
    made, number, token = office.new_customer("fought_over")
    bot, admin = made["bot"]["id"], next(_people)
    office.wait_for_webhook(token)
    office.yard.simulator.post("/sim/batch", bot_id=number, messages=[{"person_id": admin, "text": "I look after it"}])
    office.command("bot", "configure", str(bot), f"admin_chat_id={admin}")
    ours = office.webhook(token)
    for url in (ours, "https://other.example.org/hook"):
        office.yard.simulator.post(f"/bot{token}/setWebhook", url="https://other.example.org/hook")
        office.celery("call", "botyard.check_bot", f"--args=[{bot}]", "--queue=maintenance")
        wait_until(
            lambda: "other.example.org" in str(office.ask("GET", f"/v1/bots/bot_{bot}/health")[1]), 30, "it is named"
        )
        wait_until(lambda url=url: office.webhook(token) == url, 30, f"the webhook is {url}")  # type: ignore[misc]

    def told_the_admin() -> list[str]:
        return [
            one["params"]["text"] for one in office.yard.simulator.history()
            if one["kind"] == "call" and one["method"] == "sendMessage" and int(one["params"]["chat_id"]) == admin
        ]  # fmt: skip

    wait_until(lambda: any("other.example.org" in text for text in told_the_admin()), 30, "the admin is told")


def test_a_removal_that_was_begun_and_forgotten_is_finished(office: Office) -> None:
    made, _, token = office.new_customer("half_gone")
    office.wait_for_webhook(token)
    long_ago = "removal_began = now() - interval '1 hour'"
    office.sql(f"UPDATE customers SET {long_ago}, status = 'suspended' WHERE id = {made['id']}")  # noqa: S608
    office.sql(f"UPDATE bots SET {long_ago}, status = 'inactive' WHERE customer_id = {made['id']}")  # noqa: S608

    def is_gone() -> bool:
        office.celery("call", "botyard.finish_removals", "--queue=maintenance")
        return bool(office.ask("GET", f"/customers/{made['id']}")[0] == 404)

    wait_until(is_gone, 60, "the bot and then the customer are gone")
    assert office.webhook(token) == ""


def test_no_token_of_all_these_stands_anywhere_after_this_run(office: Office) -> None:
    """In logs, the database, Redis, figures, answers and what commands print."""
    environment = office.yard.environment
    dumped = subprocess.run([PG_DUMP, "--inserts", environment["DATABASE_OWNER_URL"]], capture_output=True, check=True)
    with urllib.request.urlopen(f"http://127.0.0.1:{office.yard.web_port}/metrics", timeout=10) as answer:
        figures = answer.read()
    places = {
        "the database": dumped.stdout,
        "Redis": in_redis(environment["REDIS_URL"]).encode(),
        "/metrics": figures,
        "answers": json.dumps([office.ask("GET", path) for path in ("/customers", "/v1/bots", "/v1/audit")]).encode(),
        "commands": "".join(office.command(*words) for words in SHOWING).encode(),
        **{path.name: path.read_bytes() for path in office.yard.logs()},
    }
    secrets = [CANARY, office.token, *office.tokens.values()]
    found = [(place, secret[:8]) for place, text in places.items() for secret in secrets if secret.encode() in text]
    assert found == []
    assert b"4170000001" in places["the database"], "it was searched through"
