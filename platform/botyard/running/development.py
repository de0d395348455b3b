"""`make dev`: what changes on the disk runs a moment later, and what cannot run is named while the old code goes on."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from watchfiles import Change, PythonFilter, awatch

from botyard.supervisor import StartError, Step, Supervisor, run_step

ROOT: Final = Path(__file__).parents[3]
_FOLDERS: Final = ("bots", "platform", "tasks", "db")
_FILE: Final = "celeryconfig.py"
_WORKERS: Final = frozenset({"worker", "threads"})
_PYTHON: Final = frozenset({*_WORKERS, "web", "beat", "poller", "flower"})
# These run in the process that would have to restart itself.
_OWN: Final = ("supervisor", "embedded", "running")

Say = Callable[[str], None]


def code_of(kind: str) -> Path | None:
    """The file or the folder in which a kind's code stands; nothing if it cannot be found without running code.

    Args:
        kind: an installed one, or ``package.module:function``.
    """
    module = kind.partition(":")[0] if ":" in kind else "".join(one.module for one in _installed(kind))
    # As the workers look for it: in the working directory first.
    spec = PathFinder.find_spec(module.partition(".")[0], [str(Path.cwd()), *sys.path]) if module else None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).absolute()
    return Path(spec.origin).absolute() if spec.origin else None


def _installed(kind: str) -> Sequence[EntryPoint]:
    return list(entry_points(group="botyard.bots", name=kind))[:1]


def affected(changed: Sequence[Path], own: Path | None = None) -> frozenset[str]:
    """The processes that must be restarted for these files; the names are those of the formation.

    Args:
        changed: the files.
        own: where the code of a bot stands beside that in ``bots``.
    """
    names: frozenset[str] = frozenset()
    for path in changed:
        parts = _parts(path)
        if parts[0] == "bots" or (own is not None and path.is_relative_to(own)):
            # The poller and the webhook ask for the kinds of updates that the handlers take.
            names |= _WORKERS | {"poller", "bot"}
        elif parts[:3] == ("platform", "botyard", "simulator"):
            names |= {"simulator"}
        else:
            names |= _PYTHON | ({"prepare"} if parts[0] == "db" else frozenset())
    return names


def _parts(path: Path) -> tuple[str, ...]:
    """A path as it is called from the root of the code; one that lies elsewhere in full."""
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).parts


class Development:
    """Watches the code and restarts what a change touches.

    Args:
        state: the state folder.
        environment: what the processes of this run are told.
        kind: of a bot whose code may stand elsewhere; none: there is no such bot.
        say: takes a line for the person at the terminal.
    """

    def __init__(self, state: Path, environment: Mapping[str, str], kind: str | None, say: Say) -> None:
        self._state = str(state)
        self._kind = kind
        self._own = code_of(kind) if kind is not None else None
        self._rehearsal = Step("code", [sys.executable, "-m", "botyard.running.rehearsal"], env=environment)
        self._say = say
        self._changes: asyncio.Queue[set[Path]] = asyncio.Queue()
        self._watching: list[asyncio.Task[None]] = []

    async def until_it_can_start(self) -> None:
        """Return when the code can be started; until then say what is wrong, and again after each change."""
        # What changes while the code is tried counts too: so the watch begins before.
        await self.watch()
        while not await self._rehearse():
            await self.changed()

    async def watch(self) -> None:
        """Notice every change from now on."""
        folders, files = _watched(self._own)
        # A file that an editor replaces is another one afterwards: its folder stays.
        parents = sorted({file.parent for file in files})
        python, only = PythonFilter(extra_extensions=(".lua",)), _Only(frozenset(map(str, files)))
        for paths, wanted, deep in ((folders, python, True), (parents, only, False)):
            if paths:
                self._watching.append(asyncio.create_task(self._watch(paths, wanted, deep=deep)))
        await asyncio.sleep(0)

    async def _watch(self, paths: Sequence[Path], wanted: Callable[[Change, str], bool], *, deep: bool) -> None:
        async for changes in awatch(*paths, watch_filter=wanted, recursive=deep):
            self._changes.put_nowait({Path(name) for _, name in changes})

    async def changed(self) -> list[Path]:
        """Wait for a change; all files that have changed by now."""
        changed = await self._changes.get()
        while not self._changes.empty():
            changed |= self._changes.get_nowait()
        return sorted(changed)

    def greeting(self) -> list[str]:
        """What is watched, and what is not."""
        watched = [str(Path(*_parts(path))) for path in (*_watched(self._own)[0], *_watched(self._own)[1])]
        lines = [f"Watching {', '.join(watched)} for changes."]
        if self._kind is not None and self._own is None:
            lines.append(f"The code of {self._kind} was not found: after a change of it, start `make dev` again.")
        return lines

    async def follow(self, supervisor: Supervisor, steps: Sequence[Step]) -> None:
        """Restart what changes touch, until it is cancelled.

        Args:
            supervisor: whose processes.
            steps: of the formation; those that a change touches run before the restarts.
        """
        for line in self.greeting():
            self._say(line)
        while True:
            changed = await self.changed()
            self._say("Changed: " + ", ".join(str(Path(*_parts(path))) for path in changed))
            if await self._rehearse():
                await self._restart(supervisor, steps, changed)

    async def _restart(self, supervisor: Supervisor, steps: Sequence[Step], changed: Sequence[Path]) -> None:
        names = affected(changed, self._own)
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
        if any(_parts(path)[:2] == ("platform", "botyard") and _parts(path)[2] in _OWN for path in changed):
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


class _Only:
    """Takes the changes of these files."""

    def __init__(self, files: frozenset[str]) -> None:
        self._files = files

    def __call__(self, change: Change, path: str) -> bool:
        return change != Change.deleted and path in self._files


def _watched(own: Path | None) -> tuple[list[Path], list[Path]]:
    """The folders to watch with everything in them, and the single files."""
    folders = [ROOT / name for name in _FOLDERS if (ROOT / name).exists()]
    files = [ROOT / _FILE] if (ROOT / _FILE).exists() else []
    if own is not None and not any(own.is_relative_to(folder) for folder in folders):
        (folders if own.is_dir() else files).append(own)
    return folders, files
