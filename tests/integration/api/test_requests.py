"""What the REST API takes, refuses and answers, apart from rights and from what Telegram says."""

import re
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Caller, house
from tests.services import Services, environment

SECRET = "7234567890:AAHsecretSECRETsecretSECRETsecret35"


def test_a_customer_is_made_without_a_bot(root: Caller) -> None:
    made = root.post("/customers", {"username": "new_client", "name": "New client"})
    assert made.status == 201
    shown = {"id": made.body["id"], "username": "new_client", "name": "New client", "status": "active", "bot": None}
    assert made.body == shown
    one = root.get(f"/customers/{made.body['id']}")
    assert (one.status, one.body["username"], one.body["bots"]) == (200, "new_client", [])


def test_a_username_is_given_once(root: Caller) -> None:
    assert root.post("/customers", {"username": "acme"}).status == 201
    again = root.post("/customers", {"username": "acme"})
    assert again.status == 409
    assert again.body["errors"][0]["field"] == "username"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": 5}, "username"),
        ({"username": "Ä"}, "username"),
        ({"username": "acme", "name": ""}, "name"),
        ({"username": "acme", "name": "a\nb"}, "name"),
        ({"username": "acme", "typo": 1}, "typo"),
        ({"username": "acme", "status": "suspended"}, "status"),
        ({"username": "acme", "id": 7}, "id"),
        ({"username": "acme", "bot_token": SECRET}, "bot_token"),
        ({"username": "acme", "botToken": SECRET + "\n"}, "botToken"),
        ({"username": "acme", "botToken": "no token"}, "botToken"),
        ({"username": "acme", "botToken": SECRET, "kind": "/etc/passwd"}, "kind"),
        ({"username": "acme", "botToken": SECRET, "kind": "os.system"}, "kind"),
        ({"username": "acme", "kind": "demo"}, "kind"),
        ([], "body"),
    ],
)
def test_what_does_not_fit_is_named_and_leaves_nothing(root: Caller, clean: Services, body: Any, field: str) -> None:
    answer = root.post("/customers", body)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.body) == {"type", "title", "status", "detail", "instance", "errors"}
    assert answer.body["errors"][0]["field"] == field
    assert "secretSECRET" not in str(answer.body)
    assert clean.superuser("SELECT count(*) FROM customers") == [(1,)]


