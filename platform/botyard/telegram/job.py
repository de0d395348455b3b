"""A job as handlers know it, kept in PostgreSQL. See docs/jobs.md."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from telegram.ext import Job

from botyard.jobs import callbacks
from botyard.jobs.stored import StoredJob
from botyard.jobs.triggers import first_moment, restored
from botyard.state.memory import Memory
from botyard.telegram.run import current_run

if TYPE_CHECKING:
    from botyard.telegram.job_queue import DurableJobQueue


def kept(data: Any, name: str, codec: Any) -> dict[str, Any]:
    """A job's data as it is kept: as the memory of a chat is. It may share parts with the data.

    Raises:
        NotKept: something in it cannot be kept.
    """
    run = current_run.get(None)
    provisional = run.provisional() if run is not None else ()
    return codec.dump(Memory(data={"data": data}), f"job {name}", provisional)  # type: ignore[no-any-return]


class DurableJob(Job[Any]):
    """``Job`` whose changes are written with everything else that the update at hand does.

    Args:
        queue: whose job.
        stored: its row.
    """

    __slots__ = ("_was", "queue", "stored")

    def __init__(self, queue: "DurableJobQueue", stored: StoredJob, callback: Any = None, data: Any = None) -> None:
        # Not the base's, which asks for APScheduler's scheduler.
        self.queue = queue
        self.stored = stored
        self.name = stored.name
        self.chat_id = stored.chat_id
        self.user_id = stored.user_id
        self.data = data
        self._was = _canonical(stored.data)
        if callback is None and not stored.is_timeout:
            run = current_run.get(None)
            self.data = queue.codec.load(stored.data, run.real_ids if run else {}).data.get("data")
        self.callback = callback or self._call
        self._removed = False

    async def _call(self, context: Any) -> Any:
        """What stands for the callback of a job that was loaded: it is looked up when it is called."""
        if self.stored.is_timeout:
            return await self.queue.conversations.fire(self, context)
        return await callbacks.find(self.stored.callback, self.queue.modules)(context)

    def __getattr__(self, item: str) -> object:
        raise AttributeError(f"'telegram.ext.Job' has no attribute {item!r} here")

    def __repr__(self) -> str:
        return f"Job[id={self.id}, name={self.name}, callback={self.stored.callback}, trigger={self.trigger}]"

    @property
    def id(self) -> str:
        """What tells it from others."""
        return self.stored.id

    @property
    def job(self) -> Any:
        """The job itself: there is no other one behind it."""
        return self

    @property
    def trigger(self) -> Any:
        """APScheduler's trigger."""
        return restored(self.stored.trigger)

    @property
    def next_t(self) -> datetime | None:
        """Its next moment."""
        return self.stored.next_run

    @property
    def next_run_time(self) -> datetime | None:
        """Its next moment, by the name APScheduler has for it."""
        return self.stored.next_run

    @property
    def enabled(self) -> bool:
        """Whether it fires."""
        return self.stored.enabled and not self._removed

    @enabled.setter
    def enabled(self, status: bool) -> None:
        moment = first_moment(self.stored.trigger, datetime.now(UTC)) if status else None
        if status and moment is None:
            self.schedule_removal()
            return
        self.stored.enabled, self.stored.next_run = status, moment
        self.queue.note(self, "set")

    def schedule_removal(self) -> None:
        """Remove it; it does not fire any more, not even if its moment has come and it waits for its turn."""
        self._removed = True
        self.queue.note(self, "drop")

    async def run(self, application: Any) -> None:
        """Call its callback now, beside its schedule; what that raises goes to the error handlers."""
        try:
            await self.callback(application.context_types.context.from_job(self, application))
        except Exception as error:  # noqa: BLE001 - whatever the bot's code raises is its error handlers' business
            await application.process_error(None, error, job=self)

    def kept_data(self) -> dict[str, Any]:
        """Its data now, as it is kept.

        Raises:
            NotKept: something in it cannot be kept.
        """
        return self.stored.data if self.stored.is_timeout else kept(self.data, self.stored.name, self.queue.codec)

    def is_changed(self, data: dict[str, Any]) -> bool:
        """Whether these are other data than it was loaded with."""
        return _canonical(data) != self._was


def _canonical(data: dict[str, Any]) -> bytes:
    # As JSON, in which 1 and true differ; and now, for what was loaded may share its parts with what handlers change.
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
