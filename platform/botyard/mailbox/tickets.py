"""From a ticket to a Celery message. Whoever takes updates in knows tasks by name only."""

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from botyard.mailbox.protocol import Ticket

log = structlog.get_logger(__name__)


class TicketQueue(Protocol):
    """Where tickets go. A ticket that is lost on the way is made good by the sweep."""

    def send(self, ticket: Ticket) -> None:
        """Send now, in this thread."""

    def send_soon(self, ticket: Ticket | None) -> None:
        """Send from another thread, so that an event loop need not wait; nothing for no ticket."""


class CeleryTickets:
    """Tickets by Celery's ``send_task``, which blocks: hence a thread of its own for event loops."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tickets")

    def send(self, ticket: Ticket) -> None:
        """Publish the ticket; its birth travels in the header ``stamp``, from which waits are measured."""
        self._app.send_task(
            ticket.task,
            args=(ticket.bot,),
            task_id=ticket.id,
            queue=ticket.queue,
            headers={"stamp": ticket.stamp},
            retry=False,
            argsrepr="",
            kwargsrepr="",
        )

    def send_soon(self, ticket: Ticket | None) -> None:
        """Publish from the ticket thread."""
        if ticket is not None:
            self._threads.submit(self._try, ticket)

    def _try(self, ticket: Ticket) -> None:
        try:
            self.send(ticket)
        except (OperationalError, OSError) as error:
            log.warning("ticket_not_sent", bot=ticket.bot, queue=ticket.queue, error=type(error).__name__)


def celery_producer() -> Celery:
    """A Celery application that only sends: it knows the broker and the queues, and no task."""
    app = Celery("botyard-producer", set_as_current=False)
    app.config_from_object("celeryconfig")
    return app
