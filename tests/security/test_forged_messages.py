"""Whoever writes to Redis can put anything into a queue: it executes nothing, changes nothing, ends no worker."""

import base64
import json
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from botyard.mailbox.owners import machine
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES
from botyard.telemetry import metrics
from tests import rabbitmq
from tests.e2e.yard import wait_until
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.outbox_tools import add_row
from tests.services import Services
from tests.workers import celery_worker

pytestmark = pytest.mark.skipif(rabbitmq.SERVER in os.environ, reason="see tests/integration/test_broker.py")
CELERY = str(Path(sys.executable).parent / "celery")
QUEUES = "updates,slow,outbound,maintenance"
TABLES = (
    "bots",
    "bot_identities",
    "bot_secrets",
    "inbox",
    "conversations",
    "messages",
    "dead_letters",
    "events",
    "outbox",
)


def envelope(body: bytes, queue: str, content_type: str = "application/json", **headers: Any) -> bytes:
    """A message as kombu leaves it in Redis."""
    properties = {
        "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": queue}, "priority": 0,
        "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()), "correlation_id": str(uuid.uuid4()),
    }  # fmt: skip
    message = {
        "body": base64.b64encode(body).decode(), "content-encoding": "utf-8", "content-type": content_type,
        "headers": headers, "properties": properties,
    }  # fmt: skip
    return json.dumps(message).encode()


