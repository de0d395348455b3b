"""`make dev`: what changes on the disk runs a moment later, and what cannot run is named while the old code goes on."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from watchfiles import PythonFilter, awatch

from botyard.supervisor import StartError, Step, Supervisor, run_step

ROOT: Final = Path(__file__).parents[3]
_WATCHED: Final = ("bots", "platform", "tasks", "db", "celeryconfig.py")
_WORKERS: Final = frozenset({"worker", "threads"})
_PYTHON: Final = frozenset({*_WORKERS, "web", "beat", "poller", "flower"})
# These run in the process that would have to restart itself.
_OWN: Final = ("supervisor", "embedded", "running")

Say = Callable[[str], None]


def affected(changed: Sequence[Path]) -> frozenset[str]:
    """The processes that must be restarted for these files; the names are those of the formation."""
    names: frozenset[str] = frozenset()
    for path in changed:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "bots":
            # The poller and the webhook ask for the kinds of updates that the handlers take.
            names |= _WORKERS | {"poller", "bot"}
        elif parts[:3] == ("platform", "botyard", "simulator"):
            names |= {"simulator"}
        else:
            names |= _PYTHON | ({"prepare"} if parts[0] == "db" else frozenset())
    return names


class Development:
    """Watches the code and restarts what a change touches.

    Args:
        state: the state folder.
        environment: what the processes of this run are told.
        say: takes a line for the person at the terminal.
    """

    def __init__(self, state: Path, environment: Mapping[str, str], say: Say) -> None:
        self._state = str(state)
        self._rehearsal = Step("code", [sys.executable, "-m", "botyard.running.rehearsal"], env=environment)
        self._say = say
        self._changes: asyncio.Queue[set[Path]] = asyncio.Queue()
        self._watching: asyncio.Task[None] | None = None

    async def until_it_can_start(self) -> None:
        """Return when the code can be started; until then say what is wrong, and again after each change."""
        self._watching = asyncio.create_task(self._watch())
        # What changes while the code is tried counts too: so the watch begins before.
        await asyncio.sleep(0)
        while not await self._rehearse():
            await self._changed()

    async def _watch(self) -> None:
        async for changes in awatch(*_paths(), watch_filter=PythonFilter(extra_extensions=(".lua",))):
            self._changes.put_nowait({Path(name) for _, name in changes})

    async def _changed(self) -> list[Path]:
        """Wait for a change; all files that have changed by now."""
        changed = await self._changes.get()
        while not self._changes.empty():
            changed |= self._changes.get_nowait()
        return sorted(changed)

    async def follow(self, supervisor: Supervisor, steps: Sequence[Step]) -> None:
        """Restart what changes touch, until it is cancelled.

        Args:
            supervisor: whose processes.
            steps: of the formation; those that a change touches run before the restarts.
        """
        self._say(f"Watching {', '.join(_WATCHED)} for changes.")
        while True:
            changed = await self._changed()
            self._say("Changed: " + ", ".join(str(path.relative_to(ROOT)) for path in changed))
            if await self._rehearse():
                await self._restart(supervisor, steps, changed)

    async def _restart(self, supervisor: Supervisor, steps: Sequence[Step], changed: Sequence[Path]) -> None:
        names = affected(changed)
        began = time.monotonic()
        try:
            for step in steps:
                if step.name in names:
                    await run_step(step, self._state)
            await supervisor.restart(names)
        except StartError as error:
            self._tell(error)
            return
        self._say(f"The new code runs, after {time.monotonic() - began:.1f} s.")
        if any(path.relative_to(ROOT).parts[2:3] and path.relative_to(ROOT).parts[2] in _OWN for path in changed):
            self._say("What starts the processes has changed too: for that, start `make dev` again.")

    async def _rehearse(self) -> bool:
        try:
            await run_step(self._rehearsal, self._state)
        except StartError as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: StartError) -> None:
        for line in error.lines:
            self._say(line)
        self._say("This cannot run. Mend it: the next change is tried at once, and until then nothing is restarted.")


def _paths() -> list[Path]:
    return [ROOT / name for name in _WATCHED if (ROOT / name).exists()]