def test_what_is_no_json_is_refused(web: TestClient, root: Caller) -> None:
    headers = {"Authorization": f"Bearer {root.token}", "Content-Type": "application/json"}
    answer = web.post(
        "/api/customers", content=b'{"username": "acme", "botToken": "' + SECRET.encode(), headers=headers
    )
    assert answer.status_code == 422
    assert "secretSECRET" not in answer.text
    answer = web.post(
        "/api/customers", content=b'{"username": "acme"}', headers=headers | {"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_more_than_a_mebibyte_is_refused(web: TestClient, root: Caller, *, chunked: bool) -> None:
    headers = {"Authorization": f"Bearer {root.token}", "Content-Type": "application/json"}
    body = b'{"username": "' + b"a" * 1024 * 1024 + b'"}'
    content = iter([body[: 512 * 1024], body[512 * 1024 :]]) if chunked else body
    answer = web.post("/api/customers", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_stranger_is_refused_before_the_body_is_read(web: TestClient) -> None:
    assert web.post("/api/customers", content=b"{").status_code == 401


def test_what_is_nowhere_and_what_nobody_does_is_a_problem_too(root: Caller, stranger: Caller) -> None:
    for caller in (root, stranger):
        answer = caller.get("/nowhere")
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
        assert caller.ask("PATCH", "/customers").status == 405


def test_the_framework_shows_no_pages_of_its_own(web: TestClient) -> None:
    for path in ("/openapi.json", "/docs", "/redoc", "/api/redoc"):
        assert web.get(path).status_code == 404


def test_the_stats_have_these_keys_and_count_ones_own_bots(root: Caller, web: TestClient, clean: Services) -> None:
    own = house("one", TELEGRAM_ID)
    house("two", TELEGRAM_ID + 1)
    clean.superuser(f"UPDATE bots SET status = 'error' WHERE customer_id = {own.id}")  # noqa: S608
    every = root.get("/messages/bot-manager-stats").body
    assert set(every) == {"stats"}
    assert set(every["stats"]) == {"total", "active", "inactive", "error", "isWatching", "method"}
    assert [every["stats"][name] for name in ("total", "active", "inactive", "error")] == [2, 1, 0, 1]
    mine = Caller(web, own.tokens[Role.VIEWER]).get("/messages/bot-manager-stats").body["stats"]
    assert [mine[name] for name in ("total", "active", "inactive", "error")] == [1, 0, 0, 1]


def test_a_sync_says_what_it_counted_and_when(root: Caller) -> None:
    house("one", TELEGRAM_ID)
    answer = root.post("/messages/bot-manager-sync")
    assert answer.status == 200
    assert answer.body["message"] == "Bot manager synchronized with database"
    assert answer.body["stats"] == {"total": 1, "active": 1, "error": 0, "method": "sqlalchemy-events"}
    assert set(answer.body) == {"message", "stats", "syncedAt"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.body["syncedAt"])
    assert datetime.fromisoformat(answer.body["syncedAt"]).utcoffset() is not None


def test_what_a_request_changes_is_recorded_as_its_persons(root: Caller, clean: Services) -> None:
    made = root.post("/customers", {"username": "acme"}).body
    ((person,),) = clean.superuser("SELECT id FROM people")
    told = clean.superuser(f"SELECT actor, action FROM audit WHERE entity = 'customers:{made['id']}'")  # noqa: S608
    assert told == [(f"person:{person}", "created")]


def test_the_profile_is_renamed_by_who_may(web: TestClient) -> None:
    own = house("one", TELEGRAM_ID)
    manager = Caller(web, own.tokens[Role.MANAGER])
    changed = manager.put("/customers/my-profile", {"name": "  Named anew "})
    assert (changed.status, changed.body["name"], changed.body["bot"]) == (200, "Named anew", None)
    assert Caller(web, own.tokens[Role.VIEWER]).get("/customers/my-profile").body["name"] == "Named anew"


def test_a_customer_without_bots_is_gone_at_once(root: Caller, clean: Services) -> None:
    made = root.post("/customers", {"username": "acme"}).body
    with environment({"REMOVED_DATA_DAYS": "0"}):
        gone = root.delete(f"/customers/{made['id']}")
    assert (gone.status, gone.body) == (200, {"id": made["id"], "state": "removed", "bots": [], "purgeAfter": None})
    assert root.delete(f"/customers/{made['id']}").status == 404
    assert clean.superuser("SELECT count(*) FROM customers") == [(1,)]


def test_a_customer_with_bots_leaves_them_to_a_worker(root: Caller, clean: Services) -> None:
    own = house("one", TELEGRAM_ID)
    with environment({"REMOVED_DATA_DAYS": "0"}):
        for _ in range(2):
            going = root.delete(f"/customers/{own.id}")
            shown = {"id": own.id, "state": "removing", "bots": [own.bot.id], "purgeAfter": None}
            assert (going.status, going.body) == (202, shown)
    assert root.get(f"/v1/bots/bot_{own.bot.id}").body["removing"] is True
    assert clean.superuser("SELECT status, removal_began IS NOT NULL FROM bots") == [("inactive", True)]


def test_a_customer_is_kept_for_a_while_and_asked_for_again_no_longer(root: Caller, clean: Services) -> None:
    own = house("one", TELEGRAM_ID)
    first = root.delete(f"/customers/{own.id}")
    assert (first.status, first.body["state"], first.body["bots"]) == (202, "removing", [own.bot.id])
    assert first.body["purgeAfter"].endswith("Z")
    assert root.delete(f"/customers/{own.id}").body == first.body
    assert clean.superuser("SELECT status, removal_began FROM bots") == [("inactive", None)]


def test_the_installations_own_customer_is_not_removed(root: Caller) -> None:
    assert root.delete("/customers/1").status == 422


def test_a_database_that_is_away_is_said_to_be(root: Caller, clean: Services) -> None:
    refuse = "ALTER DATABASE botyard ALLOW_CONNECTIONS false"
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'botyard'"
    clean.superuser(refuse, cut, database="postgres")
    try:
        answer = root.get("/v1/bots")
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        clean.superuser("ALTER DATABASE botyard ALLOW_CONNECTIONS true", database="postgres")
    assert root.get("/v1/bots").status == 200
