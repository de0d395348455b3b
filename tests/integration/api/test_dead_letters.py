"""What was given up, over the API: counted, looked at, tried again, thrown away, and out of others' reach."""

# ruff: noqa: S608 - statements with our own numbers and names

from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import new_token
from botyard.messages import letters
from botyard.operations import Wanted, begin, work
from botyard.operations.running import run
from db.engine import get_sessions
from db.models import AccessToken
from tasks.operations import RUNNERS
from tests.factories import TELEGRAM_ID, FakeTickets
from tests.integration.api.callers import Answer, Caller, House, house
from tests.services import Services

PLACE = "/v1/dead-letters"


@pytest.fixture
def acme(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> House:  # noqa: ARG001 - with its database
    monkeypatch.setattr(letters, "_tickets", FakeTickets)
    monkeypatch.setattr(letters, "_PER_SECOND", 10_000)
    return house("acme", TELEGRAM_ID)


@pytest.fixture
def manager(web: TestClient, acme: House) -> Caller:
    return Caller(web, acme.tokens[Role.MANAGER])


def give_up(clean: Services, owner: House, count: int = 1, cause: str = "KeyError at shop.py:12") -> list[str]:
    found = clean.superuser(
        "INSERT INTO dead_letters (bot_id, customer_id, what, telegram_id, chat_key, reason, detail, request, attempts,"
        f" fingerprint) SELECT {owner.bot.id}, {owner.id}, 'send', {owner.bot.telegram_id}, '5', 'why ' || n,"
        " 'Traceback: bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawx',"
        f""" '{{"method": "sendMessage", "params": {{"chat_id": 5, "text": "x"}}}}', 3, '{cause}'"""
        f" FROM generate_series(1, {count}) n RETURNING id"
    )
    return [f"dead_{number}" for (number,) in found]


def counted(clean: Services, what: str) -> Any:
    return clean.superuser(f"SELECT count(*) FROM {what}")[0][0]


def test_letters_are_listed_in_parts_counted_by_cause_and_shown_without_secrets(
    manager: Caller, acme: House, clean: Services
) -> None:
    old, other = give_up(clean, acme, 3), give_up(clean, acme, 1, "Forbidden")
    first = manager.get(f"{PLACE}?limit=3").body
    rest = manager.get(first["next"].removeprefix("/api")).body
    assert [one["id"] for one in first["items"] + rest["items"]] == [*other, *reversed(old)]
    assert rest["next"] is None
    groups = manager.get(f"{PLACE}/groups?bot=bot_{acme.bot.id}").body["items"]
    assert [(one["fingerprint"], one["count"], one["reason"]) for one in groups] == [
        ("Forbidden", 1, "why 1"), ("KeyError at shop.py:12", 3, "why 3"),
    ]  # fmt: skip
    assert [one["id"] for one in manager.get(f"{PLACE}?fingerprint=Forbidden").body["items"]] == other
    assert manager.get(f"{PLACE}?reason=HY%202").body["items"][0]["id"] == old[1]
    shown = manager.get(f"{PLACE}/{old[0]}").body
    assert shown["request"]["method"] == "sendMessage"
    assert "AAHdqTcv" not in shown["detail"]
    assert manager.get(f"{PLACE}?bot=bot_999").status == 404


def test_few_are_replayed_and_discarded_at_once(manager: Caller, acme: House, clean: Services) -> None:
    ids, chosen = give_up(clean, acme, 3), {"botId": f"bot_{acme.bot.id}"}
    preview = manager.post(f"{PLACE}/replay?dryRun=true", chosen)
    assert (preview.status, preview.body["count"], counted(clean, "outbox")) == (200, 3, 0)
    done = manager.post(f"{PLACE}/replay", {"ids": ids[:2]})
    assert (done.status, done.body["outcomes"]) == (200, {"replayed": 2})
    assert manager.post(f"{PLACE}/replay", {"ids": ids}).body["outcomes"] == {"already": 2, "replayed": 1}
    assert counted(clean, "outbox") == 3
    fresh = give_up(clean, acme, 2)
    assert manager.post(f"{PLACE}/discard", {"ids": fresh[:1]}).body["outcomes"] == {"discarded": 1}
    assert manager.post(f"{PLACE}/discard", chosen).body["outcomes"] == {"discarded": 1}
    assert counted(clean, "dead_letters WHERE replayed_at IS NULL") == 0
    actors = clean.superuser("SELECT DISTINCT actor LIKE 'person:%' FROM events WHERE type LIKE 'dead_letter%'")
    assert actors == [(True,)]


def test_many_are_replayed_by_an_operation_that_takes_none_that_came_later(
    manager: Caller, acme: House, clean: Services
) -> None:
    give_up(clean, acme, 101)
    give_up(clean, acme, 1, "Forbidden")
    chosen = {"botId": f"bot_{acme.bot.id}", "fingerprint": "KeyError at shop.py:12"}
    begun = manager.post(f"{PLACE}/replay", chosen)
    assert (begun.status, begun.body["count"]) == (202, 101)
    give_up(clean, acme, 1)
    number = begun.body["operationId"]
    run(int(number.removeprefix("op_")), RUNNERS)
    done = manager.get(f"/v1/operations/{number}").body
    assert (done["state"], done["done"], done["total"], done["result"]) == ("done", 101, 101, {"replayed": 101})
    assert counted(clean, "outbox") == 101
    assert counted(clean, "dead_letters WHERE replayed_at IS NULL") == 2


def test_those_that_cannot_be_replayed_keep_no_other_from_it(
    acme: House, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    give_up(clean, acme, 3)
    wanted = {"fingerprint": None, "what": None, "last": 10**9}
    number = begin(Wanted(letters.REPLAY, acme.id, acme.bot.id, wanted, total=3))
    clean.superuser("UPDATE bots SET removal_began = now()")
    for _ in range(2):
        assert run(number, RUNNERS), "one a slice"
    clean.superuser("UPDATE bots SET removal_began = NULL")
    assert [run(number, RUNNERS), run(number, RUNNERS)] == [True, False]
    ended = clean.superuser("SELECT state, done, result FROM operations")
    assert ended == [("done", 3, {"gone": 2, "replayed": 1})]


def test_many_are_discarded_by_an_operation(manager: Caller, acme: House, clean: Services) -> None:
    give_up(clean, acme, 150)
    begun = manager.post(f"{PLACE}/discard", {"botId": f"bot_{acme.bot.id}"})
    run(int(begun.body["operationId"].removeprefix("op_")), RUNNERS)
    done = manager.get(f"/v1/operations/{begun.body['operationId']}").body
    assert (done["state"], done["result"], counted(clean, "dead_letters")) == ("done", {"discarded": 150}, 0)


def test_a_discard_whose_answer_was_lost_is_answered_again_and_takes_none_that_came_later(
    manager: Caller, acme: House, clean: Services
) -> None:
    give_up(clean, acme, 2)

    def ask() -> Answer:
        chosen = {"botId": f"bot_{acme.bot.id}"}
        return manager.ask("POST", f"{PLACE}/discard", chosen, {"Idempotency-Key": "same"})

    first = ask()
    give_up(clean, acme, 1)
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    assert ask().body == first.body
    assert (first.body["outcomes"], counted(clean, "dead_letters")) == ({"discarded": 2}, 1)


def test_a_letter_is_a_message_to_an_api_key(web: TestClient, acme: House, clean: Services) -> None:
    (letter,) = give_up(clean, acme)
    made = new_token(TokenWanted("key", "acme", Role.OWNER))
    for scopes, status in ((["bots:read"], 403), (["bots:read", "messages:read"], 200)):
        with get_sessions("system").begin() as session:
            session.get_one(AccessToken, made.id).scopes = scopes
        assert Caller(web, made.token).get(f"{PLACE}/{letter}").status == status


def test_letters_are_out_of_reach_of_others(web: TestClient, acme: House, clean: Services, root: Caller) -> None:
    other = house("other", TELEGRAM_ID + 1)
    mine, theirs = give_up(clean, acme), give_up(clean, other)
    stranger = Caller(web, other.tokens[Role.OWNER])
    assert [one["id"] for one in stranger.get(PLACE).body["items"]] == theirs
    assert len(stranger.get(f"{PLACE}/groups").body["items"]) == 1
    assert stranger.get(f"{PLACE}/{mine[0]}").status == 404
    for act in ("replay", "discard"):
        assert stranger.post(f"{PLACE}/{act}", {"ids": mine + theirs}).status == 404
        assert stranger.post(f"{PLACE}/{act}", {"botId": f"bot_{acme.bot.id}"}).status == 404
        assert stranger.post(f"{PLACE}/{act}", {}).status == 422
    assert counted(clean, "dead_letters WHERE replayed_at IS NULL") == 2
    assert [one["id"] for one in root.get(PLACE).body["items"]] == theirs + mine
    assert root.get(f"{PLACE}/{mine[0]}").status == 200


def test_a_role_may_as_much_as_it_says(web: TestClient, acme: House, clean: Services) -> None:
    ids = give_up(clean, acme)
    viewer, operator = Caller(web, acme.tokens[Role.VIEWER]), Caller(web, acme.tokens[Role.OPERATOR])
    assert viewer.get(PLACE).status == 200
    assert [viewer.get(f"{PLACE}/{ids[0]}").status, operator.get(f"{PLACE}/{ids[0]}").status] == [403, 200]
    assert viewer.post(f"{PLACE}/replay", {"ids": ids}).status == 403
    assert operator.post(f"{PLACE}/discard", {"ids": ids}).status == 403
    nobody = Caller(web, new_token(TokenWanted("lonely", "acme", Role.VIEWER)).token)
    assert nobody.post(f"{PLACE}/replay?dryRun=true", {"ids": ids}).status == 403
