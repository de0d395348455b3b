"""What a body may be like: how deep, how slow, of which type."""

import asyncio
import json
import time
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient
from starlette.types import Message

from botyard.web.api.application import Api
from botyard.web.api.bodies import Bodies, deeper
from botyard.web.api.problems import explain_errors
from tests.integration.api.callers import Caller


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize(
    ("body", "too_deep"),
    [
        (nested(32), False),
        (nested(33), True),
        (nested(32, '{"a":', "}").replace(b":}", b":1}"), False),
        (nested(33, '{"a":', "}").replace(b":}", b":1}"), True),
        (b"[" * 1_000_000, True),
        (json.dumps(["[" * 1000, "{" * 1000, '"]' * 500, "\\", {}] * 40).encode(), False),
        (json.dumps([[]] * 100_000).encode(), False),
        (json.dumps([[[{"\\": '\\"[[['}]]] * 1000).encode(), False),
        (b'["' + b"\\\\" * 50 + b'",' + b"[" * 40 + b"]" * 41, True),
        (b"{[}" * 11, False),
    ],
    ids=range(10),
)
def test_depth_is_told_from_brackets_outside_of_strings(body: bytes, *, too_deep: bool) -> None:
    assert deeper(body) is too_deep


def test_a_mebibyte_of_brackets_is_judged_in_a_moment() -> None:
    for body in (b"[" * 2**20, b"[]," * (2**20 // 3), b'"[' * 2**19, nested(2**19), b"{}" * 2**19):
        began = time.process_time()
        deeper(body)
        assert time.process_time() - began < 1


def test_a_body_that_is_nested_too_deep_is_a_problem_and_no_bug(root: Caller) -> None:
    headers = {"Authorization": f"Bearer {root.token}", "Content-Type": "application/json"}
    for depth in (33, 100_000):
        answer = root.web.post("/api/customers", content=nested(depth), headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert "nested" in answer.json()["detail"]


def application(seconds: float) -> FastAPI:
    app = Api(openapi_url=None)
    explain_errors(app)
    app.add_middleware(Bodies, seconds=seconds)

    @app.post("/taken")
    async def taken(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    return app


async def answered(app: FastAPI, kind: str, chunks: list[tuple[float, bytes]]) -> tuple[int, dict[str, Any]]:
    """What an application answers to a body whose chunks come after these pauses; then nothing more comes."""
    headers = [(b"content-type", kind.encode())]
    scope = {"type": "http", "method": "POST", "path": "/taken", "raw_path": b"/taken", "query_string": b"",
             "headers": headers, "scheme": "http", "server": ("h", 80), "client": None, "root_path": ""}  # fmt: skip
    coming = iter(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        pause, chunk = next(coming, (3600.0, b""))
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_json_that_does_not_come_to_an_end_in_time_is_refused() -> None:
    app = application(0.3)
    assert await answered(app, "application/json", [(0, b"[1"), (0, b"]"), (0, b"")]) == (200, {"bytes": 3})
    status, said = await answered(app, "application/json", [(0, b"[1")])
    assert (status, said["status"]) == (408, 408)
    # Drop by drop is no better.
    status, _ = await answered(app, "application/json", [(0.05, b" ")] * 1000)
    assert status == 408


async def test_a_file_may_take_its_time_as_long_as_it_keeps_coming() -> None:
    app = application(0.3)
    chunk = b"x" * 16_384
    assert await answered(app, "image/png", [*[(0.05, chunk)] * 10, (0, b"")]) == (200, {"bytes": 163_840})
    status, _ = await answered(app, "image/png", [(0.05, b"x")] * 1000)
    assert status == 408


def test_a_stranger_is_refused_before_anything_is_read(web: TestClient) -> None:
    assert web.post("/api/customers", content=nested(1000)).status_code == 401


def test_what_no_path_fits_is_a_problem_too_and_a_path_names_all_its_methods(root: Caller) -> None:
    answer = root.web.get("/api/v1/bots/%0A")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert root.ask("OPTIONS", "/v1/keys").headers["allow"] == "GET, POST"
    assert root.ask("OPTIONS", "/v1/dead-letters/replay").headers["allow"] == "POST"


def test_only_json_is_taken_where_json_is_meant(root: Caller) -> None:
    headers = {"Authorization": f"Bearer {root.token}", "Content-Type": "text/plain"}
    answer = root.web.post("/api/customers", content=b'{"username": "acme"}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "/api/docs/problems#wrong-type")
