"""Threat: somebody who knows, or guesses, a webhook's path brings updates of their own. Nothing of them may stay."""

import time
from typing import Any

import pytest
import redis

from botyard.bots.connection.doors import proof_of
from botyard.bots.registry import find_intake
from botyard.web import webhook
from tests.factories import SECRET, TELEGRAM_ID, make_bot
from tests.integration.test_webhook import BODY, HEADERS, Door, door
from tests.services import Services

__all__ = ["door"]

SHOWN = b"x-telegram-bot-api-secret-token"
TABLES = ("inbox", "conversations", "messages", "outbox", "dead_letters", "events", "bot_health")
OTHERS = b"another-bots-secret"


def doors(clean: Services) -> None:
    """Another bot with a secret of its own; the first one has had another secret an hour and a second ago."""
    make_bot(TELEGRAM_ID + 1)
    clean.superuser(
        f"UPDATE bot_identities SET public_id = 'public-{TELEGRAM_ID}', secret_hash = sha256('{SECRET}'),"  # noqa: S608
        f" previous_secret_hash = sha256('the-one-before'), previous_until = now() - interval '1 s'"
        f" WHERE telegram_id = {TELEGRAM_ID}",
        f"UPDATE bot_identities SET public_id = 'public-{TELEGRAM_ID + 1}', secret_hash = sha256('{OTHERS.decode()}')"  # noqa: S608
        f" WHERE telegram_id = {TELEGRAM_ID + 1}",
    )


def nothing_stays(clean: Services, valkey: "redis.Redis") -> None:
    assert valkey.keys("*") == []
    for table in TABLES:
        assert clean.superuser(f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608


@pytest.mark.parametrize(
    "shown", [None, b"", b"wrong", SECRET.encode()[:-1], OTHERS, b"the-one-before", b"\xff\x00", b"0" * 5000]
)
@pytest.mark.parametrize("probe", [None, b"a-nonce"])
def test_a_forged_request_is_refused_and_leaves_nothing(
    door: Door,
    clean: Services,
    valkey: "redis.Redis",
    shown: bytes | None,
    probe: bytes | None,
) -> None:
    doors(clean)
    headers = {name: value for name, value in HEADERS.items() if name != SHOWN}
    if shown is not None:
        headers[SHOWN] = shown
    if probe is not None:
        headers[b"x-botyard-probe"] = probe
    for _ in range(3):
        answer = door.ask([b"x" * 10] * 3, headers)
        assert (answer.status, answer.read) == (401, 0)
    nothing_stays(clean, valkey)
    assert door.ask().status == 200, "the real one is taken"


def test_an_earlier_secret_is_taken_until_its_time_is_over(door: Door, clean: Services) -> None:
    doors(clean)
    clean.superuser(
        "UPDATE bot_identities SET previous_until = now() + interval '1.5 s' WHERE telegram_id = 4200000001"
    )
    before = {**HEADERS, SHOWN: b"the-one-before"}
    assert door.ask(headers=before).status == 200
    time.sleep(1.6)
    assert door.ask(headers=before).status == 401
    assert door.ask().status == 200


@pytest.mark.parametrize("shown", [b"", b"anything", b"None", b"\0" * 32])
def test_a_door_without_a_secret_lets_nobody_in(
    door: Door,
    clean: Services,
    valkey: "redis.Redis",
    shown: bytes,
) -> None:
    clean.superuser("UPDATE bot_identities SET secret_hash = NULL", "UPDATE bots SET webhook_secret_hash = NULL")
    assert door.ask(headers={**HEADERS, SHOWN: shown}).status in (401, 404)
    assert door.ask().status in (401, 404)
    nothing_stays(clean, valkey)


def test_a_probe_with_the_secret_proves_who_answers_and_is_no_update(
    door: Door,
    clean: Services,
    valkey: "redis.Redis",
) -> None:
    doors(clean)
    intake = find_intake(f"public-{TELEGRAM_ID}")
    assert intake is not None
    answer = door.ask(BODY, {**HEADERS, b"x-botyard-probe": b"a-nonce"})
    assert (answer.status, answer.body.decode()) == (200, proof_of(intake.secret_hashes[0], "a-nonce"))
    for nonce in (b"", b"x" * 65, b"a b", b"\xff"):
        assert door.ask(BODY, {**HEADERS, b"x-botyard-probe": nonce}).status == 400
    nothing_stays(clean, valkey)


def test_a_flood_of_wrong_secrets_is_no_flood_of_queries(
    door: Door,
    clean: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doors(clean)
    asked: list[str] = []

    def counted(public_id: str) -> Any:
        asked.append(public_id)
        return find_intake(public_id)

    monkeypatch.setattr(webhook, "find_intake", counted)
    monkeypatch.setattr(webhook, "_AGAIN_SECONDS", 60.0)
    for _ in range(200):
        assert door.ask(headers={**HEADERS, SHOWN: b"wrong"}).status == 401
    assert len(asked) == 2, "once to know the door, once to know whether it has changed"


def test_a_secret_that_was_changed_unheard_is_found_out_by_itself(door: Door, clean: Services) -> None:
    doors(clean)
    assert door.ask().status == 200
    clean.superuser("UPDATE bot_identities SET secret_hash = sha256('a-new-one')")
    assert door.ask(headers={**HEADERS, SHOWN: b"a-new-one"}).status == 200
