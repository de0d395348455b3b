"""Imports over the REST API: an upload, an operation, a report."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from botyard.importing import operation
from botyard.importing.operation import IMPORT_BOT
from botyard.operations.running import run
from botyard.web.front import build_app
from tasks.operations import RUNNERS
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import House, house
from tests.services import Services

PEOPLE = b'{"user_id": 11, "first_name": "Ann", "user_data": {"n": 1}}\n{"user_id": 12}\nbroken\n'


@pytest.fixture
def web(clean: Services) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the environment
    with TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def own(web: TestClient) -> House:  # noqa: ARG001 - a customer in the emptied database
    return house("one", TELEGRAM_ID)


def upload(web: TestClient, own: House, content: bytes, query: str = "", **headers: str) -> Any:
    sent = {"Content-Type": "application/octet-stream", "Idempotency-Key": "key-1", **headers}
    sent.setdefault("Authorization", f"Bearer {own.tokens[Role.MANAGER]}")
    return web.post(f"/api/v1/bots/bot_{own.bot.id}/imports{query}", content=content, headers=sent)


def worked(number: str) -> None:
    """A worker runs it, slice by slice."""
    while run(int(number.removeprefix("op_")), RUNNERS):
        pass


def shown(web: TestClient, own: House, number: str) -> Any:
    headers = {"Authorization": f"Bearer {own.tokens[Role.MANAGER]}"}
    return web.get(f"/api/v1/operations/{number}", headers=headers).json()


def test_a_file_is_uploaded_looked_at_and_imported(web: TestClient, own: House, clean: Services) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.jsonl", PEOPLE)
    for query, key, rows in (("?dryRun=true", "look", 0), ("", "do", 2)):
        begun = upload(web, own, packed.getvalue(), query, **{"Idempotency-Key": key})
        assert begun.status_code == 202, begun.text
        assert (begun.json()["kind"], begun.json()["state"]) == (IMPORT_BOT, "queued")
        worked(begun.json()["id"])
        found = shown(web, own, begun.json()["id"])
        assert (found["state"], found["done"]) == ("done", 3)
        assert found["result"]["dryRun"] is bool(query)
        assert found["result"]["counts"] == {"people": {"new": 2}, "user_data": {"new": 1}}
        assert list(found["result"]["skipped"]) == ["a line that is no JSON"]
        assert clean.superuser("SELECT count(*) FROM bot_users") == [(rows,)]


def test_an_upload_that_is_repeated_begins_one_import(web: TestClient, own: House, clean: Services) -> None:
    first, again = upload(web, own, PEOPLE), upload(web, own, PEOPLE)
    assert (first.json()["id"], again.headers["Idempotency-Replayed"]) == (again.json()["id"], "true")
    assert upload(web, own, PEOPLE + b"\n").status_code == 422
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    assert upload(web, own, PEOPLE).json()["id"] == first.json()["id"]
    assert clean.superuser("SELECT count(*) FROM operations") == [(1,)]


def test_an_import_that_was_put_off_goes_on_and_its_report_is_whole(
    web: TestClient, own: House, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botyard.operations.work.SLICE_SECONDS", 0)
    people = b"broken\n" + b"".join(b'{"user_id": %d}\n' % number for number in range(1, 1201)) + b"broken\n"
    begun = upload(web, own, b'{"user_id": 1201}\n' + people)
    number = begun.json()["id"]
    slices = 1
    while run(int(number.removeprefix("op_")), RUNNERS):
        slices += 1
    found = shown(web, own, number)
    assert (slices > 2, found["state"], found["done"]) == (True, "done", 1201)
    assert found["result"]["counts"] == {"people": {"new": 1201}}
    assert found["result"]["skipped"]["a line that is no JSON"]["count"] == 2
    assert clean.superuser("SELECT count(*) FROM bot_users") == [(1201,)]


def test_who_may_not_import_leaves_no_file_and_no_operation(web: TestClient, own: House, clean: Services) -> None:
    other = house("two", TELEGRAM_ID + 1)
    for bearer, status in (
        (own.tokens[Role.OPERATOR], 403), (other.tokens[Role.OWNER], 404), ("by_unknown", 401),
    ):  # fmt: skip
        assert upload(web, own, PEOPLE, Authorization=f"Bearer {bearer}").status_code == status
    assert upload(web, own, PEOPLE, **{"Idempotency-Key": ""}).status_code == 400
    assert upload(web, own, b"[]", **{"Content-Type": "application/json"}).status_code == 415
    assert clean.superuser("SELECT count(*) FROM operations") == [(0,)]


def test_an_upload_has_a_limit_also_if_nobody_said_how_long_it_is(
    web: TestClient, own: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botyard.web.api.v1.imports.LARGEST", 1000)
    large: Any = iter([b"{" + bytes(600), bytes(600)])
    assert upload(web, own, large).status_code == 413
    assert operation.LARGEST == 100 * 1024 * 1024


def test_more_than_a_mebibyte_is_taken(web: TestClient, own: House) -> None:
    large: Any = iter([PEOPLE, b" " * 600_000, b" " * 600_000])
    assert upload(web, own, large).status_code == 202
    declared = upload(web, own, PEOPLE + b" " * 1_200_000, **{"Idempotency-Key": "another"})
    assert declared.status_code == 202


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"PK\x03\x04" + bytes(50), "cannot be unpacked"), (b"[1", "cannot be read as JSON"), (b"\x1f\x8b", "packed")],
)
def test_a_file_that_cannot_be_read_ends_the_import_in_words(
    web: TestClient, own: House, content: bytes, says: str
) -> None:
    number = upload(web, own, content).json()["id"]
    worked(number)
    found = shown(web, own, number)
    assert found["state"] == "failed"
    assert says in found["error"]


def test_memory_is_written_for_the_bot_that_the_path_names_only(web: TestClient, own: House, clean: Services) -> None:
    lines = [
        {"user_id": 11, "bot_id": 99, "customer_id": 99},
        {"scope": "user", "key": "11", "state": {"data": {"n": 1}}, "bot_id": 99},
    ]
    worked(upload(web, own, b"\n".join(json.dumps(line).encode() for line in lines)).json()["id"])
    for table in ("bot_users", "conversations"):
        rows = clean.superuser(f"SELECT bot_id, customer_id FROM {table}")  # noqa: S608
        assert rows == [(own.bot.id, own.id)]
