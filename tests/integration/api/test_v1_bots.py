"""``/api/v1/bots``: lists, adding, changing, pausing and removing bots, and what a worker is asked for."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from starlette.testclient import TestClient

from botyard.accounts import services
from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.web.api.v1 import asking
from botyard.web.front import build_app
from tests.e2e.yard import wait_until
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import Caller, House, house, superadmin
from tests.integration.api.telegram import SECRET, errands, telegram_bot, webhook_of, worker
from tests.services import Services, environment
from tests.unit.simulator.process import Process


@pytest.fixture
def sim(clean: Services, process: Process) -> Iterator[Caller]:
    """A superadmin, in front of a web process whose Bot API is the simulator."""
    del clean
    port = process.url.rpartition(":")[2]
    known = {"API_URL": process.url, "SIMULATOR_PORT": port, "WEBHOOK_BASE_URL": "http://127.0.0.1:9"}
    with environment(known), TestClient(build_app(), raise_server_exceptions=False) as web:
        yield Caller(web, superadmin())


@pytest.fixture
def manager(sim: Caller) -> Caller:
    """Of a customer without bots."""
    sim.post("/v1/customers", {"username": "acme", "name": "Acme & Sons"})
    return Caller(sim.web, services.new_token(TokenWanted("anna", "acme", Role.MANAGER)).token)


@pytest.fixture
def own(web: TestClient) -> House:
    del web
    return house("one", TELEGRAM_ID)


def as_(web: TestClient, one: House, role: Role) -> Caller:
    return Caller(web, one.tokens[role])


def path_of(one: House) -> str:
    return f"/v1/bots/bot_{one.bot.id}"


def names(answer: Any) -> list[str]:
    return [one["id"] for one in answer.body["items"]]


def test_a_bot_is_added_with_steps_and_once_however_often_it_is_asked_for(
    manager: Caller, process: Process, clean: Services, valkey: "redis.Redis"
) -> None:
    number, token = telegram_bot(process)
    key: dict[str, str | None] = {"Idempotency-Key": uuid4().hex}
    made = [manager.ask("POST", "/v1/bots", {"token": token, "kind": "demo"}, key) for _ in range(2)]
    assert [one.status for one in made] == [201, 201]
    body = made[0].body
    assert (body["telegramId"], body["username"], body["status"]) == (str(number), f"v{number}_bot", "active")
    steps = [("token", "ok"), ("webhook", "ok"), ("registered", "ok"), ("connection", "ok")]
    assert [(one["step"], one["state"]) for one in body["steps"]] == steps
    assert made[1].body == body
    assert [task for task, _ in errands(valkey)] == ["botyard.connect_bot"]
    assert clean.superuser("SELECT count(*) FROM bots") == [(1,)]
    assert SECRET not in str(body)
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    again = manager.ask("POST", "/v1/bots", {"token": token, "kind": "demo"}, key)
    assert (again.status, again.body | {"steps": body["steps"]}) == (201, body)


def test_a_bot_that_is_here_is_refused_and_named_only_to_who_can_see_it(
    sim: Caller, manager: Caller, process: Process
) -> None:
    _, token = telegram_bot(process)
    other = sim.post("/v1/customers", {"username": "others", "botToken": token}).body
    to_manager = manager.post("/v1/bots", {"token": token})
    to_root = sim.post("/v1/bots", {"token": token, "customerId": "cus_1"})
    assert (to_manager.status, to_root.status) == (409, 409)
    assert f"{other['botId']} " in to_root.body["detail"]
    assert "of others" in to_root.body["detail"]
    assert other["botId"] not in str(to_manager.body)
    assert "others" not in str(to_manager.body)
    assert manager.post("/v1/bots", {"token": token, "customerId": other["id"]}).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/token"),
        ({"token": "no token"}, "/token"),
        ({"token": f"4169999998:{SECRET}"}, "/token"),
        ({"token": f"4169999998:{SECRET}", "kind": "/etc/passwd"}, "/kind"),
        ({"token": f"4169999998:{SECRET}", "status": "paused"}, "/status"),
        ({"token": f"4169999998:{SECRET}", "customerId": 3}, "/customerId"),
    ],
)
def test_a_bot_that_cannot_be_added_leaves_nothing(
    manager: Caller, clean: Services, body: dict[str, Any], pointer: str
) -> None:
    answer = manager.post("/v1/bots", body)
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, pointer)
    assert SECRET not in str(answer.body)
    assert clean.superuser("SELECT count(*) FROM bots") == [(0,)]


def test_telegram_that_is_away_is_said_in_words(manager: Caller, clean: Services) -> None:
    with environment({"API_URL": "http://no-such-host.invalid"}):
        answer = manager.post("/v1/bots", {"token": f"4169999997:{SECRET}"})
    assert answer.status == 503
    assert answer.body["detail"].startswith("no-such-host.invalid cannot be asked now: the DNS here does not know")
    assert int(answer.headers["retry-after"]) > 0
    assert clean.superuser("SELECT count(*) FROM idempotency_keys WHERE made IS NULL") == [(0,)]


def test_bots_are_found_by_what_is_known_of_them(root: Caller, web: TestClient, clean: Services) -> None:
    one, two = house("one", TELEGRAM_ID), house("two", TELEGRAM_ID + 1)
    make_bot(TELEGRAM_ID + 2, customer_id=two.id, kind="shop:build")
    clean.superuser(
        f"UPDATE bots SET status = 'paused', username = 'Shop_bot' WHERE id = {two.bot.id}",  # noqa: S608
        f"INSERT INTO bot_health (bot_id, customer_id, state) VALUES ({one.bot.id}, {one.id}, 'warning')"  # noqa: S608
        " ON CONFLICT (bot_id) DO UPDATE SET state = 'warning'",
    )
    ids = [f"bot_{one.bot.id}", f"bot_{two.bot.id}", f"bot_{two.bot.id + 1}"]
    for query, found in (
        ("", ids), (f"customer=cus_{two.id}", ids[1:]), ("status=paused", ids[1:2]), ("health=warning", ids[:1]),
        ("health=unknown", ids[1:]), ("kind=shop:build", ids[2:]),
        ("kind=%00", []), ("q=@shop", ids[1:2]), ("q=shop%25", []),
    ):  # fmt: skip
        assert names(root.get(f"/v1/bots?{query}")) == found, query
    viewer = as_(web, two, Role.VIEWER)
    assert names(viewer.get("/v1/bots")) == ids[1:]
    assert viewer.get(f"/v1/bots?customer=cus_{one.id}").status == 404
    assert viewer.get(f"/v1/bots/{ids[0]}").status == 404


@pytest.mark.parametrize("asked_by", ["root", "viewer"])
def test_those_with_troubles_come_first_and_no_part_repeats_or_misses_one(
    root: Caller, web: TestClient, clean: Services, asked_by: str
) -> None:
    one = house("one", TELEGRAM_ID)
    bots = [one.bot.id, *(make_bot(TELEGRAM_ID + number, customer_id=one.id).id for number in range(1, 7))]
    clean.superuser(
        f"UPDATE bots SET status = 'error' WHERE id = {bots[5]}",  # noqa: S608
        f"UPDATE bots SET status = 'paused' WHERE id = {bots[1]}",  # noqa: S608
        f"INSERT INTO bot_health (bot_id, customer_id, state) VALUES ({bots[3]}, {one.id}, 'trouble'),"  # noqa: S608
        f" ({bots[6]}, {one.id}, 'warning'), ({bots[2]}, {one.id}, 'ok')",
    )
    caller = root if asked_by == "root" else as_(web, one, Role.VIEWER)
    found, path = [], "/v1/bots?sort=trouble&limit=2"
    while path:
        answer = caller.get(path)
        found += names(answer)
        path = (answer.body["next"] or "").removeprefix("/api")
    assert found == [f"bot_{bots[place]}" for place in (3, 5, 6, 1, 0, 2, 4)]


def test_how_a_bot_is_served_is_changed_for_the_version_that_was_seen(
    own: House, web: TestClient, clean: Services
) -> None:
    manager = as_(web, own, Role.MANAGER)
    seen = manager.get(path_of(own))
    assert seen.headers["etag"] == f'"{seen.body["version"]}"'
    assert manager.ask("GET", path_of(own), None, {"If-None-Match": seen.headers["etag"]}).status == 304
    change = {"queue": "slow", "share": 2, "repeatUncertain": False, "adminChatId": "700000001"}
    changed = manager.ask("PATCH", path_of(own), change, {"If-Match": seen.headers["etag"]})
    assert (changed.status, changed.body["queue"], changed.body["share"]) == (200, "slow", 2)
    assert changed.headers["etag"] != seen.headers["etag"]
    assert manager.ask("PATCH", path_of(own), {"share": 3}, {"If-Match": seen.headers["etag"]}).status == 412
    assert manager.patch(path_of(own), {"share": None}).body["share"] is None
    assert clean.superuser("SELECT settings FROM bots")[0][0] == {
        "queue": "slow", "repeat_uncertain": False, "admin_chat_id": 700000001
    }  # fmt: skip
    for fixed in ({"username": "other"}, {"status": "error"}, {"telegramId": "5"}, {"version": 9}):
        assert manager.patch(path_of(own), fixed).status == 422
    assert as_(web, own, Role.OPERATOR).patch(path_of(own), {"share": 1}).status == 403


def test_a_bot_waits_and_goes_on_when_an_operator_says_so(own: House, web: TestClient, valkey: "redis.Redis") -> None:
    operator = as_(web, own, Role.OPERATOR)
    paused = operator.post(f"{path_of(own)}/pause", {"reason": "We look\0 into it."})
    assert (paused.body["status"], paused.body["reason"]) == ("paused", "We look\ufffd into it.")
    assert valkey.hget(f"by:bot:{own.bot.telegram_id}", "paused") == "1"
    assert operator.post(f"{path_of(own)}/maintain").body["status"] == "maintenance"
    assert errands(valkey) == []
    assert operator.post(f"{path_of(own)}/off").body["status"] == "inactive"
    assert operator.post(f"{path_of(own)}/resume").body["status"] == "active"
    assert errands(valkey) == [("botyard.connect_bot", [own.bot.id])] * 2
    before = operator.get(path_of(own)).body["version"]
    assert operator.post(f"{path_of(own)}/restart").body["version"] == before + 1
    assert as_(web, own, Role.VIEWER).post(f"{path_of(own)}/pause").status == 403
    # By this a customer's bots are switched on again: it is said by nobody else.
    assert operator.post(f"{path_of(own)}/off", {"reason": "its customer is suspended"}).status == 422
    assert operator.post(f"{path_of(own)}/reclaim").status == 403
    assert operator.post(f"{path_of(own)}/rotate-secret").status == 403


def test_a_bot_is_removed_by_a_worker(own: House, web: TestClient, clean: Services, valkey: "redis.Redis") -> None:
    manager = as_(web, own, Role.MANAGER)
    seen = manager.get(path_of(own)).headers["etag"]
    manager.post(f"{path_of(own)}/restart")
    assert manager.ask("DELETE", path_of(own), None, {"If-Match": seen}).status == 412
    gone = manager.delete(path_of(own))
    assert (gone.status, gone.body["removing"]) == (202, True)
    assert errands(valkey) == [("botyard.remove_bot", [own.bot.id])]
    assert manager.post(f"{path_of(own)}/resume").status == 422
    assert clean.superuser("SELECT removal_began IS NOT NULL FROM bots") == [(True,)]


def test_a_bot_gets_another_token_for_the_version_that_was_seen(manager: Caller, process: Process) -> None:
    _, token = telegram_bot(process)
    made = manager.post("/v1/bots", {"token": token})
    other, fresh = telegram_bot(process)
    path = f"/v1/bots/{made.body['id']}/token"
    assert manager.ask("PUT", path, {"token": fresh}, {"If-Match": '"0"'}).status == 412
    replaced = manager.ask("PUT", path, {"token": fresh}, {"If-Match": made.headers["etag"]})
    assert (replaced.status, replaced.body["telegramId"]) == (200, str(other))
    assert [one["step"] for one in replaced.body["steps"]][-1] == "connection"


def test_its_days_and_its_health_are_shown(own: House, web: TestClient, clean: Services) -> None:
    viewer = as_(web, own, Role.VIEWER)
    assert viewer.get(f"{path_of(own)}/health").body["state"] == "unknown"
    rows = ", ".join(f"({own.bot.id}, '2026-11-0{day}', {own.id}, {day})" for day in range(1, 6))
    clean.superuser(
        f"INSERT INTO bot_days (bot_id, day, customer_id, updates) VALUES {rows}",  # noqa: S608
        f"INSERT INTO bot_health (bot_id, customer_id, state, says, pending) VALUES ({own.bot.id}, {own.id}, 'trouble', 'It was revoked.', 3)",  # noqa: E501, S608
    )
    health = viewer.get(f"{path_of(own)}/health").body
    assert (health["state"], health["says"], health["pending"]) == ("trouble", "It was revoked.", 3)
    first = viewer.get(f"{path_of(own)}/days?since=2026-11-02&limit=3").body
    assert [one["day"] for one in first["items"]] == ["2026-11-05", "2026-11-04", "2026-11-03"]
    rest = viewer.get(first["next"].removeprefix("/api")).body
    assert ([(one["day"], one["updates"]) for one in rest["items"]], rest["next"]) == ([("2026-11-02", 2)], None)


# --- what a worker is asked for ---


def test_a_worker_says_why_a_bot_is_silent(manager: Caller, process: Process, clean: Services) -> None:
    _, token = telegram_bot(process)
    path = f"/v1/bots/{manager.post('/v1/bots', {'token': token}).body['id']}"
    with worker(clean):
        told = manager.get(f"{path}/why")
    assert told.status == 200
    found = {one["check"]: one["state"] for one in told.body["findings"]}
    assert (found["status"], found["token"], found["webhook"]) == ("ok", "ok", "trouble")
    assert SECRET not in str(told.body)


def test_a_worker_reclaims_checks_and_renews_the_secret(manager: Caller, process: Process, clean: Services) -> None:
    _, token = telegram_bot(process)
    path = f"/v1/bots/{manager.post('/v1/bots', {'token': token}).body['id']}"
    with worker(clean):
        reclaimed = manager.post(f"{path}/reclaim")
        ours = webhook_of(process, token)
        rotated = manager.post(f"{path}/rotate-secret")
        checked = manager.post(f"{path}/check")
    assert (reclaimed.status, rotated.status, checked.status) == (200, 200, 200), rotated.body
    assert reclaimed.body["steps"][0]["step"] == "webhook"
    assert "/webhook/" in ours
    assert rotated.body["earlierSecretUntil"].endswith("Z")
    assert len(checked.body["steps"]) == 1


def test_what_a_worker_refuses_is_said_as_if_it_had_been_said_here(
    own: House, web: TestClient, clean: Services
) -> None:
    manager = as_(web, own, Role.MANAGER)
    with worker(clean), environment({"PUBLIC_URL": "https://bots.example.org"}):
        away = manager.post(f"{path_of(own)}/reclaim")
        manager.post(f"{path_of(own)}/off")
        refused = manager.post(f"{path_of(own)}/rotate-secret")
    assert (away.status, refused.status) == (503, 422)
    assert "nothing answers at its address" in away.body["detail"]
    assert refused.body["errors"][0]["field"] == "bot"


def test_without_a_worker_an_operation_says_how_it_goes_on(
    own: House, web: TestClient, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_WAITS_SECONDS", 0.2)
    viewer = as_(web, own, Role.VIEWER)
    later = viewer.get(f"{path_of(own)}/why")
    assert (later.status, later.body["state"], later.body["kind"]) == (202, "queued", "bot.why")
    path = later.headers["location"].removeprefix("/api")
    with worker(clean):
        wait_until(lambda: viewer.get(path).body["state"] == "done", 30, "it is done")
    assert "findings" in viewer.get(path).body["result"]
