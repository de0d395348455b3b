"""The examples of docs/api.md, sent to the web process: they are taken, and answered as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from botyard.web.front import build_app
from tests.api_contract.write import DOCS
from tests.integration.api.callers import Caller
from tests.security.planted_world import World, plant
from tests.services import Services

PAGE: Final = (DOCS / "api.md").read_text(encoding="utf-8")
_BLOCK: Final = re.compile(
    r"(?:^`(?P<line>[A-Z]+ /\S+)`\n\n)?^```(?P<kind>sh|json)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
_HOST: Final = re.compile(r"https?://[^/]+/api")


@dataclass(frozen=True)
class Example:
    """A request of the page, and the fields of the answer that stands beneath it."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    answers: list[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_whole(self) -> bool:
        """Whether nothing in it stands for something else, as `…` for the rest of a token."""
        return "…" not in (self.body or "")


def blocks() -> list[re.Match[str]]:
    return list(_BLOCK.finditer(PAGE))


def examples() -> Iterator[Example]:
    found = blocks()
    for number, block in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        near = following is not None and "\n#" not in PAGE[block.end() : following.start()]
        shown = _fields(following) if following is not None and near and not following["line"] else []
        if block["kind"] == "sh":
            for command in re.split(r"\n(?=curl|\w+=)", block["text"]):
                if command.startswith("curl"):
                    yield _of_curl(command, shown)
        elif block["line"]:
            method, path = block["line"].split()
            body = block["text"] if method in {"POST", "PUT", "PATCH"} else None
            yield Example(method, path.removeprefix("/api"), {}, body, shown if body else _fields(block))


def _fields(block: re.Match[str]) -> list[str]:
    if block["kind"] != "json":
        return []
    shown = json.loads(block["text"])
    return [name for name in shown if name != "…"] if isinstance(shown, dict) else []


def _of_curl(command: str, answers: list[str]) -> Example:
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, path, body, headers = "", "", None, {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word in {"-H", "--header"}:
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in {"-d", "--data-binary"}:
            body = next(words)
        elif not word.startswith("-"):
            path = _HOST.sub("", word)
    return Example(method or ("POST" if body else "GET"), path, headers, body, answers)


@pytest.fixture(scope="module")
def world(services: Services) -> World:
    return plant(services)


@pytest.fixture(scope="module")
def web(world: World) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the database
    with TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


def test_there_are_examples() -> None:
    assert {"GET /v1/bots", "POST /v1/bots", "POST /customers"} <= {str(one) for one in examples()}


def test_everything_that_is_json_is_json() -> None:
    for block in blocks():
        if block["kind"] == "json":
            json.loads(block["text"])


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_an_example_is_taken_and_answered_as_the_page_says(world: World, web: TestClient, example: Example) -> None:
    own = world.own
    text = f"{example.path}\n{example.body or ''}".replace("bot_31", f"bot_{own.house.bot.id}")
    path, _, body = text.replace("cus_12", f"cus_{own.house.id}").partition("\n")
    of_installation = path == "/customers" or "sync" in path
    token = world.root if of_installation else own.house.tokens[Role.OWNER]
    headers = {**example.headers, "Authorization": f"Bearer {token}"}
    if path.startswith("/v1/"):
        answer = web.request(example.method, f"/api{path}", content=body.encode(), headers=headers)
        status, said = answer.status_code, answer.json()
    else:
        asked = Caller(web, token).ask(example.method, path, json.loads(body) if body else None)
        status, said = asked.status, asked.body
    world.restore()
    if example.is_whole:
        assert status < 300, said
        assert set(example.answers) <= said.keys(), said
    else:
        assert status in {422, 503}, said
        assert refused_for_its_token(said), said


def refused_for_its_token(said: Any) -> bool:
    """What stands for a token is no token, and all else is right."""
    return [one["field"] for one in said.get("errors", [])] in (["token"], ["botToken"])
