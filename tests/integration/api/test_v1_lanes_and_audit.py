"""``/api/v1/lanes``, ``/api/v1/audit`` and ``/api/v1/health``: what the people who look after bots look at."""

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import Caller, House, house
from tests.integration.outbox_tools import add_row
from tests.services import Services


@pytest.fixture
def houses(web: TestClient) -> list[House]:
    del web
    return [house("one", TELEGRAM_ID), house("two", TELEGRAM_ID + 1)]


def as_(web: TestClient, one: House, role: Role) -> Caller:
    return Caller(web, one.tokens[role])


def test_what_waits_is_shown_bot_by_bot_and_ones_own_only(
    root: Caller, web: TestClient, clean: Services, houses: list[House]
) -> None:
    for place, one in enumerate(houses):
        for _ in range(place + 1):
            add_row(clean, one.bot, chat_key="7", due=60, state="retry", error="Bad Gateway")
    viewer = as_(web, houses[1], Role.VIEWER)
    (mine,) = viewer.get("/v1/lanes").body["items"]
    assert mine["botId"] == f"bot_{houses[1].bot.id}"
    (lane,) = mine["lanes"]
    assert (lane["lane"], lane["waiting"], lane["causes"]) == ("reply", 2, {"another try": 1, "an earlier one": 1})
    assert lane["error"] == "Bad Gateway"
    assert viewer.get(f"/v1/lanes?bot=bot_{houses[0].bot.id}").status == 404
    first = root.get("/v1/lanes?limit=1").body
    second = root.get(first["next"].removeprefix("/api")).body
    assert [len(part["items"][0]["lanes"]) for part in (first, second)] == [1, 1]
    assert second["next"] is None
    alone = root.get(f"/v1/lanes?bot=bot_{houses[0].bot.id}").body["items"]
    assert [one["lanes"][0]["waiting"] for one in alone] == [1]


def test_a_closed_chat_stands_beside_its_own_bot_only(
    root: Caller, clean: Services, houses: list[House], valkey: object
) -> None:
    for one in houses:
        add_row(clean, one.bot, chat_key="7", due=60)
    valkey.zadd(f"by:shut:{houses[0].bot.id}", {"7": 99_999_999_999_999})  # type: ignore[attr-defined]
    first, second = root.get("/v1/lanes").body["items"]
    assert [one["chat"] for one in first["closed"]] == ["7"]
    assert (first["lanes"][0]["causes"], second["lanes"][0]["causes"]) == ({"closed by Telegram": 1}, {"a permit": 1})
    assert second["closed"] == []


def test_a_manager_sees_who_changed_what_of_their_customer(root: Caller, web: TestClient, houses: list[House]) -> None:
    one, two = houses
    manager = as_(web, one, Role.MANAGER)
    manager.post(f"/v1/bots/bot_{one.bot.id}/pause", {"reason": "lunch"})
    root.patch(f"/v1/customers/cus_{two.id}", {"name": "Named anew"})
    own = manager.get("/v1/audit").body["items"]
    assert {entry["customerId"] for entry in own} == {f"cus_{one.id}"}
    (last,) = manager.get("/v1/audit?limit=1").body["items"]
    assert (last["entity"], last["action"], last["after"]["status"]) == (f"bots:{one.bot.id}", "updated", "paused")
    everything = root.get("/v1/audit?limit=100").body["items"]
    assert "public_id" not in str(everything)
    assert {f"cus_{one.id}", f"cus_{two.id}"} < {entry["customerId"] for entry in everything}
    assert as_(web, one, Role.OPERATOR).get("/v1/audit").status == 403
    assert manager.get(f"/v1/audit?customer=cus_{two.id}").status == 404
    assert manager.get(f"/v1/audit?bot=bot_{two.bot.id}").status == 404


def test_changes_are_found_by_what_is_known_of_them(root: Caller, web: TestClient, houses: list[House]) -> None:
    one = houses[0]
    manager = as_(web, one, Role.MANAGER)
    manager.post(f"/v1/bots/bot_{one.bot.id}/pause")
    (paused,) = manager.get("/v1/audit?limit=1").body["items"]
    by = paused["actor"]
    for query in (f"actor={by}", f"actor={by}&entity=bots:{one.bot.id}", f"actor={by}&entity=bots",
                  f"actor={by}&bot=bot_{one.bot.id}", f"actor={by}&since={paused['at']}"):  # fmt: skip
        assert [entry["id"] for entry in root.get(f"/v1/audit?{query}").body["items"]] == [paused["id"]], query
    for query in (f"actor={by}&entity=customers", f"actor={by}&action=deleted", f"actor={by}&until={paused['at']}"):
        assert root.get(f"/v1/audit?{query}").body["items"] == [], query
    for wrong in ("since=yesterday", "action=read", "bot=31", "cursor=x"):
        assert root.get(f"/v1/audit?{wrong}").status == 422, wrong


def test_the_record_is_read_in_parts_from_the_latest_on(root: Caller, houses: list[House]) -> None:
    path, found = f"/v1/audit?customer=cus_{houses[0].id}&limit=2", []
    while path:
        body = root.get(path).body
        found += [int(entry["id"].removeprefix("aud_")) for entry in body["items"]]
        path = (body["next"] or "").removeprefix("/api")
    assert len(found) > 4
    assert found == sorted(set(found), reverse=True)


def test_a_key_for_some_bots_sees_only_what_is_of_these(
    root: Caller, web: TestClient, clean: Services, houses: list[House]
) -> None:
    one = houses[0]
    other = make_bot(TELEGRAM_ID + 5, customer_id=one.id)
    clean.superuser(f"UPDATE access_tokens SET bots = ARRAY[{other.id}]::bigint[]")  # noqa: S608 - a number
    manager = as_(web, one, Role.MANAGER)
    for caller in (manager, root):
        assert [bot["id"] for bot in caller.get("/v1/bots").body["items"]] == [f"bot_{other.id}"]
        assert [bot["botId"] for bot in caller.get("/v1/lanes").body["items"]] == [f"bot_{other.id}"]
        assert {entry["botId"] for entry in caller.get("/v1/audit").body["items"]} == {f"bot_{other.id}"}
        assert caller.get(f"/v1/bots/bot_{one.bot.id}").status == 404
        assert caller.post("/v1/bots", {"token": "x"}).status == 403


def test_everybody_sees_states_and_a_superadmin_sees_what_is_behind_them(
    root: Caller, web: TestClient, clean: Services, houses: list[House]
) -> None:
    clean.superuser(f"UPDATE bots SET status = 'error' WHERE id = {houses[0].bot.id}")  # noqa: S608
    told = root.get("/v1/health").body
    parts = {part["check"]: part for part in told["parts"]}
    assert (told["state"], parts["workers"]["state"], parts["bots"]["state"]) == ("trouble", "trouble", "warning")
    assert parts["bots"]["says"] == "1 of 2 bots have troubles."
    shown = as_(web, houses[1], Role.VIEWER).get("/v1/health").body["parts"]
    assert {part["says"] for part in shown} == {None}
    assert {part["check"] for part in shown} >= {"PostgreSQL", "Redis", "workers"}
    assert "bots" not in {part["check"] for part in shown}
