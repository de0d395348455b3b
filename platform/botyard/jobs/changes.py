"""What one update's run does with jobs. Nothing of it is written before its handlers ended."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from botyard.jobs.stored import StoredJob


class Handed(Protocol):
    """A job as handlers have it."""

    @property
    def stored(self) -> StoredJob:
        """Its row."""

    def kept_data(self) -> dict[str, Any]:
        """Its data now, as it is kept."""

    def is_changed(self, data: dict[str, Any]) -> bool:
        """Whether these are other data than it was loaded with."""


@dataclass(slots=True)
class JobChanges:
    """Jobs that handlers were given in this run, and what they did with them."""

    handed: dict[str, Handed] = field(default_factory=dict)
    done: dict[str, Literal["put", "drop", "set"]] = field(default_factory=dict)
    fired: str | None = None
    """The job whose firing this run is."""

    def rows(self) -> list[dict[str, Any]]:
        """What is to be written, a row for each job.

        Raises:
            NotKept: a job's data cannot be kept.
        """
        dropped: list[dict[str, Any]] = [{"op": "drop", "id": job} for job, what in self.done.items() if what == "drop"]
        return dropped + [row for job in self.handed.values() if (row := self._row(job)) is not None]

    def _row(self, job: Handed) -> dict[str, Any] | None:
        stored, what = job.stored, self.done.get(job.stored.id)
        if what == "drop":
            return None
        data = job.kept_data()
        if what == "put":
            return stored.written() | {"op": "put", "data": data}
        if what == "set":
            return {
                "op": "set", "id": stored.id, "enabled": stored.enabled, "next_run": stored.next_run, "data": data,
            }  # fmt: skip
        over = stored.id == self.fired and stored.next_run is None
        return None if over or not job.is_changed(data) else {"op": "set", "id": stored.id, "data": data}
