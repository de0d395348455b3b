"""What ``make bench`` measures, as groups of cases that take turns."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Final

from benchmarks import peers
from benchmarks.chats import CHATS, Chats, Door
from benchmarks.machine import cpu_seconds, running
from benchmarks.rounds import Case, Sample
from benchmarks.stage import USUAL, Stage, Work
from benchmarks.subject import Shape
from benchmarks.wrk import press
from botyard.embedded import free_port
from botyard.running.formation import UVICORN

BOTYARD: Final = "Botyard"
PTB: Final = "python-telegram-bot"
AIOGRAM: Final = "aiogram"
BARE: Final = "a bare 200 of the same server"
QUEUED: Final = "FastAPI, send_task, Celery"
_PEERS_SECRET: Final = "an-invented-secret"
_PACE: Final = 50.0
"""Updates a second where latencies are asked for."""
_ANSWERING: Final = ("web", "worker", "worker_outbound")
_WARM_UP_SECONDS: Final = 1.0
_MOST_SENDS_PER_SECOND: Final = 12_000


def receiving(stage: Stage) -> list[Case]:
    """Webhook requests that are answered."""
    return [
        Case(BOTYARD, lambda: receive_here(stage)),
        Case(PTB, lambda: _receive_by_peer(stage, "ptb-quiet")),
        Case(AIOGRAM, lambda: _receive_by_peer(stage, "aiogram-quiet")),
        Case(BARE, lambda: _receive_by_nobody(stage)),
    ]


def _pressed(door: Door, pid: int, seconds: float) -> Sample:
    press([door], _WARM_UP_SECONDS)
    used = cpu_seconds([pid])
    found = press([door], seconds)
    thousands = found.value * seconds / 1000
    return Sample(found.value, found.p50_ms, found.p99_ms, (cpu_seconds([pid]) - used) / thousands)


def receive_here(stage: Stage, shape: Shape = USUAL) -> Sample:
    """Requests that our web process answers."""
    subject = stage.subject(shape)
    with stage.alone(but=subject), subject.receiving_only():
        (door,) = subject.doors(1)
        return _pressed(door, subject.yard.pid("web"), stage.seconds)


def _receive_by_peer(stage: Stage, name: str) -> Sample:
    port = free_port()
    with stage.peer_bot(name, port, stage.peer_api_port) as (pid,):
        return _pressed(Door(port, "/hook", _PEERS_SECRET), pid, stage.seconds)


def _receive_by_nobody(stage: Stage) -> Sample:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.bare:app",
        "--port",
        str(port),
        *UVICORN,
        "--log-level",
        "error",
    ]
    with stage.alone(), running(command, port=port) as process:
        return _pressed(Door(port, "/hook", _PEERS_SECRET), process.pid, stage.seconds)


def through(stage: Stage) -> list[Case]:
    """Updates that are answered by a send, 64 outstanding."""
    return _answered(stage, as_fast_as_it_goes(stage))


def as_fast_as_it_goes(stage: Stage) -> Work:
    """What people do who write again as soon as they are answered."""

    async def work(chats: Chats) -> float:
        await chats.connect()
        return await chats.as_fast_as_it_goes(stage.seconds)

    return work


def at_a_pace(stage: Stage) -> list[Case]:
    """The same at fifty a second, for their latencies."""

    async def work(chats: Chats) -> float:
        await chats.connect()
        await chats.at_a_pace(2 * stage.seconds, _PACE)
        return _PACE

    return _answered(stage, work)


def _answered(stage: Stage, work: Work) -> list[Case]:
    def peer(name: str) -> Sample:
        port = free_port()
        doors = [] if name.endswith("polling") else [Door(port, "/hook", _PEERS_SECRET)]
        return stage.chatting(Chats(doors), stage.peer_bot(name, port, stage.api_port), work)

    def queued() -> Sample:
        port = free_port()
        return stage.chatting(Chats([Door(port, "/hook", _PEERS_SECRET)]), _queued(stage, port), work)

    return [
        Case(BOTYARD, lambda: answer_here(stage, work)),
        Case(PTB, lambda: peer("ptb-webhook")),
        Case(AIOGRAM, lambda: peer("aiogram-polling")),
        Case(QUEUED, queued),
    ]


def answer_here(stage: Stage, work: Work, shape: Shape = USUAL, chats: int = CHATS) -> Sample:
    """Updates that one of our bots answers."""
    subject = stage.subject(shape)
    with stage.alone(but=subject):
        bots = contextlib.nullcontext(subject.pids(_ANSWERING))
        return stage.chatting(Chats(subject.doors(1), chats), bots, work)


@contextlib.contextmanager
def _queued(stage: Stage, port: int) -> Iterator[list[int]]:
    told = {
        "REDIS_URL": stage.redis_url,
        "BOT_API": f"http://127.0.0.1:{stage.api_port}",
        "PYTHONPATH": str(peers.HERE),
    }
    serve = ("uvicorn", "queued:web", "--port", str(port), "--no-access-log", "--log-level", "error")
    work = ("celery", "-A", "queued", "worker", "-P", "prefork", "-c", "1", "-l", "ERROR", "-Q", "queued")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    python = [str(peers.PYTHON), "-m"]
    with (
        stage.alone(),
        running([*python, *serve], port=port, environment=told) as web,
        running([*python, *work, *quiet], environment=told) as worker,
    ):
        yield [web.pid, worker.pid]


_FILL: Final = """
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, due)
SELECT id, customer_id, (5000000000 + n %% 100000)::text, 1, 'sendMessage', jsonb_build_object(
         'chat_id', 5000000000 + n %% 100000, 'text', 'Your order is on its way, and will be there soon'), now()
  FROM (SELECT min(id) AS id, min(customer_id) AS customer_id FROM bots) b, generate_series(1, %(rows)s) n
