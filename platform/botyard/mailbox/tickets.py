"""From a ticket to a Celery message. Whoever takes updates in knows tasks by name only."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from botyard.mailbox.native import celery_message
from botyard.mailbox.protocol import Ticket
from botyard.mailbox.server import redis_of
from botyard.settings import get_settings
from botyard.telemetry import metrics

log = structlog.get_logger(__name__)

_CONFIRM_SECONDS: Final = 5.0
# A full Redis must still be drained, and tickets are how.
_PUSH: Final = "#!lua flags=allow-oom\nreturn redis.call('LPUSH', ARGV[1], ARGV[2])"


class TicketQueue(Protocol):
    """Where tickets go. A ticket that is lost on the way is made good by the sweep."""

    def send(self, ticket: Ticket) -> None:
        """Send now, in this thread."""

    def send_soon(self, ticket: Ticket | None) -> None:
        """Send from another thread, so that an event loop need not wait; nothing for no ticket."""


class YardCelery(Celery):
    """Celery, which on RabbitMQ waits until each message is confirmed. See docs/running.md."""

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:
        """Send a message.

        Raises:
            OperationalError: the broker is away, or RabbitMQ refused the message or did not confirm it in time.
        """
        if get_settings().broker_url is None:
            return super().send_task(name, *args, **options)
        from amqp.exceptions import AMQPError  # noqa: PLC0415 - a client that most installations do without

        try:
            # A connection on which that fails is not used again: a late confirmation would be taken for the next one's.
            return super().send_task(name, *args, **{"confirm_timeout": _CONFIRM_SECONDS, **options})
        except (AMQPError, OSError) as error:
            raise OperationalError(type(error).__name__) from error


class CeleryTickets:
    """Tickets as Celery's messages. Sending blocks: hence a thread of its own for event loops.

    Args:
        app: whose broker it is.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tickets")
        settings = get_settings()
        self._on_rabbitmq = settings.broker_url is not None
        if not self._on_rabbitmq:
            self._push = redis_of(settings).register_script(_PUSH)

    def send(self, ticket: Ticket) -> None:
        """Publish the ticket.

        Raises:
            OperationalError: it was not taken.
        """
        try:
            if self._on_rabbitmq:
                self._send_to_rabbitmq(ticket)
            else:
                self._push(args=(ticket.queue, celery_message(ticket)))
        except (OperationalError, OSError, RedisError) as error:
            metrics.TICKETS_LOST.inc(queue=ticket.queue)
            raise OperationalError(type(error).__name__) from error

    def _send_to_rabbitmq(self, ticket: Ticket) -> None:
        """RabbitMQ drops it when its place is given up.

        Nobody can look there how long a queue's tickets have waited, and without workers each sweep would add some.
        """
        dropped: dict[str, Any] = {"expiration": ticket.lasts / 1000} if ticket.lasts else {}
        self._app.send_task(
            ticket.task,
            args=(ticket.bot,),
            task_id=ticket.id,
            queue=ticket.queue,
            headers={"stamp": ticket.stamp},
            retry=False,
            argsrepr="",
            kwargsrepr="",
            **dropped,
        )

    def send_soon(self, ticket: Ticket | None) -> None:
        """Publish from the ticket thread."""
        if ticket is not None:
            self._threads.submit(self._try, ticket, time.monotonic())

    def _try(self, ticket: Ticket, since: float) -> None:
        try:
            if ticket.lasts and time.monotonic() - since > ticket.lasts / 1000:
                metrics.TICKETS_LOST.inc(queue=ticket.queue)
                raise TimeoutError  # its place was given up while a broker that hangs held up those before it
            self.send(ticket)
        except (OperationalError, OSError) as error:
            log.warning("ticket_not_sent", bot=ticket.bot, queue=ticket.queue, error=type(error).__name__)


def celery_producer() -> Celery:
    """A Celery application that only sends: it knows the broker and the queues, and no task."""
    app = YardCelery("botyard-producer", set_as_current=False)
    app.config_from_object("celeryconfig")
    return app
