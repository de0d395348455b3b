"""``job_queue`` as bots know it, whose jobs are rows in PostgreSQL. See docs/jobs.md.

Within an update's run whatever handlers do with jobs is noted in the run, and written with it. Before, while the bot is
built, its jobs are *declared*: see `botyard.jobs.declaring`.
"""

import re
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Literal
from uuid import uuid4

from telegram._utils.datetime import localize
from telegram.ext import JobQueue

from botyard.errors import InputError, PermanentError
from botyard.jobs import callbacks
from botyard.jobs.changes import JobChanges
from botyard.jobs.declaring import declare
from botyard.jobs.stored import StoredJob, StoredJobs, mailbox_of
from botyard.jobs.triggers import first_moment, make_trigger
from botyard.telegram.firing import Firing
from botyard.telegram.job import DurableJob, kept
from botyard.telegram.run import UpdateRun, current_run
from botyard.telegram.timeouts import TimedConversations

_OPTIONS: Final = frozenset(
    {"misfire_grace_time", "coalesce", "id", "replace_existing", "max_instances", "next_run_time"}
)
_REFUSED: Final = frozenset({"executor", "jobstore", "args", "kwargs", "func", "name"})
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EVERY_DAY: Final = tuple(range(7))

When = float | timedelta | datetime | time


class Scheduler:
    """What handlers find as ``job_queue.scheduler``: APScheduler's own is not there.

    Args:
        timezone: of times that name none.
    """

    running = True

    def __init__(self, timezone: tzinfo) -> None:
        self.timezone = timezone

    def configure(self, **_: Any) -> None:
        """Nothing can be configured; python-telegram-bot does so when it builds an application."""

    def __getattr__(self, name: str) -> Any:
        raise InputError(
            "job_queue.scheduler", f"{name} does not exist here: jobs are kept in PostgreSQL.", "Use job_queue itself."
        )