RETURNING bot_id
"""


def sending(stage: Stage) -> list[Case]:
    """Sends of one process, fifty at once."""
    api = f"http://127.0.0.1:{stage.peer_api_port}"

    def call(name: str) -> Sample:
        return stage.called(peers.command("calls", name, str(stage.seconds), api))

    return [
        Case(BOTYARD, lambda: _send_here(stage)),
        Case(PTB, lambda: call("ptb-sends")),
        Case(AIOGRAM, lambda: call("aiogram-sends")),
    ]


def _send_here(stage: Stage) -> Sample:
    subject = stage.subject()
    rows = int(_MOST_SENDS_PER_SECOND * (stage.seconds + 2 * _WARM_UP_SECONDS))
    ((bot,), *_) = subject.sql(_FILL, rows=rows)

    async def work(chats: Chats) -> float:
        await asyncio.to_thread(subject.wake, int(str(bot)))
        await chats.first_send()
        await asyncio.sleep(_WARM_UP_SECONDS)
        began, before = time.perf_counter(), chats.sends
        await asyncio.sleep(stage.seconds)
        return (chats.sends - before) / (time.perf_counter() - began)

    try:
        with stage.alone(but=subject):
            return stage.chatting(Chats(), contextlib.nullcontext(subject.pids(["worker_outbound"])), work)
    finally:
        subject.sql("TRUNCATE outbox CASCADE")


def single(stage: Stage) -> list[Case]:
    """One decision of the limiter, and one update taken in."""

    def ours(name: str) -> Sample:
        return stage.called([sys.executable, "-m", "benchmarks.ours", name, str(stage.seconds)])

    def taken_in() -> Sample:
        # What comes after this is not to find so many updates waiting.
        with stage.subject().receiving_only():
            return ours("enqueue")

    def theirs(name: str) -> Sample:
        return stage.called(peers.command("calls", name, str(stage.seconds), stage.redis_url))

    return [
        Case("Botyard's limiter", lambda: ours("limiter")),
        Case("limits, one scope", lambda: theirs("limits-decisions")),
        Case("Botyard's mailboxes", taken_in),
        Case("Celery's delay()", lambda: theirs("celery-delay")),
    ]
