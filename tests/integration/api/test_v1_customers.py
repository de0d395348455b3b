"""``/api/v1/customers``: made, suspended, removed, kept for a while, restored, and purged."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from starlette.testclient import TestClient

from botyard.accounts import customers
from botyard.accounts.access import NotSignedIn, actor_of
from botyard.accounts.roles import Role
from botyard.bots.connection import adding
from botyard.errors import InputError, Stale
from botyard.web.front import build_app
from tasks.customers import finish_removals, remove_customer
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Caller, House, house, superadmin
from tests.integration.api.telegram import SECRET, errands, telegram_bot
from tests.queues import taken
from tests.services import Services, environment
from tests.unit.simulator.process import Process


@pytest.fixture
def sim(clean: Services, process: Process) -> Iterator[Caller]:
    """A superadmin, in front of a web process whose Bot API is the simulator."""
    del clean
    with environment({"API_URL": process.url}), TestClient(build_app(), raise_server_exceptions=False) as web:
        yield Caller(web, superadmin())


def path_of(customer: int) -> str:
    return f"/v1/customers/cus_{customer}"


def statuses(clean: Services) -> list[Any]:
    return [row[0] for row in clean.superuser("SELECT status FROM bots ORDER BY id")]


def test_a_customer_is_made_with_its_bot_once_however_often_it_is_asked_for(
    sim: Caller, process: Process, clean: Services, valkey: "redis.Redis"
) -> None:
    number, token = telegram_bot(process)
    key: dict[str, str | None] = {"Idempotency-Key": uuid4().hex}
    body = {"username": "acme", "botToken": token, "kind": "demo"}
    made = [sim.ask("POST", "/v1/customers", body, key) for _ in range(2)]
    assert [one.status for one in made] == [201, 201]
    assert made[0].body == made[1].body
    assert made[0].headers["location"] == f"/api/v1/customers/{made[0].body['id']}"
    assert clean.superuser("SELECT count(*) FROM customers") == [(2,)]
    ((bot, owner),) = clean.superuser(f"SELECT id, customer_id FROM bots WHERE telegram_id = {number}")  # noqa: S608
    assert (made[0].body["botId"], made[0].body["id"]) == (f"bot_{bot}", f"cus_{owner}")
    assert [task for task, _ in errands(valkey)] == ["botyard.connect_bot"]
    assert SECRET not in str(made[0].body)
    # As after a crash between the commit and the answer.
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    again = sim.ask("POST", "/v1/customers", body, key)
    assert (again.status, again.body) == (201, made[0].body)
    assert again.headers["idempotency-replayed"] == "true"


def test_a_token_is_checked_before_its_customer_is_made(
    sim: Caller, process: Process, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_too_early(*_: Any) -> None:
        raise AssertionError("the customer is made though the token is refused")

    monkeypatch.setattr(customers, "make_customer", made_too_early)
    refused = sim.post("/v1/customers", {"username": "half", "botToken": f"4169999999:{SECRET}"})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/botToken")
    monkeypatch.undo()
    _, token = telegram_bot(process)
    sim.post("/v1/customers", {"username": "acme"})
    # A name that is taken leaves no bot behind, either.
    taken = sim.post("/v1/customers", {"username": "acme", "botToken": token})
    assert (taken.status, taken.body["errors"][0]["pointer"]) == (409, "/username")
    assert clean.superuser("SELECT count(*) FROM bots") == [(0,)]


def test_customers_are_listed_in_parts_and_found_by_name_and_status(root: Caller, web: TestClient) -> None:
    for number in range(3):
        root.post("/v1/customers", {"username": f"shop-{number}"})
    root.post("/v1/customers", {"username": "other_one"})
    suspended = root.get("/v1/customers?q=shop-1").body["items"][0]
    root.patch(f"/v1/customers/{suspended['id']}", {"status": "suspended"})
    first = root.get("/v1/customers?q=shop&limit=2").body
    assert [one["username"] for one in first["items"]] == ["shop-0", "shop-1"]
    rest = root.get(first["next"].removeprefix("/api")).body
    assert ([one["username"] for one in rest["items"]], rest["next"]) == (["shop-2"], None)
    assert [one["username"] for one in root.get("/v1/customers?status=suspended").body["items"]] == ["shop-1"]
    assert root.get("/v1/customers?q=%25").body["items"] == []
    own = house("one", TELEGRAM_ID)
    viewer = Caller(web, own.tokens[Role.VIEWER])
    assert [one["username"] for one in viewer.get("/v1/customers").body["items"]] == ["one"]
    assert viewer.get("/v1/customers?q=shop").body["items"] == []


def test_who_changes_a_customer_says_which_version_they_have_seen(root: Caller, web: TestClient) -> None:
    own = house("one", TELEGRAM_ID)
    seen = root.get(path_of(own.id)).headers["etag"]
    assert root.ask("PATCH", path_of(own.id), {"name": "New"}, {"If-Match": None}).status == 428
    changed = root.ask("PATCH", path_of(own.id), {"name": "New"}, {"If-Match": seen})
    assert (changed.status, changed.body["name"]) == (200, "New")
    assert root.ask("PATCH", path_of(own.id), {"name": "Late"}, {"If-Match": seen}).status == 412
    assert root.ask("DELETE", path_of(own.id), None, {"If-Match": seen}).status == 412
    assert root.get(path_of(own.id)).body["name"] == "New"
    manager = Caller(web, own.tokens[Role.MANAGER])
    assert manager.patch(path_of(own.id), {"name": "Ours"}).body["name"] == "Ours"
    assert manager.patch(path_of(own.id), {"status": "suspended"}).status == 403
    assert Caller(web, own.tokens[Role.OPERATOR]).patch(path_of(own.id), {"name": "Theirs"}).status == 403
    assert root.patch(path_of(own.id), {"username": "another"}).status == 422


def test_a_customer_is_suspended_and_goes_on_with_its_bots(
    root: Caller, clean: Services, valkey: "redis.Redis"
) -> None:
    own = house("one", TELEGRAM_ID)
    assert root.patch(path_of(own.id), {"status": "suspended"}).body["status"] == "suspended"
    assert (statuses(clean), errands(valkey)) == (["inactive"], [("botyard.connect_bot", [own.bot.id])])
    assert root.post(f"/v1/bots/bot_{own.bot.id}/resume").status == 422
    assert root.patch(path_of(own.id), {"status": "active"}).body["status"] == "active"
    assert statuses(clean) == ["active"]


@pytest.mark.parametrize("before", ["active", "paused", "maintenance", "error", "inactive"])
def test_a_removed_customer_is_kept_and_restored_as_it_was(
    root: Caller, web: TestClient, clean: Services, before: str
) -> None:
    own = house("one", TELEGRAM_ID)
    clean.superuser(f"UPDATE bots SET status = '{before}', status_reason = 'of its own'")  # noqa: S608
    going = root.delete(path_of(own.id))
    assert (going.status, going.body["state"]) == (202, "removing")
    assert actor_of(own.tokens[Role.OWNER]).customers == []
    assert Caller(web, own.tokens[Role.OWNER]).get(path_of(own.id)).status == 403
    seen = root.get(path_of(own.id)).body
    assert (seen["status"], seen["purgeAfter"]) == ("removing", going.body["purgeAfter"])
    assert statuses(clean) == ["error" if before == "error" else "inactive"]
    with pytest.raises(InputError, match="is being removed"):
        root_resumes(own)
    assert root.post(f"{path_of(own.id)}/restore").body["status"] == "active"
    assert statuses(clean) == [before]
    assert Caller(web, own.tokens[Role.OWNER]).get(path_of(own.id)).body["purgeAfter"] is None
    assert root.post(f"{path_of(own.id)}/restore").status == 422


def root_resumes(own: House) -> None:
    customers.resume_customer(own.id)


def test_one_that_was_suspended_before_its_removal_is_so_again(root: Caller, clean: Services) -> None:
    own = house("one", TELEGRAM_ID)
    root.patch(path_of(own.id), {"status": "suspended"})
    root.delete(path_of(own.id))
    assert root.post(f"{path_of(own.id)}/restore").body["status"] == "suspended"
    assert statuses(clean) == ["inactive"]
    root.patch(path_of(own.id), {"status": "active"})
    assert statuses(clean) == ["active"]


def test_what_is_kept_goes_when_its_time_is_over(root: Caller, clean: Services, valkey: "redis.Redis") -> None:
    own, other = house("one", TELEGRAM_ID), house("two", TELEGRAM_ID + 1)
    copy = "SELECT id, 'test', '{}', customer_id FROM endpoints"
    for one in (own, other):
        clean.superuser(
            f"INSERT INTO endpoints (url, customer_id) VALUES ('https://hooks.example.org/', {one.id})",  # noqa: S608
        )
        root.delete(path_of(one.id))
    clean.superuser(f"INSERT INTO endpoint_messages (endpoint_id, type, body, customer_id) {copy}")
    taken("maintenance")
    finish_removals.run()
    assert errands(valkey) == []
    assert customers.is_leaving(own.id) is False
    clean.superuser(f"UPDATE customers SET purge_after = now() - interval '2 min' WHERE id = {own.id}")  # noqa: S608
    assert root.post(f"{path_of(own.id)}/restore").status == 422
    finish_removals.run()
    assert errands(valkey) == [("botyard.remove_bot", [own.bot.id, own.id])]
    clean.superuser(f"DELETE FROM bots WHERE id = {own.bot.id}")  # noqa: S608 - as the worker does in the end
    taken("maintenance")
    finish_removals.run()
    assert errands(valkey) == [("botyard.remove_customer", [own.id])]
    remove_customer.run(own.id)
    assert root.get(path_of(own.id)).status == 404
    assert root.get(path_of(other.id)).body["status"] == "removing"
    for table in ("endpoints", "endpoint_messages"):
        assert clean.superuser(f"SELECT customer_id FROM {table}") == [(other.id,)], table  # noqa: S608
    with pytest.raises(NotSignedIn):
        actor_of(own.tokens[Role.OWNER])
    # Who removed it stays known.
    removed = root.get(f"/v1/audit?entity=customers:{own.id}&action=deleted").body["items"]
    assert [(one["customerId"], one["before"]["username"]) for one in removed] == [(f"cus_{own.id}", "one")]


def test_a_removal_that_is_taken_back_is_not_finished_by_the_sweep(root: Caller, clean: Services) -> None:
    own = house("one", TELEGRAM_ID)
    root.delete(path_of(own.id))
    clean.superuser("UPDATE customers SET purge_after = now() - interval '2 min' WHERE purge_after IS NOT NULL")
    assert customers.due_customers() == [own.id]
    # Between the sweep's look and its act.
    clean.superuser("UPDATE customers SET purge_after = NULL, removal_began = NULL")
    assert customers.begin_due_removal(own.id) == []
    assert clean.superuser("SELECT removal_began FROM bots") == [(None,)]


def test_nothing_is_kept_if_that_is_said(root: Caller, valkey: "redis.Redis") -> None:
    own = house("one", TELEGRAM_ID)
    root.delete(path_of(own.id))
    now = root.delete(f"{path_of(own.id)}?now=true")
    assert (now.status, now.body["purgeAfter"]) == (202, None)
    assert ("botyard.remove_bot", [own.bot.id, own.id]) in errands(valkey)
    assert root.post(f"{path_of(own.id)}/restore").status == 422
    made = root.post("/v1/customers", {"username": "empty"}).body["id"]
    assert root.delete(f"/v1/customers/{made}?now=true").status == 200


def test_what_was_told_to_a_customer_is_forgotten_by_a_worker(
    root: Caller, clean: Services, valkey: "redis.Redis"
) -> None:
    made = root.post("/v1/customers", {"username": "empty"}).body["id"]
    number = int(made.removeprefix("cus_"))
    clean.superuser(
        f"INSERT INTO endpoints (url, customer_id) VALUES ('https://hooks.example.org/', {number})",  # noqa: S608
        "INSERT INTO endpoint_messages (endpoint_id, type, body, customer_id)"
        " SELECT id, 'test', '{}', customer_id FROM endpoints, generate_series(1, 501)",
        "INSERT INTO endpoint_attempts (message_id, customer_id, milliseconds)"
        " SELECT id, customer_id, 1 FROM endpoint_messages",
    )
    going = root.delete(f"/v1/customers/{made}?now=true")
    assert (going.status, going.body["state"]) == (202, "removing")
    assert errands(valkey) == [("botyard.remove_customer", [number])]
    assert clean.superuser("SELECT count(*) FROM endpoint_messages") == [(501,)]
    remove_customer.run(number)
    for table in ("endpoints", "endpoint_messages", "endpoint_attempts"):
        assert clean.superuser(f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608
    assert root.get(f"/v1/customers/{made}").status == 404


def test_a_bot_of_a_kept_customer_is_refused_with_the_day_on_which_it_is_free(
    sim: Caller, process: Process, clean: Services
) -> None:
    _, token = telegram_bot(process)
    made = sim.post("/v1/customers", {"username": "leaves", "botToken": token}).body
    sim.delete(f"/v1/customers/{made['id']}")
    day = str(clean.superuser("SELECT purge_after::date FROM customers WHERE purge_after IS NOT NULL")[0][0])
    other = sim.post("/v1/customers", {"username": "comes"}).body["id"]
    for path, body in (
        ("/v1/bots", {"token": token, "customerId": other}),
        ("/v1/bots", {"token": token, "customerId": "cus_1"}),
        ("/v1/customers", {"username": "third", "botToken": token}),
    ):
        answer = sim.post(path, body)
        assert answer.status == 409
        assert f"stays until {day}" in answer.body["detail"]
        assert "leaves" not in str(answer.body)
    assert statuses(clean) == ["inactive"]


def test_the_operator_does_not_serve_a_bot_of_a_kept_customer_by_adding_it_again(
    sim: Caller, process: Process, clean: Services
) -> None:
    number, token = telegram_bot(process)
    made = sim.post("/v1/customers", {"username": "leaves", "botToken": token}).body
    sim.delete(f"/v1/customers/{made['id']}")
    with pytest.raises(adding.StillKept):
        adding._register(adding.NewBot(token, None, process.url), {"id": number, "first_name": "x"})
    assert statuses(clean) == ["inactive"]


def test_two_who_change_a_customer_at_once_do_not_both_succeed(root: Caller) -> None:
    own = house("one", TELEGRAM_ID)
    version = root.get(path_of(own.id)).body["version"]
    customers.change_customer(own.id, name="First", expected=version)
    with pytest.raises(Stale):
        customers.change_customer(own.id, status="suspended", expected=version)


def test_the_operator_does_not_serve_a_bot_of_a_suspended_customer_by_adding_it_again(
    sim: Caller, process: Process, clean: Services
) -> None:
    number, token = telegram_bot(process)
    made = sim.post("/v1/customers", {"username": "waits", "botToken": token}).body
    sim.patch(f"/v1/customers/{made['id']}", {"status": "suspended"})
    with pytest.raises(InputError, match="is suspended"):
        adding._register(adding.NewBot(token, None, process.url), {"id": number, "first_name": "x"})
    assert statuses(clean) == ["inactive"]
