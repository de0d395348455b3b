"""The base of every task: log context, and a process edge that no error crosses unseen."""

import inspect
from typing import Any, Final

import structlog
from celery import Task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from db.engine import DATABASE_TROUBLE
from tasks.leaving import LEAVING
from tasks.receiving import refuse

log = structlog.get_logger(__name__)

_LARGEST: Final = 2**63 - 1


class YardTask(Task):  # type: ignore[type-arg]
    """Binds ids for the logs; what is away for now ends the task, and the sweep brings the work back."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body in its log context."""
        with structlog.contextvars.bound_contextvars(task=self.name, task_id=self.request.id):
            if not self._fits(args, kwargs):
                refuse("arguments")
                raise Ignore
            try:
                with LEAVING.at_work():
                    return super().__call__(*args, **kwargs)
            except (RedisError, *DATABASE_TROUBLE) as error:
                log.warning("task_gave_up", error=type(error).__name__)
                raise Ignore from None

    def _fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether it is called as we call it: with numbers of rows or of Telegram bots, and nothing else."""
        try:
            given = inspect.signature(self.run).bind(*args, **kwargs).args
        except TypeError:
            return False
        return not kwargs and all(type(number) is int and 0 < number <= _LARGEST for number in given)

    def stamp(self) -> int | None:
        """When the ticket was born, in milliseconds of Redis' clock."""
        stamp = self.request.get("stamp")
        return stamp if type(stamp) is int and 0 < stamp <= _LARGEST else None

    def ticket_id(self) -> str:
        """The ticket's id, which is the task's."""
        return str(self.request.id)

    def came_through(self) -> str:
        """The queue the message came through."""
        return str((self.request.delivery_info or {}).get("routing_key", ""))
