"""Failpoints: steps of the system at which a test lets a process die, stand still or fail. Only tests install them.

A point is armed by a file of its name; whichever process comes there first takes the file away, and what stood in it
happens. So a point strikes exactly as often as it was armed, whatever number of processes there are.
"""

import functools
import inspect
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from botyard.delivery.calls import ApiClient
from botyard.delivery.outbox import Outbox
from botyard.mailbox.inbound import Mailboxes
from botyard.processing import store
from botyard.schedules import planning
from botyard.telegram.application import YardApplication

STEPS: Final[dict[str, tuple[Any, str]]] = {
    "accept": (Mailboxes, "accept"),
    "take": (Mailboxes, "take"),
    "load": (store, "load"),
    "handle": (YardApplication, "run"),
    "commit": (store, "commit"),
    "done": (Mailboxes, "done"),
    "send_take": (Mailboxes, "send_take"),
    "record": (Outbox, "record_and_claim"),
    "call": (ApiClient, "call"),
    "plan": (planning, "_planned"),
}
"""Each is a point before and one after: ``commit.before``, ``commit.after``."""


class Struck(Exception):
    """An armed point was to fail."""


class Points:
    """The failpoints of one folder.

    Args:
        folder: where they are armed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, action: str = "kill") -> None:
        """Let the next process that comes there ``kill`` itself, ``stop``, ``fail``, or wait for some ``seconds``."""
        step, _, when = point.partition(".")
        if step not in STEPS or when not in ("before", "after"):
            raise ValueError(f"there is no point {point!r}")
        draft = self._folder / f".{point}"
        draft.write_text(action)
        draft.rename(self._folder / point)

    def is_armed(self, point: str) -> bool:
        """Nobody has come there yet."""
        return (self._folder / point).exists()

    def disarm(self) -> None:
        """Nothing happens any more."""
        for armed in self._folder.iterdir():
            armed.unlink(missing_ok=True)

    def strike(self, point: str) -> None:
        """Do what the point is armed with, once."""
        armed = self._folder / point
        if not armed.exists():
            return
        taken = self._folder / f".{point}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            armed.rename(taken)
        except FileNotFoundError:
            return
        action = taken.read_text()
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif action == "fail":
            raise Struck(point)
        else:
            time.sleep(float(action))

    def install(self) -> None:
        """Make this process stop at every point."""
        for step, (owner, name) in STEPS.items():
            setattr(owner, name, self._wrapped(step, getattr(owner, name)))

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*args: Any, **kwargs: Any) -> Any:
                self.strike(f"{step}.before")
                answer = await function(*args, **kwargs)
                self.strike(f"{step}.after")
                return answer

            return asynchronous

        @functools.wraps(function)
        def synchronous(*args: Any, **kwargs: Any) -> Any:
            self.strike(f"{step}.before")
            answer = function(*args, **kwargs)
            self.strike(f"{step}.after")
            return answer

        return synchronous
