"""RabbitMQ as Celery's broker: what it refuses, drops, holds up, and what strangers put into its queues."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis

from botyard.errors import InputError
from botyard.mailbox.broker import broker_name, rabbitmq_version
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES, Ticket, fresh_id, times_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import Settings, get_settings
from botyard.telemetry import metrics
from tests import rabbitmq
from tests.e2e.yard import wait_until
from tests.faults.proxy import Proxy
from tests.queues import QUEUES, waiting
from tests.rabbitmq import asked
from tests.services import Services, environment
from tests.standing import standing_still
from tests.workers import celery_worker

pytestmark = pytest.mark.skipif(rabbitmq.SERVER not in os.environ, reason="needs RabbitMQ: see `make test-rabbitmq`")
BOT = 4_200_000_001
CELERY = str(Path(sys.executable).parent / "celery")


def ticket(queue: str = "slow", lasts: int = 60_000) -> Ticket:
    return Ticket(PROCESS_UPDATES, BOT, fresh_id(), int(time.time() * 1000), queue, lasts)


def tickets_of(url: str) -> CeleryTickets:
    """Of another broker than the one that this process has begun with."""
    app = celery_producer()
    app.conf.update(broker_url=url)
    return CeleryTickets(app)


@pytest.fixture
def tickets(clean: Services) -> Iterator[CeleryTickets]:  # noqa: ARG001 - the broker of its environment
    app = celery_producer()
    yield CeleryTickets(app)
    app.close()


def test_a_ticket_says_when_it_was_born_and_is_dropped_when_its_place_is_given_up(tickets: CeleryTickets) -> None:
    lasting, passing = ticket(), ticket(lasts=200)
    tickets.send(passing)
    tickets.send(lasting)
    wait_until(lambda: len(waiting("slow")) == 1, 30, "it is dropped")
    (left,) = waiting("slow")
    assert (left.task, left.args, left.headers["id"]) == (PROCESS_UPDATES, [BOT], lasting.id)
    assert left.headers["stamp"] == lasting.stamp


def test_the_scripts_say_how_long_a_ticket_lasts(raw_valkey: "redis.Redis", settings: Settings) -> None:
    keeper = Keeper(raw_valkey, times_of(settings))
    raw_valkey.set("by:wait:outbound", 40_000)
    woken = keeper.wake(17)
    assert woken is not None
    assert woken.lasts == 80_000
    raw_valkey.delete("by:tix:send:17")
    (swept,) = keeper.sweep()
    assert (swept.queue, swept.lasts) == ("outbound", 80_000)


@contextmanager
def full(management: int, host: str, tickets: CeleryTickets) -> Iterator[None]:
    """The queue ``slow`` takes nothing more until the end of the block."""
    policy = {"pattern": "^slow$", "definition": {"max-length": 1, "overflow": "reject-publish"}, "apply-to": "queues"}
    tickets.send(ticket())
    assert asked(management, "PUT", f"policies/{host}/full", **policy)
    try:
        wait_until(lambda: not _is_taken(tickets), 30, "the queue is full")
        yield
    finally:
        assert asked(management, "DELETE", f"policies/{host}/full")
    wait_until(lambda: _is_taken(tickets), 30, "there is room again")


def test_what_rabbitmq_refuses_is_an_error_and_what_comes_after_it_is_not(tickets: CeleryTickets) -> None:
    _, management = json.loads(os.environ[rabbitmq.SERVER])
    with full(management, urlsplit(get_settings().require("broker_url")).path[1:], tickets):
        tickets.send(ticket("updates"))
    assert len(waiting("updates")) == 1


def _is_taken(tickets: CeleryTickets) -> bool:
    try:
        tickets.send(ticket())
    except OperationalError:
        return False
    return True


@pytest.mark.timeout(180)
def test_a_broker_that_hangs_or_dies_holds_nobody_up_and_keeps_what_it_confirmed(clean: Services) -> None:
    with rabbitmq.serving() as server, environment({**clean.environment, "BROKER_URL": server.url}):
        tickets = tickets_of(server.url)
        with full(server.management, "%2F", tickets):
            with server.hanging():
                _fails(tickets, 8, "updates")
            # The late confirmation of that one is not taken for its own.
            _fails(tickets, 2)
        server.kill()
        _fails(tickets, 2)
        _fails(tickets, 2)
        server.start()
        tickets.send(ticket())
        wait_until(lambda: len(waiting("slow")) >= 3, 30, "what was confirmed is there, and what was sent since")
        assert rabbitmq_version(get_settings()).startswith(("3.", "4."))


def _fails(tickets: CeleryTickets, seconds: float, queue: str = "slow") -> None:
    began = time.monotonic()
    with pytest.raises(OperationalError):
        tickets.send(ticket(queue))
    assert time.monotonic() - began < seconds


@pytest.mark.parametrize(
    "wrong", ["amqp://botyard:hidden@{host}/", "amqp://botyard:of-a-throw-away-server@{host}/nowhere"]
)
def test_a_refused_address_is_told_without_its_password(settings: Settings, wrong: str) -> None:
    host = urlsplit(settings.require("broker_url")).netloc.rpartition("@")[2]
    with environment({"BROKER_URL": wrong.format(host=host)}):
        with pytest.raises(InputError, match="BROKER_URL: is refused by RabbitMQ") as told:
            rabbitmq_version(get_settings())
        with pytest.raises(OperationalError) as failed:
            tickets_of(get_settings().require("broker_url")).send(ticket())
    assert "hidden" not in f"{told.value}{failed.value}"
    with environment({"BROKER_URL": "amqp://botyard:hidden@127.0.0.1:1/"}), pytest.raises(OperationalError) as away:
        rabbitmq_version(get_settings())
    assert "hidden" not in str(away.value)
    assert broker_name(settings) == "RabbitMQ"


@dataclass
class Worker:
    """A real worker process on every queue."""

    process: "subprocess.Popen[bytes]"
    redis: "Redis"
    log: Path

    def give(
        self, body: bytes, content_type: str = "application/json", encoding: str = "utf-8", **headers: Any
    ) -> None:
        """Put anything into its queues, as whoever knows the broker's password can."""
        with Connection(get_settings().require("broker_url")) as connection:
            how: dict[str, Any] = {"content_type": content_type, "content_encoding": encoding, "headers": headers}
            connection.Producer().publish(body, exchange="", routing_key="updates", **how)

    def call(self, task: str, *args: Any, **headers: Any) -> None:
        """A message that calls a task."""
        body = json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
        self.give(body.encode(), lang="py", task=task, id=str(uuid.uuid4()), **headers)

    def refused(self) -> dict[str, int]:
        """How many messages it has refused, by reason."""
        found = cast("dict[bytes, bytes]", self.redis.hgetall(metrics.HASH))
        counts = {json.loads(field)[2].get("why"): int(float(count)) for field, count in found.items()}
        return {why: count for why, count in counts.items() if why}


