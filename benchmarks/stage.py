"""What all rows of ``make bench`` share: the system with its bots, a Bot API as a process, and the peers."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvloop

from benchmarks import peers
from benchmarks.botapi import Connection
from benchmarks.chats import Chats
from benchmarks.machine import REST, SUBJECT, cpu_seconds, running
from benchmarks.rounds import Sample
from benchmarks.subject import Shape, Subject
from botyard.embedded import free_port

USUAL: Final = Shape(bots=10_000)
Bots = contextlib.AbstractContextManager[list[int]]
Work = Callable[[Chats], Awaitable[float]]


class Stage:
    """Everything that is measured, and what it needs.

    Args:
        folder: where it keeps what it writes.
        seconds: how long one run takes.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.seconds = seconds
        self._folder = folder
        self._ending = contextlib.ExitStack()
        self._subjects: dict[Shape, Subject] = {}
        self.api_port = free_port()
        """Where the Bot API of the system is: in this process, while a case asks for it."""
        self.peer_api_port = free_port()
        """Where that of those is who only call it: a process of its own."""

    def __enter__(self) -> Self:
        peers.prepare()
        command = [sys.executable, "-m", "benchmarks.botapi", str(self.peer_api_port)]
        self._ending.enter_context(running(command, core=REST, port=self.peer_api_port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def subject(self, shape: Shape = USUAL) -> Subject:
        """The system, started when it is first asked for."""
        if shape not in self._subjects:
            made = Subject(self._folder / f"yard{len(self._subjects)}", f"http://127.0.0.1:{self.api_port}", shape)
            with self.alone():
                self._subjects[shape] = self._ending.enter_context(made)
        return self._subjects[shape]

    @property
    def redis_url(self) -> str:
        """The system's own Redis, which peers that need one use, too."""
        return self.subject().yard.environment["REDIS_URL"]

    @contextlib.contextmanager
    def alone(self, but: Subject | None = None) -> Iterator[None]:
        """Everything else of ours stands still: one system, or a peer, has the core to itself."""
        with contextlib.ExitStack() as still:
            for subject in self._subjects.values():
                if subject is not but:
                    still.enter_context(subject.resting())
            yield

    @contextlib.contextmanager
    def peer_bot(self, name: str, port: int, api_port: int) -> Iterator[list[int]]:
        """The process of a peer's bot, once it listens; those that poll do not."""
        command = peers.command("answering", name, str(port), f"http://127.0.0.1:{api_port}")
        with self.alone(), running(command, port=0 if name.endswith("polling") else port) as process:
            yield [process.pid]

    def called(self, command: Sequence[str]) -> Sample:
        """What a process says that calls something again and again, on the core of its own."""
        told = self.subject().yard.environment
        pinned = ["taskset", "-c", str(SUBJECT), *command]
        with self.alone():
            ran = subprocess.run(pinned, capture_output=True, text=True, env=told, check=False)
        if ran.returncode:
            raise RuntimeError(ran.stderr[-500:])
        return Sample(*json.loads(ran.stdout.splitlines()[-1]))

    def chatting(self, chats: Chats, bots: Bots, work: Work) -> Sample:
        """People write by this process' own Bot API while processes answer them.

        Args:
            chats: the people.
            bots: the processes, by their ids.
            work: what the people do; returns the figure.
        """

        async def main() -> Sample:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: Connection(chats.heard), "127.0.0.1", self.api_port)
            with contextlib.ExitStack() as ending:
                ending.callback(server.close)
                pids = await asyncio.to_thread(ending.enter_context, bots)
                used = cpu_seconds(pids)
                value = await work(chats)
                return chats.sample(value, (cpu_seconds(pids) - used) / max(chats.sends, 1) * 1e3)

        return uvloop.run(main())
