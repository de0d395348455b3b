"""A tiny Bot API on the loopback that answers as it is told, and remembers what it was asked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

Responder = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass
class Call:
    method: str
    params: dict[str, Any]
    token: str
    files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    """Name, type and content of what was uploaded, by field."""


@dataclass
class FakeApi:
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    script: list[Responder] = field(default_factory=list)
    """What answers the next calls; afterwards everything succeeds."""
    refusing: dict[int, Responder] = field(default_factory=dict)
    """What answers every call for a chat."""
    last_id: int = 1000

    @property
    def texts(self) -> list[str]:
        return [call.params["text"] for call in self.calls if "text" in call.params]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        params, files = await read_params(request)
        call = Call(request.match_info["method"], params, request.match_info["token"], files)
        self.calls.append(call)
        responder = self.refusing.get(params.get("chat_id", 0)) or (self.script.pop(0) if self.script else None)
        if responder is not None:
            return await responder(request, params)
        return self.sent(params, call.method)

    def sent(self, params: dict[str, Any], method: str = "") -> web.Response:
        kinds = [method.removeprefix("send").lower()]
        if method == "sendMediaGroup":
            kinds = [item["type"] for item in params["media"]]
        messages = [self._message(params, kind) for kind in kinds]
        return web.json_response({"ok": True, "result": messages if method == "sendMediaGroup" else messages[0]})

    def _message(self, params: dict[str, Any], kind: str) -> dict[str, Any]:
        self.last_id += 1
        file = {"file_id": f"id-{self.last_id}"}
        return {
            "message_id": self.last_id,
            "date": 1,
            "chat": {"id": params.get("chat_id", 0), "type": "private"},
            kind: _CONTENT.get(kind) or ([{"file_id": f"small-{self.last_id}"}, file] if kind == "photo" else file),
        }


_CONTENT = {
    "dice": {"emoji": "🎲", "value": 3},
    "poll": {
        "id": "9", "question": "q", "options": [], "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
        "type": "regular", "allows_multiple_answers": False, "allows_revoting": False, "members_only": False,
    },
}  # fmt: skip


async def read_params(request: web.Request) -> tuple[dict[str, Any], dict[str, tuple[str, str, bytes]]]:
    """The parameters of a call and the files of its form; a form's numbers and lists are read as JSON."""
    params: dict[str, Any] = {}
    files: dict[str, tuple[str, str, bytes]] = {}
    if request.content_type != "multipart/form-data":
        body = await request.read()
        return (json.loads(body) if body and request.content_type == "application/json" else {}), files
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        assert part.name
        content = bytes(await part.read())
        if part.filename is not None:
            files[part.name] = (part.filename, part.headers["Content-Type"], content)
        else:
            text = content.decode()
            params[part.name] = json.loads(text) if re.match(r"-?\d+$|[\[{]", text) else text
    return params, files


def error(status: int, description: str, **parameters: Any) -> Responder:
    async def respond(_: web.Request, __: dict[str, Any]) -> web.Response:
        body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
        if parameters:
            body["parameters"] = parameters
        return web.json_response(body, status=status)

    return respond


def raw(status: int, body: bytes, content_type: str = "text/html") -> Responder:
    async def respond(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.Response(status=status, body=body, content_type=content_type)

    return respond


def echo(status: int) -> Responder:
    """An error page that repeats the address it was asked for, as many proxies and frameworks do."""

    async def respond(request: web.Request, _: dict[str, Any]) -> web.Response:
        return web.Response(status=status, text=f"<html>Cannot POST {request.path}</html>", content_type="text/html")

    return respond


async def cut(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    """The connection breaks before an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    """The connection breaks in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"ok": tr')
    assert request.transport is not None
    request.transport.abort()
    return response


async def around(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    """A redirection to where the call came to."""
    return web.Response(status=302, headers={"Location": str(request.rel_url)})


async def silence(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
    """No answer in time."""
    await asyncio.sleep(30)
    return web.Response()


@asynccontextmanager
async def fake_api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    application = web.Application(client_max_size=100_000_000)
    application.router.add_route("*", "/bot{token}/{method}", api.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()
