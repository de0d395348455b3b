"""What is left to a worker: whoever may not open tokens names the task, and the bot by its number.

A lost errand is made good: bots are checked all the time, and a removal may be asked for again.
"""

from functools import lru_cache
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from botyard.bots.connection.adding import CONNECT_BOT
from botyard.mailbox.tickets import celery_producer

log = structlog.get_logger(__name__)

REMOVE_BOT: Final = "botyard.remove_bot"


def connect_bot(bot_id: int) -> None:
    """Let its webhook at Telegram become what its row says; if nobody can be told now, its next check does it."""
    try:
        _send(CONNECT_BOT, bot_id)
    except (OperationalError, OSError) as error:
        log.warning("errand_not_sent", task=CONNECT_BOT, bot=bot_id, error=type(error).__name__)


def remove_customer(customer_id: int, bots: list[int]) -> None:
    """Let the bots of a customer be removed, and with the last of them the customer.

    Raises:
        kombu.exceptions.OperationalError: the broker cannot be reached.
    """
    for bot_id in bots:
        _send(REMOVE_BOT, bot_id, customer_id)


@lru_cache(maxsize=1)
def _producer() -> Celery:
    return celery_producer()


def _send(task: str, *numbers: int) -> None:
    _producer().send_task(task, args=numbers, queue="maintenance", retry=False, argsrepr="", kwargsrepr="")