def test_a_worker_whose_connections_are_cut_again_and_again_goes_on(
    clean: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = urlsplit(get_settings().require("broker_url"))
    with Proxy(url.port or 0) as proxy, Redis.from_url(clean.redis_url) as client:
        through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{proxy.port}"))
        monkeypatch.setenv("BROKER_URL", through.geturl())
        with celery_worker(tmp_path, QUEUES, "threads", "cut") as (process, log):

            def is_cut(times: int) -> bool:
                proxy.cut()
                return log.read_text().count("Connection to broker lost") >= times or process.poll() is not None

            for times in range(1, 13):
                wait_until(partial(is_cut, times), 30, "it has noticed")
            _works_on(Worker(process, client, log), messages=1)


def test_a_worker_comes_back_while_rabbitmq_believes_in_its_connection(clean: Services, tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    with (
        celery_worker(tmp_path / "before", QUEUES, "threads", "same") as (before, _),
        standing_still(before.pid),
        celery_worker(tmp_path / "after", QUEUES, "threads", "same") as (process, log),
        Redis.from_url(clean.redis_url) as client,
    ):
        _works_on(Worker(process, client, log), messages=10)


def _works_on(worker: Worker, messages: int) -> None:
    for _ in range(messages):
        worker.call(DELIVER, 999_999)
    wait_until(lambda: not any(waiting(queue) for queue in QUEUES), 30, "all are worked on")
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]


@pytest.fixture(params=["threads", "prefork"])
def worker(clean: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Worker]:
    with (
        celery_worker(tmp_path, QUEUES, request.param, "rabbit") as (process, log),
        Redis.from_url(clean.redis_url) as client,
    ):
        yield Worker(process, client, log)


def test_strangers_messages_end_no_worker_and_are_refused_and_counted(worker: Worker) -> None:
    named = {"lang": "py", "task": PROCESS_UPDATES, "id": "1"}
    for content_type in ("application/x-python-serialize", "application/data", "application/x-yaml"):
        worker.give(b"\x80\x04cos\nsystem\n.", content_type, "binary", **named)
    for body in (b"{}", b"5", b"", b"nonsense", b"[]", b"[5, 5, 5]", b"\xff\xfe", b"[" * 100_000):
        worker.give(body, **named)
    worker.give(b"[[1], {}, {}]")
    worker.give(b"[[1], {}, {}]", task=5, id={})
    for task in ("os.system", "botyard.no_such_task"):
        worker.call(task, "true")
    for headers in ({"eta": "never"}, {"expires": "never"}, {"timelimit": "never"}, {"retries": "many"}):
        worker.call(PROCESS_UPDATES, 1, **headers)
    worker.call(DELIVER, "../../etc")
    wait_until(lambda: sum(worker.refused().values()) >= 20 or worker.process.poll() is not None, 60, "all are counted")
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]
    assert {"not JSON", "malformed", "unknown task", "no task", "arguments"} <= set(worker.refused())
    _works_on(worker, messages=1)
    assert rabbitmq.PASSWORD not in worker.log.read_text()
