"""What is left to a worker: whoever may not open tokens names the task, and the bot by its number.

A lost errand is made good: bots are checked all the time, and removals that were begun are finished.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from botyard.bots.connection.adding import CONNECT_BOT
from botyard.mailbox.tickets import celery_producer

log = structlog.get_logger(__name__)

REMOVE_BOT: Final = "botyard.remove_bot"
REMOVE_CUSTOMER: Final = "botyard.remove_customer"
WHY: Final = "bot.why"
CHECK: Final = "bot.check"
RECLAIM: Final = "bot.reclaim"
ROTATE_SECRET: Final = "bot.rotate_secret"  # noqa: S105 - a kind of operation
CONFIGURE: Final = "bot.configure"
SCHEMA: Final = "bot.schema"
"""Operations that need a bot's token or its code; whoever may not open or load these waits for their answer."""


def connect_bot(bot_id: int) -> None:
    """Let its webhook at Telegram become what its row says; if nobody can be told now, its next check does it."""
    try:
        _send(CONNECT_BOT, bot_id)
    except (OperationalError, OSError) as error:
        log.warning("errand_not_sent", task=CONNECT_BOT, bot=bot_id, error=type(error).__name__)


def remove_bots(bots: Sequence[int], customer_id: int | None = None) -> None:
    """Let bots be removed whose removal has begun; if nobody can be told now, the sweep of removals does it.

    Args:
        bots: their rows.
        customer_id: the customer that goes with the last of them.
    """
    try:
        for bot_id in bots:
            _send(REMOVE_BOT, *((bot_id,) if customer_id is None else (bot_id, customer_id)))
    except (OperationalError, OSError) as error:
        log.warning("errand_not_sent", task=REMOVE_BOT, bots=list(bots), error=type(error).__name__)


def remove_customer(customer_id: int) -> None:
    """Let a customer without bots be removed whose removal has begun; the sweep does it if nobody can be told now."""
    try:
        _send(REMOVE_CUSTOMER, customer_id)
    except (OperationalError, OSError) as error:
        log.warning("errand_not_sent", task=REMOVE_CUSTOMER, customer=customer_id, error=type(error).__name__)


@lru_cache(maxsize=1)
def _producer() -> Celery:
    return celery_producer()


def _send(task: str, *numbers: int) -> None:
    _producer().send_task(task, args=numbers, queue="maintenance", retry=False, argsrepr="", kwargsrepr="")
