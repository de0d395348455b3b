"""A TCP proxy that misbehaves as networks do: late, cut, half-open, closed. It stands before a server of a test."""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(slots=True)
class Weather:
    """How the network is.

    Args:
        delay: seconds that each piece of data is late, in each direction.
        silent: what is sent arrives nowhere, and nobody is told (a half-open connection).
        closed: nobody is let in.
    """

    delay: float = 0.0
    silent: bool = False
    closed: bool = False


class Proxy:
    """Takes connections on a port of its own and hands them on.

    Args:
        port: of the server behind it, on this machine.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self.port = 0
        self.weather = Weather()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy to {port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Break all connections now, with a reset; new ones are let in."""
        self._loop.call_soon_threadsafe(self._reset)

    @property
    def connections(self) -> int:
        """How many are open, on the side of whoever came."""
        return len(self._open) // 2

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        self._reset()
        pending = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if pending:
            await asyncio.wait(pending, timeout=5)

    def _reset(self) -> None:
        for writer in self._open:
            _reset(writer)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.closed:
            _reset(writer)
            return
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, forth}
        try:
            await asyncio.gather(self._carry(reader, forth), self._carry(back, writer))
        finally:
            for one in (writer, forth):
                self._open.discard(one)
                _reset(one)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.weather.delay:
                    await asyncio.sleep(self.weather.delay)
                if self.weather.silent:
                    continue
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a machine does that has forgotten it."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
