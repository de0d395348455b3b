"""The HTTP server: routes requests, starts and stops the simulator."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from botyard.simulator.asgi import GoneError, Receive, Scope, Send, TooLargeError, respond_json
from botyard.simulator.botapi import ABORT, BotApi
from botyard.simulator.control import Control
from botyard.simulator.downloads import send_to_bot
from botyard.simulator.simulator import Simulator
from botyard.simulator.snapshot import Keeper
from botyard.simulator.static import Static
from botyard.simulator.world import World


class App:
    """The ASGI application.

    Args:
        simulator: what requests act on.
        any_peer: let the control API answer other machines.
    """

    def __init__(self, simulator: Simulator, *, any_peer: bool = False) -> None:
        self._simulator = simulator
        self._botapi = BotApi(simulator)
        self._control = Control(simulator, any_peer=any_peer)
        self._static = Static()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path: str = scope["path"]
        try:
            if path.startswith("/bot"):
                await self._botapi(scope, receive, send)
            elif path.startswith("/file/bot"):
                await send_to_bot(self._simulator, scope, send)
            elif path.startswith("/sim/"):
                await self._control(scope, receive, send)
            elif path == "/health":
                await respond_json(send, 200, {"status": "ok"})
            elif self._static.has(path):
                await self._static(scope, send)
            else:
                await respond_json(send, 404, {"ok": False, "error_code": 404, "description": "Not Found"})
        except GoneError:
            return
        except TooLargeError:
            body = {"ok": False, "error_code": 413, "description": "Request Entity Too Large"}
            await respond_json(send, 413, body)


class _Protocol(HttpToolsProtocol):
    """HTTP with a way to break the connection, which a fault needs and ASGI does not know."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"call": self.transport.abort}}


class _Server(uvicorn.Server):
    """Uvicorn, with our own signals and order of stopping."""

    def __init__(self, config: uvicorn.Config, simulator: Simulator) -> None:
        super().__init__(config)
        self._simulator = simulator

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT without raising them again: the snapshot is yet to be written."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the doors and say so."""
        await super().startup(sockets)
        for opened in sockets or []:
            host, port = opened.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            sys.stderr.write(f"The simulator is ready at http://{shown}:{port}\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End waits first, so that no long poll holds the stop up."""
        self._simulator.stop()
        await super().shutdown(sockets)

    def _ask_to_stop(self) -> None:
        self.should_exit = True


async def serve(world: World, sockets: list[socket.socket], *, state: Path | None, any_peer: bool) -> None:
    """Run the simulator until a signal stops it.

    Args:
        world: the state to begin with.
        sockets: bound, to listen on.
        state: the snapshot's file, if the world shall be kept.
        any_peer: let the control API answer other machines.
    """
    simulator = Simulator(world)
    simulator.start()
    config = uvicorn.Config(
        App(simulator, any_peer=any_peer),
        http=_Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
        backlog=4096,
    )
    keeper = Keeper(world, state) if state else None
    keeping = asyncio.create_task(keeper.run()) if keeper else None
    try:
        await _Server(config, simulator).serve(sockets)
    finally:
        if keeper and keeping:
            keeper.stop()
            await keeping
