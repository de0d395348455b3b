"""The settings under which rows run: each is a yard of its own, which stays up for all its rows and seeds."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.commands import botyard
from tests.e2e.conftest import FAST
from tests.faults.installing import SCALE
from tests.faults.yard import TYPES, WORKERS, FaultyYard

BOTS: Final = 50
HERE: Final = Path(__file__).parents[2]
KIND: Final = "tests.e2e.bots:slow_counter"
QUICK: Final = "tests.e2e.bots:counter"
MISBEHAVING: Final = "tests.faults.bots:misbehaving"
ALARM: Final = "tests.faults.bots:alarm"
FIRST: Final = 4_200_000_101
_SECRET: Final = "A" * 35


@dataclass(frozen=True, slots=True)
class Setting:
    """How a yard is set up.

    Args:
        name: in words.
        twins: process types that run twice.
        through: what is reached through proxies, see `FaultyYard`.
        settings: environment variables for all processes, as pairs.
        clocks: by how many seconds the clocks of single process types are wrong, as pairs.
        disk_mb: the size of a disk of its own; 0: none.
        limits: whether the simulator enforces Telegram's limits, and the yard keeps to them.
        rolling: whether all processes run the code before the last change of what they share at first.
    """

    name: str
    twins: tuple[str, ...] = ()
    through: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    clocks: tuple[tuple[str, int], ...] = ()
    disk_mb: int = 0
    limits: bool = False
    rolling: bool = False

    @contextmanager
    def start(self, folder: Path, bug: str = "") -> Iterator[tuple[FaultyYard, list[int]]]:
        """A yard with this setting, and the bots to which people write."""
        through = {name: (server, types) for name, server, types in self.through}
        settings = ({} if self.limits else FAST) | dict(self.settings)
        told = {name: _shifted(folder.with_name("clock.so"), seconds) for name, seconds in self.clocks}
        code = code_before(folder.with_name(f"{folder.name}-before")) if self.rolling else None
        with (
            _disk(folder, self.disk_mb),
            FaultyYard(
                folder, bug=bug, twins=self.twins, through=through, told=told, settings=settings, code=code
            ) as yard,
        ):
            yard.simulator.post("/sim/settings", flood=self.limits, retry_scale=0.2)
            yield yard, add_bots(yard)


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own for a folder; only root may have that."""
    if not megabytes:
        yield
        return
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def code_before(folder: Path) -> Path:
    """A checkout of the code before the last change of what processes share: tables, and scripts in Redis."""
    shared = ("db/migrations", "platform/botyard/mailbox/lua")
    changed = _git("log", "-1", "--format=%H", "--", *shared).decode().strip()
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", folder], input=_git("archive", f"{changed}~1"), check=True)
    return folder


def _git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", HERE, *words], check=True, capture_output=True).stdout


def _shifted(library: Path, seconds: int) -> dict[str, str]:
    """What a process is told whose clock is wrong."""
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        source = Path(__file__).with_name("shifted_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(seconds)}


def token(number: int) -> str:
    """The token of a bot, by its number at Telegram."""
    return f"{number}:{_SECRET}"


def add_bots(yard: FaultyYard) -> list[int]:
    """Fifty bots, every fifth of them on the queue of slow ones, and behind them the two special ones.

    The second one is quick: much is written to it.
    """
    numbers = list(range(FIRST, FIRST + BOTS))
    kinds = dict.fromkeys(numbers, KIND) | {numbers[-1] + 1: ALARM, numbers[-1] + 2: MISBEHAVING}
    kinds[numbers[1]] = QUICK
    lines = ["token,kind,queue"]
    for place, (number, kind) in enumerate(kinds.items()):
        yard.simulator.post("/sim/bots", token=token(number), username=f"b{number}_bot", name=str(number))
        lines.append(f"{token(number)},{kind},{'slow' if place % 5 == 0 else 'updates'}")
    file = yard.folder / "bots.csv"
    file.write_text("\n".join(lines) + "\n")
    added = botyard(yard.environment, "bot", "add", "--from", str(file), seconds=300)
    assert added.returncode == 0, added.stdout + added.stderr
    return numbers


PLAIN: Final = Setting("everything as it is delivered")
TWO_OF_EACH: Final = Setting("two of each worker", twins=WORKERS)
NETWORK: Final = Setting(
    "proxies before Redis, PostgreSQL and Telegram",
    through=(
        ("redis of web", "redis", ("web",)),
        ("redis of workers", "redis", (*WORKERS, "beat")),
        ("postgres", "postgres", TYPES),
        ("telegram", "telegram", WORKERS),
    ),
)
LIMITS: Final = Setting("Telegram's limits", limits=True)
SHORT: Final = Setting("a short time limit for handlers", settings=(("HANDLER_TIMEOUT_SECONDS", "5"),))
MACHINE: Final = Setting("what Redis has is on the disk", settings=(("DURABILITY", "machine"),))
SCALED: Final = Setting("deadlines of lanes sixty times shorter", settings=((SCALE, "60"),), limits=True)
SMALL_DISK: Final = Setting("a disk of 400 MB", disk_mb=400)
ROLLING: Final = Setting("the code before the last change of what processes share", twins=WORKERS, rolling=True)
CLOCKS: Final = Setting(
    "clocks that are wrong",
    twins=WORKERS,
    clocks=(
        ("worker", 3600), ("worker_slow-2", -3600), ("worker_outbound-2", 3600), ("worker_outbound", -30), ("web", 30),
    ),
)  # fmt: skip
