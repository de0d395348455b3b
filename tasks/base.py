"""The base of every task: log context, and a process edge that no error crosses unseen."""

from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)


class YardTask(Task):  # type: ignore[type-arg]
    """Binds ids for the logs; what is away for now ends the task, and the sweep brings the work back."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body in its log context."""
        with structlog.contextvars.bound_contextvars(task=self.name, task_id=self.request.id):
            try:
                return super().__call__(*args, **kwargs)
            except (RedisError, *DATABASE_TROUBLE) as error:
                log.warning("task_gave_up", error=type(error).__name__)
                raise Ignore from None

    def stamp(self) -> int | None:
        """When the ticket was born, in milliseconds of Redis' clock."""
        stamp = self.request.get("stamp")
        return stamp if isinstance(stamp, int) else None

    def ticket_id(self) -> str:
        """The ticket's id, which is the task's."""
        return str(self.request.id)

    def came_through(self) -> str:
        """The queue the message came through."""
        return str((self.request.delivery_info or {}).get("routing_key", ""))
