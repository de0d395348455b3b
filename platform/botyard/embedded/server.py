"""What our own servers share: waiting until they answer."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import ClassVar

from botyard.embedded.ports import LOOPBACK
from botyard.errors import TransientError

_POLL_SECONDS = 0.05


class LocalServer(ABC):
    """A server on the loopback, started as a direct child."""

    name: ClassVar[str]
    port: int

    @abstractmethod
    def command(self) -> list[str]:
        """The command line of the server, which stays in the foreground; no secret is in it."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What the server needs in its environment beside what is there."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers now; waits 2 seconds at most."""

    async def ready(self) -> bool:
        """`is_ready` for an event loop, which it does not hold up."""
        return await asyncio.to_thread(self.is_ready)

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until it answers.

        Raises:
            InputError: something that is not ours answers there.
            TransientError: it did not answer in time.
        """
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() >= deadline:
                raise TransientError(f"{self.name} does not answer on {LOOPBACK}:{self.port}.")
            time.sleep(_POLL_SECONDS)