def call(task: str, *args: Any, queue: str = "updates", kwargs: Any = None, **headers: Any) -> bytes:
    """A message that calls a task, with whatever arguments."""
    body = json.dumps([args, kwargs or {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return envelope(body.encode(), queue, lang="py", task=task, id=str(uuid.uuid4()), **headers)


class Trap:
    """Pickled, it is a call of a shell."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@dataclass
class Worker:
    """A real worker process on the queues of the test's servers."""

    process: "subprocess.Popen[bytes]"
    redis: "Redis"
    log: Path

    def give(self, queue: str, *messages: bytes) -> None:
        self.redis.lpush(queue, *messages)

    def refused(self, why: str) -> int:
        """How many messages it has counted as refused, for this reason."""
        field = json.dumps(["celery_messages_refused_total", "", {"why": why}], separators=(",", ":"))
        return int(float(cast("bytes", self.redis.hget(metrics.HASH, field)) or 0))

    def lives_and_works(self) -> None:
        """It still is the same process, and an honest message is taken, run and acknowledged."""
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        self.give("outbound", call(DELIVER, 999_999, queue="outbound"))
        wait_until(self.drained, 30, "an honest message is worked on")

    def drained(self) -> bool:
        return not any(self.redis.llen(queue) for queue in QUEUES.split(",")) and not self.redis.hlen("unacked")


@pytest.fixture(params=["threads", "prefork"])
def worker(clean: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Worker]:
    with (
        celery_worker(tmp_path, QUEUES.split(","), request.param, "forged") as (process, log),
        Redis.from_url(clean.redis_url) as redis,
    ):
        yield Worker(process, redis, log)


def test_a_pickled_message_is_refused_and_counted_and_executes_nothing(worker: Worker, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    pickled = pickle.dumps(((Trap(trap),), {}, {}))
    named = {"lang": "py", "task": PROCESS_UPDATES, "id": str(uuid.uuid4())}
    types = ("application/x-python-serialize", "pickle", "application/data", "application/x-yaml", "")
    worker.give("updates", *(envelope(pickled, "updates", kind, **named) for kind in types))
    worker.give("outbound", *(envelope(pickled, "outbound", kind) for kind in types))
    wait_until(worker.drained, 30, "all are taken")
    reasons = ("not JSON", "malformed", "no task")
    wait_until(lambda: sum(map(worker.refused, reasons)) == 10, 30, "they are counted")
    assert worker.refused("not JSON") >= 3
    worker.lives_and_works()
    assert not trap.exists()


RUBBISH = (
    b"[" * 200_000, envelope(b"[" * 200_000, "updates", task=PROCESS_UPDATES, id="1"),
    b"garbage", b"{}", b"[]", b"null", b"\xff\xfe", b'{"properties": {}}', b'{"body": "!", "properties": 5}',
    json.dumps({"body": "x", "headers": 5, "properties": {"delivery_tag": "t", "delivery_info": {}}}).encode(),
    envelope(b"{}", "updates"), envelope(b"5", "updates"), envelope(b"", "updates"), envelope(b"[]", "updates", task=5),
    envelope(b"nonsense", "updates", task=PROCESS_UPDATES, id="1"),
    envelope(b"[]", "updates", task=PROCESS_UPDATES, id="1"),
    envelope(b"[5, 5, 5]", "updates", task=PROCESS_UPDATES, id="1"),
    envelope(b"[[1]]", "updates", task=[], id={}),
    call("os.system", "true"), call("botyard.no_such_task"), call("celery.no"),
    call(PROCESS_UPDATES, 1, eta="never"), call(PROCESS_UPDATES, 1, expires="never"),
    call(PROCESS_UPDATES, 1, timelimit="never"), call(PROCESS_UPDATES, 1, retries="many"),
)  # fmt: skip


def test_rubbish_in_a_queue_ends_no_worker(worker: Worker) -> None:
    for message in RUBBISH:
        worker.give("updates", message)
    wait_until(lambda: not worker.redis.llen("updates") or worker.process.poll() is not None, 30, "all are taken")
    worker.lives_and_works()
    assert worker.refused("unreadable") >= 5
    assert worker.refused("unknown task") >= 3


NONSENSE: tuple[Any, ...] = (
    "1", "../../etc", "", None, True, 1.5, -1, 0, 2**63, 10**30, [1], {"id": 1}, "by:*", "1; DROP TABLE bots",
)  # fmt: skip


def state_of(services: Services, redis: "Redis") -> tuple[list[Any], set[bytes]]:
    """Every row of the tables, and every key that is not Celery's or a figure."""
    rows = [services.superuser(f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608
    return rows, {key for key in cast("list[bytes]", redis.keys("by:*")) if key != metrics.HASH.encode()}


def test_forged_ids_change_nothing(worker: Worker, clean: Services) -> None:
    bot = make_bot()
    make_bot(TELEGRAM_ID + 1)
    add_row(clean, bot, chat_key="5", state="sent")
    before = state_of(clean, worker.redis)
    for task, queue in ((PROCESS_UPDATES, "updates"), (DELIVER, "outbound")):
        for value in NONSENSE:
            worker.give(queue, call(task, value, queue=queue))
        worker.give(queue, call(task, queue=queue), call(task, 1, 2, 3, queue=queue))
        worker.give(queue, call(task, queue=queue, kwargs={"telegram_id": 1, "bot_id": 1}))
        for stranger in (424_242, 2**62):
            worker.give(queue, call(task, stranger, queue=queue, stamp="later"), call(task, stranger, queue=queue))
        # A real bot's, through a queue that is not its own, with a birth in the far future.
        worker.give(
            "slow", call(task, bot.id, queue="slow", stamp=2**62), call(task, TELEGRAM_ID, queue="slow", stamp=-5)
        )
    wait_until(worker.drained, 60, "all are taken")
    worker.lives_and_works()
    rows, keys = state_of(clean, worker.redis)
    assert rows == before[0]
    # That nobody serves such a bot is noted, so that a sweep brings no ticket for it; adding it takes the note away.
    strangers = {f"by:bot:{number}".encode() for number in (424_242, 2**62, bot.id)}
    own = {b"by:duty", b"by:wait:slow", b"by:wait:outbound", f"by:procs:{machine()}".encode()}
    assert keys - before[1] <= strangers | own
    assert all(worker.redis.hgetall(key) == {b"paused": b"1"} for key in strangers & keys)
    wait_until(lambda: worker.refused("arguments") == 2 * (len(NONSENSE) + 3), 30, "they are counted")
    assert "Traceback" not in worker.log.read_text()
