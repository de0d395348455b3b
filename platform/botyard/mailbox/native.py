"""A ticket as the bytes that Celery itself would put into a queue of Redis.

Celery's ``send_task`` takes a third of a millisecond, most of it for choices that a ticket does not have; tickets of a
quiet yard are one or two for each update. `tests/integration/test_native_messages.py` holds these bytes beside
Celery's.

Source: https://docs.celeryq.dev/en/stable/internals/protocol.html (version 2), Kombu's Redis transport.
"""

import os
from base64 import b64encode
from typing import Any, Final

import orjson

from botyard.mailbox.protocol import Ticket, fresh_id

_EMBEDDED: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_HEADERS: Final[dict[str, Any]] = {
    "lang": "py", "shadow": None, "eta": None, "expires": None, "group": None, "group_index": None, "retries": 0,
    "timelimit": [None, None], "parent_id": None, "argsrepr": "", "kwargsrepr": "", "ignore_result": None,
    "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
}  # fmt: skip
_PROPERTIES: Final = {
    "argsrepr": "", "kwargsrepr": "", "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
}  # fmt: skip


def body_of(bot: int) -> bytes:
    """What stands in the messages of tickets of this bot, and of no other."""
    return b64encode(orjson.dumps([[bot], {}, _EMBEDDED]))


def celery_message(ticket: Ticket) -> bytes:
    """What a worker takes for a call of the ticket's task; its birth travels in the header ``stamp``."""
    headers = {**_HEADERS, "task": ticket.task, "id": ticket.id, "root_id": ticket.id, "stamp": ticket.stamp}
    properties = {
        **_PROPERTIES,
        "correlation_id": ticket.id,
        # Nobody answers, and Celery wants to know where to.
        "reply_to": ticket.id,
        "delivery_info": {"exchange": "", "routing_key": ticket.queue},
        "delivery_tag": fresh_id(),
    }
    return orjson.dumps({
        "body": body_of(ticket.bot).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**headers, "origin": f"botyard@{os.getpid()}"},
        "properties": properties,
    })  # fmt: skip