class DurableJobQueue(JobQueue[Any]):
    """``JobQueue`` without a scheduler of its own."""

    def __init__(self) -> None:
        # Not the base's, which asks for APScheduler's scheduler.
        self._application = None
        self._declared: dict[str, DurableJob] | None = {}
        self._stored: StoredJobs | None = None
        self.scheduler: Any = Scheduler(UTC)
        self.conversations = TimedConversations(self)

    @property
    def modules(self) -> Mapping[str, ModuleType]:
        """Modules of callbacks that are not imported by their own name, by the name that stays."""
        return getattr(self.application, "modules", {})

    @property
    def codec(self) -> Any:
        """Writes and reads the data of jobs, as it does what the application remembers."""
        application: Any = self.application
        return application.codec

    def serve(self, stored: StoredJobs) -> None:
        """Say whose jobs these are; before ``post_init``."""
        self._stored = stored

    @property
    def stored(self) -> StoredJobs:
        """The bot's jobs.

        Raises:
            InputError: the bot's code is only looked at.
        """
        if self._stored is None:
            raise InputError("job_queue", "there are no jobs to see while the code is loaded.", "Ask in a handler.")
        return self._stored

    def set_application(self, application: Any) -> None:
        """Called by python-telegram-bot when it builds the application."""
        self._application = weakref.ref(application)
        defaults = getattr(application.bot, "defaults", None)
        self.scheduler = Scheduler((defaults.tzinfo if defaults else None) or UTC)

    async def start(self) -> None:
        """Nothing to start: the clocks of the workers look for what is due."""

    async def stop(self, wait: bool = True) -> None:
        """Nothing to stop."""

    def run_once(
        self, callback: Any, when: When, data: object | None = None, name: str | None = None,
        chat_id: int | None = None, user_id: int | None = None, job_kwargs: Any = None,
    ) -> DurableJob:  # fmt: skip
        """As in python-telegram-bot; a moment that has passed is due at once."""
        if self.conversations.knows(callback):
            return self.conversations.put_off(callback.__self__, self._moment(when), data)
        stored = self._described(callback, name, chat_id, user_id, ["once", _said(when)])
        stored.relative = not isinstance(when, datetime)
        return self._add(stored, callback, data, job_kwargs, "date", run_date=self._moment(when, shift_day=True))

    def run_repeating(
        self, callback: Any, interval: float | timedelta, first: When | None = None, last: When | None = None,
        data: object | None = None, name: str | None = None, chat_id: int | None = None, user_id: int | None = None,
        job_kwargs: Any = None,
    ) -> DurableJob:  # fmt: skip
        """As in python-telegram-bot; moments that were missed together fire once."""
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else interval
        begin = None if first is None else self._moment(first)
        end = None if last is None else self._moment(last)
        if begin and end and end < begin:
            raise ValueError("'last' must not be before 'first'!")
        stored = self._described(callback, name, chat_id, user_id, ["repeating", seconds, _said(first), _said(last)])
        arguments = {"seconds": seconds, "start_date": begin, "end_date": end}
        return self._add(stored, callback, data, job_kwargs, "interval", **arguments)

    def run_monthly(
        self, callback: Any, when: time, day: int, data: object | None = None, name: str | None = None,
        chat_id: int | None = None, user_id: int | None = None, job_kwargs: Any = None,
    ) -> DurableJob:  # fmt: skip
        """As in python-telegram-bot."""
        stored = self._described(callback, name, chat_id, user_id, ["monthly", _said(when), day])
        arguments = {"day": "last" if day == -1 else day} | self._clock(when)
        return self._add(stored, callback, data, job_kwargs, "cron", **arguments)

    def run_daily(
        self, callback: Any, time: time, days: tuple[int, ...] = _EVERY_DAY, data: object | None = None,
        name: str | None = None, chat_id: int | None = None, user_id: int | None = None, job_kwargs: Any = None,
    ) -> DurableJob:  # fmt: skip
        """As in python-telegram-bot."""
        stored = self._described(callback, name, chat_id, user_id, ["daily", _said(time), list(days)])
        arguments = {"day_of_week": ",".join(_DAYS[day] for day in days)} | self._clock(time)
        return self._add(stored, callback, data, job_kwargs, "cron", **arguments)

    def run_custom(
        self, callback: Any, job_kwargs: Any, data: object | None = None, name: str | None = None,
        chat_id: int | None = None, user_id: int | None = None,
    ) -> DurableJob:  # fmt: skip
        """As in python-telegram-bot, with the triggers date, interval and cron."""
        kwargs = dict(job_kwargs)
        said: list[Any] = ["custom", sorted((key, str(value)) for key, value in kwargs.items())]
        stored = self._described(callback, name, chat_id, user_id, said)
        return self._add(stored, callback, data, kwargs, kwargs.pop("trigger", "date"))

    def jobs(self, pattern: str | re.Pattern[str] | None = None) -> tuple[Any, ...]:
        """The jobs of the bot, as they are committed and as this update has changed them."""
        wanted = None if pattern is None else re.compile(pattern)
        run = _open_run()
        found = self._early() if run is None else self._seen(run, self.stored.every())
        return tuple(job for job in found if wanted is None or (job.name and wanted.search(job.name)))

    def get_jobs_by_name(self, name: str) -> tuple[Any, ...]:
        """The jobs of this name."""
        run = _open_run()
        found = self._early() if run is None else self._seen(run, self.stored.named(name))
        return tuple(job for job in found if job.name == name)

    async def fire(self, firing: Firing) -> None:
        """Call the callback of a job whose moment has come, in a run of its own; errors stand in ``run.errors``."""
        run = current_run.get()
        job = DurableJob(self, firing.job)
        run.jobs.fired = job.id
        run.jobs.handed[job.id] = job
        await job.run(self.application)

    def note(self, job: DurableJob, what: Literal["put", "drop", "set"]) -> None:
        """A job was made, removed or switched.

        Raises:
            InputError: the update that this would be written with has ended.
        """
        run = _open_run()
        if run is None:
            self._note_declared(job, what)
            return
        run.jobs.handed[job.id] = job
        # What was made in this run is written as it is at its end.
        run.jobs.done[job.id] = "put" if what == "set" and run.jobs.done.get(job.id) == "put" else what

    def declare_nothing(self) -> None:
        """What the bot's code has declared stays as it is: the present handlers are not its own."""
        self._declared = None

    def declare(self, version: int) -> None:
        """Write what was declared, after ``post_init``; called in a thread, which may wait. A second call does nothing.

        Args:
            version: the configuration version for which the bot was built.

        Raises:
            InputError: too many jobs are declared, or a callback or a job's data cannot be kept.
        """
        if self._declared is None:
            return
        made, self._declared = self._early(), None
        for job in made:
            # What a script is called was not known yet while it ran.
            job.stored.callback = callbacks.name_of(job.callback, self.modules)
            try:
                job.stored.data = kept(job.data, job.stored.name, self.codec)
            except PermanentError as error:
                raise InputError("job_queue", str(error)) from error
        declare(self.stored, version, [job.stored for job in made])

    def _early(self) -> list[DurableJob]:
        return list((self._declared or {}).values())

    def _note_declared(self, job: DurableJob, what: str) -> None:
        if self._declared is None or current_run.get(None) is not None:
            raise InputError(
                "job_queue", "there is no update with which this could be written.",
                "Change jobs in handlers and jobs, before they end, or while the bot is built.",
            )  # fmt: skip
        if what == "drop":
            self._declared.pop(job.id, None)
        else:
            self._declared[job.id] = job

    def _seen(self, run: UpdateRun, stored: list[StoredJob]) -> list[DurableJob]:
        """The stored jobs as this run has changed them, and those it has made."""
        changes: JobChanges = run.jobs
        found: list[Any] = []
        for row in stored:
            over = row.id == changes.fired and row.next_run is None and row.enabled
            if not over and changes.done.get(row.id) not in ("drop", "put"):
                found.append(changes.handed.get(row.id) or DurableJob(self, row))
                changes.handed[row.id] = found[-1]
        return found + [changes.handed[job] for job, what in changes.done.items() if what == "put"]

    def _described(
        self, callback: Any, name: str | None, chat_id: int | None, user_id: int | None, said: list[Any]
    ) -> StoredJob:
        known_as = callbacks.name_of(callback, self.modules)
        name = name or getattr(callback, "__name__", None) or callback.__class__.__name__
        job_id = uuid4().hex
        return StoredJob(
            job_id, name, known_as, {}, chat_id, user_id, mailbox_of(job_id, chat_id, user_id), {}, said=str(said)
        )

    def _add(
        self, stored: StoredJob, callback: Any, data: Any, job_kwargs: Any, kind: Any, **arguments: Any
    ) -> DurableJob:
        given: dict[str, Any] = dict(job_kwargs or {})
        if refused := given.keys() & _REFUSED:
            raise InputError("job_kwargs", f"{min(refused)} means nothing here.", "Leave it out.")
        options = {name: given.pop(name) for name in _OPTIONS & given.keys()}
        if options.get("max_instances", 1) != 1:
            raise InputError("max_instances", "a job never runs beside itself.", "Make two jobs of it.")
        arguments |= given
        stored.trigger = make_trigger(kind, arguments, self.scheduler.timezone)
        stored.grace = options.get("misfire_grace_time")
        stored.catches_up = not options.get("coalesce", True)
        self._identify(stored, options)
        stored.next_run = options.get("next_run_time", first_moment(stored.trigger, datetime.now(UTC)))
        if stored.next_run is not None and stored.next_run.tzinfo is None:
            stored.next_run = localize(stored.next_run, self.scheduler.timezone)
        stored.enabled = options.get("next_run_time", stored) is not None
        stored.data = kept(data, stored.name, self.codec)
        job = DurableJob(self, stored, callback, data)
        if stored.next_run is not None or not stored.enabled:
            self.note(job, "put")
        return job

    def _identify(self, stored: StoredJob, options: Mapping[str, Any]) -> None:
        if "id" not in options:
            return
        stored.id, stored.has_own_id = str(options["id"]), True
        stored.chat_key = mailbox_of(stored.id, stored.chat_id, stored.user_id)
        if options.get("replace_existing"):
            return
        run = _open_run()
        if run is None:
            taken = stored.id in (self._declared or {})
        else:
            done = run.jobs.done.get(stored.id)
            taken = done == "put" or (done != "drop" and stored.id != run.jobs.fired and self.stored.has(stored.id))
        if taken:
            raise import_module("apscheduler.jobstores.base").ConflictingIdError(stored.id)

    def _moment(self, when: When, *, shift_day: bool = False) -> datetime:
        """As in python-telegram-bot."""
        zone = self.scheduler.timezone
        if isinstance(when, timedelta):
            return datetime.now(zone) + when
        if isinstance(when, time):
            moment = datetime.combine(datetime.now(when.tzinfo or zone).date(), when)
            if moment.tzinfo is None:
                moment = localize(moment, zone)
            return moment + timedelta(days=1) if shift_day and moment <= datetime.now(UTC) else moment
        if isinstance(when, datetime):
            return when if when.tzinfo else localize(when, zone)
        return datetime.now(zone) + timedelta(seconds=when)

    def _clock(self, when: time) -> dict[str, Any]:
        return {
            "hour": when.hour, "minute": when.minute, "second": when.second,
            "timezone": when.tzinfo or self.scheduler.timezone,
        }  # fmt: skip


def _open_run() -> UpdateRun | None:
    run = current_run.get(None)
    return None if run is None or run.closed else run


def _said(when: Any) -> Any:
    """A time as its maker said it: the same words at the next start, whenever that is."""
    if isinstance(when, timedelta):
        return when.total_seconds()
    return f"{when.isoformat()} {when.tzinfo}" if isinstance(when, datetime | time) else when
