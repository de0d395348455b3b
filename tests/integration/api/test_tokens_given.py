"""Tokens over the REST API: checked with the simulator, sealed, and never repeated."""

from collections.abc import Iterator

import pytest
import redis
from starlette.testclient import TestClient

from botyard.accounts import services
from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.web.front import build_app
from tests.integration.api.callers import Caller, superadmin
from tests.integration.api.telegram import SECRET, errands, telegram_bot
from tests.services import Services, environment
from tests.unit.simulator.process import Process


@pytest.fixture
def root(clean: Services, process: Process) -> Iterator[Caller]:
    """A superadmin, in front of a web process whose Bot API is the simulator."""
    del clean
    with environment({"API_URL": process.url}), TestClient(build_app(), raise_server_exceptions=False) as web:
        yield Caller(web, superadmin())


@pytest.fixture
def manager(root: Caller) -> Caller:
    """Of a customer without bots."""
    root.post("/customers", {"username": "acme"})
    return Caller(root.web, services.new_token(TokenWanted("anna", "acme", Role.MANAGER)).token)


def test_a_customer_gets_its_bot_and_a_worker_connects_it(
    root: Caller, process: Process, clean: Services, valkey: "redis.Redis"
) -> None:
    number, token = telegram_bot(process)
    made = root.post("/customers", {"username": "new_client", "botToken": token, "kind": "demo"})
    assert made.status == 201
    shown = made.body["bot"]
    assert (shown["telegramId"], shown["username"], shown["customer"]) == (number, f"v{number}_bot", made.body["id"])
    assert errands(valkey) == [("botyard.connect_bot", [shown["id"]])]
    assert SECRET not in str(made.body)
    kept = clean.superuser(
        "SELECT (SELECT string_agg(a::text, '') FROM audit a) || (SELECT string_agg(b::text, '') FROM bots b)"
    )
    assert SECRET not in kept[0][0]


@pytest.mark.parametrize("api", ["refuses it", "is away"])
def test_a_token_that_cannot_be_checked_leaves_no_customer(
    root: Caller, process: Process, clean: Services, valkey: "redis.Redis", api: str
) -> None:
    token = f"4180000001:{SECRET}"
    where = process.url if api == "refuses it" else "http://127.0.0.1:1"
    with environment({"API_URL": where}):
        answer = root.post("/customers", {"username": "half", "botToken": token})
    assert answer.status == (422 if api == "refuses it" else 503)
    if api == "is away":
        assert int(answer.headers["retry-after"]) > 0
    else:
        assert answer.body["errors"][0]["field"] == "botToken"
    assert SECRET not in str(answer.body)
    assert clean.superuser("SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM bots)") == [(1, 0)]
    assert errands(valkey) == []


def test_a_bot_of_another_customer_is_not_taken_and_not_named(root: Caller, manager: Caller, process: Process) -> None:
    _, token = telegram_bot(process)
    other = root.post("/customers", {"username": "other", "botToken": token}).body["bot"]["id"]
    answer = manager.put("/customers/my-profile", {"botToken": token, "name": "Stolen"})
    assert answer.status == 409
    assert f"bot {other}" not in str(answer.body)
    assert "other" not in str(answer.body)
    # What is refused in one part is not done in another.
    assert manager.get("/customers/my-profile").body["name"] == "acme"
    assert root.get(f"/v1/bots/bot_{other}").body["status"] == "active"


def test_a_customer_without_bots_gets_one_and_then_gives_it_another_token(
    manager: Caller, process: Process, valkey: "redis.Redis"
) -> None:
    first, token = telegram_bot(process)
    given = manager.put("/customers/my-profile", {"botToken": token, "name": "Acme"})
    assert (given.status, given.body["name"], given.body["bot"]["telegramId"]) == (200, "Acme", first)
    second, other = telegram_bot(process)
    replaced = manager.put("/customers/my-profile", {"botToken": other}).body["bot"]
    assert (replaced["id"], replaced["telegramId"]) == (given.body["bot"]["id"], second)
    assert len(manager.get("/v1/bots").body["items"]) == 1
    assert errands(valkey) == [("botyard.connect_bot", [replaced["id"]])] * 2


def test_with_more_than_one_bot_it_is_said_which_is_meant(
    root: Caller, manager: Caller, process: Process, clean: Services
) -> None:
    kept, token = telegram_bot(process)
    one = manager.put("/customers/my-profile", {"botToken": token}).body
    second = root.post("/customers", {"username": "lends", "botToken": telegram_bot(process)[1]}).body["bot"]["id"]
    for table in ("bots", "bot_identities", "bot_secrets", "bot_health"):
        clean.superuser(f"UPDATE {table} SET customer_id = {one['id']}")  # noqa: S608 - names of our tables
    third, other = telegram_bot(process)
    unsaid = manager.put("/customers/my-profile", {"botToken": other})
    assert (unsaid.status, unsaid.body["errors"][0]["field"]) == (422, "bot")
    given = manager.put("/customers/my-profile", {"botToken": other, "bot": second})
    assert (given.status, given.body["bot"]["telegramId"]) == (200, third)
    assert manager.get(f"/v1/bots/bot_{one['bot']['id']}").body["telegramId"] == str(kept)


def test_a_registered_bot_keeps_its_customer_when_only_the_mailboxes_were_not_told(
    root: Caller, process: Process, clean: Services
) -> None:
    _, token = telegram_bot(process)
    with redis.Redis.from_url(clean.redis_url) as admin:
        # From here on no script runs, as on a server that is just failing.
        admin.execute_command("ACL", "SETUSER", "default", "-evalsha", "-eval")
        try:
            made = root.post("/customers", {"username": "told_later", "botToken": token})
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "+evalsha", "+eval")
    assert made.status == 201
    assert made.body["bot"]["status"] == "active"
