"""The web process as a whole: what it remembers is forgotten when another process tells of a change."""

import gc
import threading
from hashlib import sha256

import orjson
import pytest
import redis
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from botyard.web import front
from botyard.web.front import build_app
from tests.e2e.yard import wait_until
from tests.factories import SECRET, TELEGRAM_ID, make_bot, message
from tests.services import Services


def test_it_looks_for_garbage_seldom(clean: Services) -> None:  # noqa: ARG001 - the process finds it in the environment
    gc.set_threshold(700)
    with TestClient(build_app()):
        assert gc.get_threshold()[0] == 20_000


def test_it_takes_updates_in_though_a_server_is_silent_when_it_begins(
    clean: Services,  # noqa: ARG001 - the process finds it in the environment
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = threading.Event()
    monkeypatch.setattr(front, "_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(front, "check_application_role", lambda: silence.wait(30))
    make_bot()
    app = build_app()
    with capture_logs() as lines, TestClient(app) as web:
        taken = web.post(
            f"/webhook/public-{TELEGRAM_ID}",
            content=orjson.dumps(message(1)),
            headers={"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"},
        )
        silence.set()
    assert taken.status_code == 200
    assert [line["check"] for line in lines if line["event"] == "start_not_checked"] == ["application_role"]


def test_a_door_that_changed_is_looked_up_again_at_once(
    web: TestClient, clean: Services, valkey: "redis.Redis"
) -> None:
    bot = make_bot()
    numbers = iter(range(1, 10_000))

    def knock() -> int:
        status: int = web.post(
            f"/webhook/public-{TELEGRAM_ID}",
            content=orjson.dumps(message(next(numbers))),
            headers={"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"},
        ).status_code
        return status

    assert knock() == 200
    changed = sha256(b"another secret").hexdigest()
    clean.superuser(
        f"UPDATE bot_identities SET secret_hash = '\\x{changed}'",  # noqa: S608 - a digest
        f"UPDATE bots SET webhook_secret_hash = '\\x{changed}'",  # noqa: S608 - a digest
    )
    # Nobody was told yet.
    assert knock() == 200
    wait_until(lambda: bool(valkey.pubsub_numpat()), 10, "the web process listens")
    valkey.publish("sync:bots.updated", orjson.dumps({"from": "another", "data": {"id": bot.id}}))
    wait_until(lambda: knock() == 401, 5, "the new secret is known")
