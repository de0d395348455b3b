"""A simulated Telegram behind the API, the worker that answers what only workers can, and what was left to one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx
import redis

from botyard.operations.running import run
from tasks.operations import RUNNERS
from tests.queues import waiting
from tests.services import Services
from tests.unit.simulator.process import Process

SECRET = "AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
_numbers = count(4_160_000_001)


def telegram_bot(process: Process) -> tuple[int, str]:
    """A bot that Telegram knows: its number and its token."""
    number = next(_numbers)
    token = f"{number}:{SECRET}"
    made = httpx.post(f"{process.url}/sim/bots", json={"token": token, "username": f"v{number}_bot", "name": "Given"})
    assert made.status_code == 200
    return number, token


def webhook_of(process: Process, token: str) -> str:
    """Where Telegram brings the updates of a bot."""
    url: str = httpx.get(f"{process.url}/bot{token}/getWebhookInfo").json()["result"]["url"]
    return url


def errands(_: "redis.Redis") -> list[tuple[str, list[int]]]:
    """What was left to a worker, oldest first; the servers must be there."""
    return [(message.task, message.args) for message in waiting("maintenance")]


@contextmanager
def worker(services: Services) -> Iterator[None]:
    """A worker that does the operations that are begun in this block."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            for (number,) in services.superuser("SELECT id FROM operations WHERE state = 'queued' ORDER BY id"):
                run(number, RUNNERS)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
