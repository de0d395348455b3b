"""A simulator in a process of its own, and what tests need around it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from botyard.embedded import free_port
from botyard.simulator.__main__ import main
from tests.forks import FORKS

TOKEN = "4200000001:AAAA"
BOT = 4200000001
DEADLINE = 15.0


class Process:
    """A simulator on a port of its own, forked from a process that has loaded it already."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = ["--port", str(self.port), *options]

    def wait_until_ready(self) -> Self:
        reading, writing = FORKS.Pipe(duplex=False)
        self._forked = FORKS.Process(target=_simulate, args=(self.options, writing))
        self._forked.start()
        writing.close()
        with reading, os.fdopen(os.dup(reading.fileno())) as said:
            line = said.readline()
            assert "ready" in line, line + said.read()
        return self

    def stop(self) -> float:
        """Stop, and return the seconds it took."""
        began = time.monotonic()
        self._forked.terminate()
        self._forked.join(DEADLINE)
        assert self._forked.exitcode == 0
        return time.monotonic() - began


def _simulate(options: list[str], told: Connection) -> None:
    os.dup2(told.fileno(), sys.stderr.fileno())
    told.close()
    sys.exit(main(options))


class Alone(Process):
    """``python -m botyard.simulator``: a process as people start it."""

    module = "botyard.simulator"

    def __init__(self, *options: str, port: int = 0) -> None:
        super().__init__(*options, port=port)
        command = [sys.executable, "-m", self.module, *self.options]
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def wait_until_ready(self) -> Self:
        assert self.child.stderr
        line = self.child.stderr.readline()
        assert "ready" in line, line + self.child.stderr.read()
        return self

    def stop(self) -> float:
        began = time.monotonic()
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            assert self.child.wait(DEADLINE) == 0
        if self.child.stderr:
            self.child.stderr.close()
        return time.monotonic() - began


class Client:
    """Talks to a simulator's Bot API and control API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **query: Any) -> Any:
        async with self.session.get(self.url + path, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        async with self.session.post(self.url + path, json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def call(self, name: str, **params: Any) -> Any:
        async with self.session.post(f"{self.url}/bot{TOKEN}/{name}", json=params) as response:
            return await response.json()

    async def events(self, kind: str) -> list[dict[str, Any]]:
        page = await self.get("/sim/history", limit=10_000)
        return [event for event in page["events"] if event["kind"] == kind]

    async def prepare(self) -> int:
        """Create a bot and a person; return the person's id."""
        await self.post("/sim/bots", token=TOKEN, username="demo_bot", name="Demo")
        person = await self.post("/sim/people", first_name="Ann")
        return int(person["id"])

    async def write(self, person_id: int, text: str = "hello") -> int:
        sent = await self.post("/sim/send", bot_id=BOT, person_id=person_id, text=text)
        return int(sent["update_id"])


class Hook:
    """A webhook that answers as it is told and remembers what came when."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.updates: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, Any]], web.Response | Awaitable[web.Response]] = lambda _: web.Response()
        self.running = 0
        self.most_running = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        self.updates.append(update)
        self.times.append(time.monotonic())
        self.headers.append(dict(request.headers))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            answer = self.answer(update)
            return answer if isinstance(answer, web.Response) else await answer
        finally:
            self.running -= 1

    @property
    def ids(self) -> list[int]:
        return [update["update_id"] for update in self.updates]


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something holds, and fail when it does not in time."""
    async with asyncio.timeout(DEADLINE):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.01)


def state_option(path: Path) -> tuple[str, str]:
    return "--state", str(path)
