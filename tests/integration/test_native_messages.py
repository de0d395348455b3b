"""Tickets that we write as Celery's messages ourselves: Celery would have written the same."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from botyard.mailbox.native import celery_message
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES, Ticket
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from tests.services import Services, environment

_OF_EACH = ("reply_to", "delivery_tag", "origin")
"""What differs between two messages of Celery's own, too."""


@pytest.fixture(autouse=True)
def on_redis(clean: Services) -> Iterator[None]:
    """Redis as the broker, also where the other tests have RabbitMQ."""
    with environment({**clean.environment, "BROKER_URL": ""}):
        yield


def said(message: bytes | str) -> dict[str, Any]:
    """A message without what is its own, its body opened."""
    found: dict[str, Any] = json.loads(message)
    found["body"] = json.loads(b64decode(found["body"]))
    for part in (found["headers"], found["properties"]):
        assert all(isinstance(part.pop(name, "one of them is here"), str) for name in _OF_EACH)
    return found


@pytest.mark.parametrize(
    "ticket",
    [
        Ticket(PROCESS_UPDATES, 4_900_000_001, "0123abc", 1_795_346_871_519, "updates", 10_000),
        Ticket(DELIVER, 7, "sweep-1 1", 0, "outbound"),
    ],
)
def test_our_bytes_say_what_celerys_say(valkey: "redis.Redis", ticket: Ticket) -> None:
    celery_producer().send_task(
        ticket.task, args=(ticket.bot,), task_id=ticket.id, queue=ticket.queue, headers={"stamp": ticket.stamp},
        argsrepr="", kwargsrepr="",
    )  # fmt: skip
    theirs = valkey.lpop(ticket.queue)
    assert isinstance(theirs, str)
    assert said(celery_message(ticket)) == said(theirs)


def test_a_full_redis_takes_tickets_for_they_drain_it(valkey: "redis.Redis") -> None:
    valkey.config_set("maxmemory", 1)
    try:
        CeleryTickets(celery_producer()).send(Ticket(DELIVER, 1, "1", 5, "outbound"))
        assert valkey.llen("outbound") == 1
    finally:
        valkey.config_set("maxmemory", 0)


def test_tickets_go_to_the_end_of_their_queue(valkey: "redis.Redis") -> None:
    tickets = CeleryTickets(celery_producer())
    for number in (1, 2):
        tickets.send(Ticket(DELIVER, number, str(number), 5, "outbound"))
    # A worker takes from the right.
    assert [said(message)["body"][0] for message in valkey.lrange("outbound", 0, -1)] == [[2], [1]]
    first, second = (json.loads(message)["properties"]["delivery_tag"] for message in valkey.lrange("outbound", 0, -1))
    assert first != second
