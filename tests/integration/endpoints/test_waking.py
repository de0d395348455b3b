"""News reach whoever sends in a moment, and what nobody heard of is made good."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from botyard.endpoints.managing import change_endpoint
from botyard.endpoints.recovering import send_test
from botyard.endpoints.sending import Sender
from botyard.endpoints.spreading import spread_events
from botyard.endpoints.waking import SEND_EVENTS, Tickets, Watch
from botyard.events import BotRestarted
from botyard.mailbox.tickets import celery_producer
from botyard.sync import get_sync
from tests.e2e.yard import wait_until
from tests.factories import make_bot, until
from tests.integration.endpoints.receiver import Receiver, endpoint, happen, messages, send_all
from tests.queues import taken
from tests.services import ROOT, Services


@pytest.fixture
def tickets(raw_valkey: "redis.Redis") -> Tickets:
    return Tickets(raw_valkey, celery_producer())


@pytest.fixture
def watch(tickets: Tickets) -> Iterator[Watch]:
    made = Watch(get_sync(), tickets)
    made.start()
    yield made
    made.stop()


def queued() -> int:
    """How many tickets wait; they are taken away."""
    found = taken("outbound")
    assert all(message.task == SEND_EVENTS for message in found)
    return len(found)


def test_there_is_one_ticket_until_somebody_looks(tickets: Tickets) -> None:
    for _ in range(5):
        tickets.issue()
    assert queued() == 1
    tickets.taken()
    tickets.issue()
    assert queued() == 1


@pytest.mark.usefixtures("watch")
def test_news_of_a_customer_with_endpoints_issue_a_ticket(tickets: Tickets, receiver: Receiver) -> None:
    bot = make_bot()
    happen(bot.id)
    number, _ = endpoint(receiver)
    wait_until(lambda: queued() > 0, 30, "there is an endpoint: somebody looks")
    for news in (
        lambda: happen(bot.id, BotRestarted()),
        lambda: change_endpoint(number, {"types": ["message.received"]}),
        lambda: get_sync().publish("activity.noted", {"id": bot.id, "customer": 1}),
        lambda: get_sync().publish("resync", {}),
        lambda: send_test(number),
    ):
        spread_events()
        tickets.taken()
        news()
        wait_until(lambda: queued() > 0, 30, "somebody looks")


@pytest.mark.usefixtures("watch")
def test_what_has_become_due_issues_a_ticket_without_news(
    clean: Services, tickets: Tickets, receiver: Receiver
) -> None:
    number, _ = endpoint(receiver)
    send_test(number)
    wait_until(lambda: queued() > 0, 30, "there is news")
    for _ in range(2):
        tickets.taken()
        wait_until(lambda: queued() > 0, 30, "it is still due")
    clean.superuser("UPDATE endpoint_messages SET due = now() + interval '1 hour'")


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    """A worker of the queue, as the Procfile starts it."""
    told = folder / "ready"
    command = [
        str(Path(sys.executable).parent / "celery"), "--quiet", "-A", "tasks", "worker", "-n", "sends@%h",
        "-Q", "outbound", "-P", "threads", "-c", "4", "--without-mingle", "--without-gossip",
    ]  # fmt: skip
    environment = {**os.environ, "BOTYARD_READY_FILE": str(told)}
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(told.exists, 60, "the worker is ready")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


async def test_a_worker_sends_what_happens_in_a_moment(clean: Services, receiver: Receiver, tmp_path: Path) -> None:
    bot = make_bot()
    _, secret = endpoint(receiver)
    with worker(tmp_path):
        for count in range(1, 4):
            happen(bot.id)
            await until(lambda wanted=count: len(receiver.got) == wanted, 60)
        # The third one has arrived, and is perhaps not answered yet.
        await until(lambda: [state for state, _ in messages(clean)] == ["delivered"] * 3, 60)
        receiver.status = 500
        happen(bot.id)
        await until(lambda: len(receiver.got) == 5, 60)
        assert receiver.got[3].id == receiver.got[4].id, "it was sent again without any news, five seconds later"
        receiver.status = 200
    assert all(got.verified(secret) for got in receiver.got)
    assert [state for state, _ in messages(clean)][:3] == ["delivered"] * 3


async def test_who_comes_while_another_slice_is_at_work_leaves_the_work_to_it(
    sender: Sender, receiver: Receiver
) -> None:
    bot = make_bot()
    receiver.held = asyncio.Event()
    endpoint(receiver, "/slow")
    happen(bot.id)
    first = asyncio.create_task(sender.run())
    await until(lambda: receiver.at_once == 1, 30)
    assert await sender.run() is None
    receiver.held.set()
    assert await first is False
    await send_all(sender)
    assert len(receiver.got) == 1
