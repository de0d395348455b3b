"""What the clocks do for schedules: moments become runs, and a worker is asked to put the messages out."""

from typing import Final

import structlog
from kombu.exceptions import OperationalError

from botyard.mailbox.tickets import celery_producer
from botyard.schedules.planning import AutonomousManager

log = structlog.get_logger(__name__)

RUN_SCHEDULES: Final = "botyard.run_schedules"
"""The task that puts messages of open runs into the outbox."""
_LASTS_SECONDS: Final = 30


def dispatch() -> int:
    """Make runs of the moments that have come, and ask for a worker if nobody is at work; how many runs."""
    manager = AutonomousManager()
    made = manager.plan()
    if manager.has_work():
        ask()
    return made


def ask() -> None:
    """Ask for a worker. A message too many does no harm, and a lost one is made good by the next call."""
    try:
        celery_producer().send_task(
            RUN_SCHEDULES, queue="maintenance", expires=_LASTS_SECONDS, retry=False, argsrepr="", kwargsrepr=""
        )
    except (OperationalError, OSError) as error:
        log.warning("schedules_not_asked_for", error=type(error).__name__)
