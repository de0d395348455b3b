"""Redis and PostgreSQL: killed, emptied, full, out of reach, locked; and clocks that are wrong."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg2
from cryptography.fernet import Fernet
from redis import Redis

from tests.e2e.yard import wait_until
from tests.faults.campaign import Row, Scene
from tests.faults.load import Plan
from tests.faults.rows.processes import killed
from tests.faults.settings import CLOCKS, MACHINE, NETWORK, PLAIN, SMALL_DISK

_PARTITION_SECONDS: Final = 13.0
"""Longer than a lease and a sweep."""
_LOCKED_SECONDS: Final = 12.0
_AWAY_SECONDS: Final = 8.0
_LATE_SECONDS: Final = 0.2
_TAIL_SECONDS: Final = 1.0


@contextlib.contextmanager
def _redis(scene: Scene) -> Iterator["Redis"]:
    with Redis.from_url(scene.yard.environment["REDIS_URL"]) as redis:
        yield redis


def _lose_the_tail(scene: Scene) -> None:
    """What the machine had not written when its power went: the last second of the append-only file."""
    folder = scene.yard.folder / "valkey"
    (file,) = folder.rglob("*.incr.aof")
    kept = file.stat().st_size
    time.sleep(_TAIL_SECONDS)  # the second that is lost
    supervisor = scene.yard.supervisor
    pid = scene.yard.pid("valkey")
    supervisor.send_signal(signal.SIGSTOP)
    try:
        scene.yard.kill("valkey")
        wait_until(lambda: not Path(f"/proc/{pid}/exe").exists(), 10, "it is dead")
        with file.open("r+b") as tail:
            tail.truncate(kept)
    finally:
        supervisor.send_signal(signal.SIGCONT)


def _tail_of(scene: Scene) -> int:
    return int(scene.load.plan.rate * (_TAIL_SECONDS + 1))


def _flush(scene: Scene) -> None:
    with _redis(scene) as redis:
        scene.figures.more["held"] = scene.yard.held()
        redis.flushall()


def _held(scene: Scene) -> int:
    # What workers had in hand between the count and the flush is not in it.
    return int(scene.figures.more["held"]) + 40


def _fill_redis(scene: Scene) -> None:
    with _redis(scene) as redis:
        used: Any = redis.info("memory")
        redis.config_set("maxmemory", used["used_memory"] - 1)
        try:
            wait_until(lambda: _refused_updates(scene) > 0, 20, "updates are refused")
            scene.pause(2.0, 4.0)
        finally:
            redis.config_set("maxmemory", 0)


def _refused_updates(scene: Scene) -> int:
    deliveries = (one for one in scene.yard.simulator.history() if one["kind"] == "delivery")
    return sum(one["status"] == 503 for one in deliveries)


def _parted(proxy: str, *, silent: bool) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        weather = scene.yard.proxies[proxy].weather
        before = _workers(scene)
        if silent:
            weather.silent = True
        else:
            weather.closed = True
            scene.yard.proxies[proxy].cut()
        time.sleep(_PARTITION_SECONDS)  # the length of the fault
        weather.silent = weather.closed = False
        scene.yard.proxies[proxy].cut()
        assert _workers(scene) == before, "a worker ended"

    return strike


def _workers(scene: Scene) -> list[int]:
    return [scene.yard.pid(name) for name in ("worker", "worker_slow", "worker_outbound", "worker_maintenance")]


def _late(scene: Scene) -> None:
    servers = [proxy.weather for name, proxy in scene.yard.proxies.items() if name != "telegram"]
    for weather in servers:
        weather.delay = _LATE_SECONDS
    time.sleep(_AWAY_SECONDS)  # the length of the fault
    for weather in servers:
        weather.delay = 0.0


def _cut_often(proxy: str) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        for _ in range(12):
            scene.pause(0.2, 0.6)
            scene.yard.proxies[proxy].cut()

    return strike


def _stand_still(name: str) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        with scene.yard.stopped(name):
            time.sleep(_AWAY_SECONDS)  # the length of the fault

    return strike


def _fill_disk(scene: Scene) -> None:
    filler = scene.yard.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        free = shutil.disk_usage(scene.yard.folder).free
        file.write(b"\0" * free)
    try:
        scene.pause(6.0, 8.0)
    finally:
        filler.unlink()


def _hold_locks(scene: Scene) -> None:
    """Somebody forgot a transaction in which every conversation of one bot is locked."""
    with closing(psycopg2.connect(scene.yard.environment["DATABASE_OWNER_URL"])) as database:
        cursor = database.cursor()
        cursor.execute(
            "SELECT FROM conversations WHERE bot_id = (SELECT id FROM bots WHERE telegram_id = %s) FOR UPDATE",
            (scene.bots[1],),
        )
        time.sleep(_LOCKED_SECONDS)  # the length of the fault
        database.rollback()


def _wrong_key(scene: Scene) -> None:
    before = scene.yard.sql("SELECT md5(string_agg(b::text, '' ORDER BY id)) FROM bots b")
    changed = {**scene.yard.environment, "SECRET_KEY": Fernet.generate_key().decode()}
    command = [str(Path(sys.executable).parent / "celery"), "-A", "tasks", "worker", "-Q", "outbound", "-P", "threads"]
    ended = subprocess.run(command, env=changed, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode == 0 or "SECRET_KEY: lacks key" not in ended.stderr:
        scene.figures.broken.append(f"it started, or did not say why not: {ended.stderr[-200:]}")
    if before != scene.yard.sql("SELECT md5(string_agg(b::text, '' ORDER BY id)) FROM bots b"):
        scene.figures.broken.append("bots were changed")


def _but_second(bots: Sequence[int]) -> Sequence[int]:
    return [bots[0], *bots[2:]]


ROWS: Final = [
    Row(9, "kill -9 Redis", killed("valkey"), bugs=("answered-first",)),
    Row(9, "kill -9 Redis that writes through", killed("valkey"), setting=MACHINE),
    Row(10, "Redis loses its last second", _lose_the_tail, lost=_tail_of),
    Row(11, "FLUSHALL", _flush, lost=_held),
    Row(12, "Redis is full", _fill_redis),
    Row(13, "Redis is out of the web's reach", _parted("redis of web", silent=True), setting=NETWORK,
        plan=Plan(seconds=20)),
    Row(13, "Redis is out of the workers' reach", _parted("redis of workers", silent=True), setting=NETWORK,
        plan=Plan(seconds=20)),
    Row(13, "Redis refuses the workers", _parted("redis of workers", silent=False), setting=NETWORK,
        plan=Plan(seconds=20)),
    Row(13, "Redis and PostgreSQL answer 200 ms late", _late, setting=NETWORK, plan=Plan(seconds=14)),
    Row(15, "kill -9 PostgreSQL", killed("postgres"), bugs=("lost-answer-is-success",)),
    Row(15, "PostgreSQL refuses everybody", _parted("postgres", silent=False), setting=NETWORK,
        plan=Plan(seconds=20), bugs=("outage-counts",)),
    Row(16, "PostgreSQL's connections break, commits unanswered", _cut_often("postgres"), setting=NETWORK),
    Row(17, "PostgreSQL's disk is full", _fill_disk, setting=SMALL_DISK, plan=Plan(seconds=16)),
    Row(18, "locks that nobody lets go", _hold_locks, unmoved=_but_second, plan=Plan(seconds=18)),
    Row(19, "PostgreSQL stands still: no connection is free", _stand_still("postgres"), plan=Plan(seconds=14)),
    Row(20, "clocks an hour ahead, an hour behind", lambda scene: scene.pause(4.0, 6.0), setting=CLOCKS,
        plan=Plan(seconds=12)),
    Row(37, "a worker with the wrong key", _wrong_key, setting=PLAIN),
]  # fmt: skip
