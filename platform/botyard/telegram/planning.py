"""``context.schedule``: texts that a bot's code has sent by itself, later or again and again. See docs/schedules.md.

They are jobs (see `botyard.telegram.job_queue`), written with everything else that the update at hand does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from telegram.ext import CallbackContext, ContextTypes

from botyard.errors import InputError
from botyard.jobs.moments import crontab, fit_zone, instant, is_zone
from botyard.jobs.stored import StoredJobs
from botyard.telegram.run import Lane, current_run
from botyard.users.readers import somebody
from botyard.users.rendering import PARSE_MODES, check_text, in_language, rendered
from botyard.users.tags import fit_language

Texts = str | Mapping[str, str]
"""One text for everybody, or one for each language; the first one is for whoever reads none of these."""

_UTC: Final = "UTC"


@dataclass(frozen=True, slots=True)
class _When:
    at: datetime | None
    after: float | timedelta | None
    every: float | timedelta | None
    cron: str | None
    until: datetime | None
    zone: str | None


class Planning:
    """What contexts of handlers and jobs have beside python-telegram-bot's own."""

    __slots__ = ()

    def schedule(
        self: Any, text: Texts, *, at: datetime | None = None, after: float | timedelta | None = None,
        every: float | timedelta | None = None, cron: str | None = None, until: datetime | None = None,
        zone: str | None = None, name: str | None = None, chat_id: int | None = None, user_id: int | None = None,
        **message: Any,
    ) -> Any:  # fmt: skip
        """Have a text sent by itself: once at a moment or after a while, or again and again.

        Args:
            text: with ``{{variables}}``, see docs/schedules.md.
            at: when; a clock time of the zone, if it names none.
            after: seconds from now.
            every: seconds between two; the first one comes after as many.
            cron: minute, hour, day, month and weekday, as ``0 9 * * mon-fri``.
            until: none comes behind this.
            zone: of clock times, as ``Europe/Berlin``; none: the person's, or the bot's.
            name: one of the same name for the same chat is replaced.
            chat_id: to whom; none: the chat at hand.
            user_id: whose variables and zone; none: the person's at hand.
            message: what else ``send_message`` takes.

        Returns:
            The job.

        Raises:
            InputError: something of it makes no sense.
        """
        run = current_run.get()
        chat_id = run.chat_id if chat_id is None else chat_id
        if self.job_queue is None or chat_id is None:
            raise InputError("schedule", "has no chat, or no job queue.", "Say chat_id=, and let the bot have one.")
        before = _named(self.job_queue, name, chat_id)
        options = {
            "data": _said(text, message, self.bot), "name": name or say.__name__, "chat_id": chat_id,
            "user_id": run.user_id if user_id is None else user_id,
        }  # fmt: skip
        made = _made(self.job_queue, _When(at, after, every, cron, until, zone), options)
        _remove(before)
        return made

    def unschedule(self: Any, name: str, chat_id: int | None = None) -> bool:
        """Take back what was scheduled under a name for a chat, the one at hand; whether there was something."""
        chat_id = current_run.get().chat_id if chat_id is None else chat_id
        return _remove(_named(self.job_queue, name, chat_id))


async def say(context: "CallbackContext[Any, Any, Any, Any]") -> None:
    """The callback of these jobs: send the text, as it is for whoever reads it then."""
    job: Any = context.job
    said: dict[str, Any] = job.data
    stored = job.queue.stored
    # In a thread: others' updates go on meanwhile.
    reader = (await asyncio.to_thread(somebody, stored.bot_id, stored.customer_id, job.user_id)).reader
    current_run.get().lane = Lane.SCHEDULED
    text = rendered(
        in_language(said["texts"], reader.language, said["default"]), reader, _parse_mode(said["message"], context.bot)
    )
    await context.bot.send_message(job.chat_id, text, **said["message"])


def planning(types: "ContextTypes[Any, Any, Any, Any]") -> "ContextTypes[Any, Any, Any, Any]":
    """The classes of a bot's contexts and data, as its author chose them; contexts can plan."""
    chosen = types.context
    made = type(chosen.__name__, (chosen, Planning), {"__slots__": ()})
    return ContextTypes(made, types.bot_data, types.chat_data, types.user_data)


def _named(queue: Any, name: str | None, chat_id: int | None) -> list[Any]:
    return [] if name is None else [job for job in queue.get_jobs_by_name(name) if job.chat_id == chat_id]


def _remove(jobs: list[Any]) -> bool:
    for job in jobs:
        job.schedule_removal()
    return bool(jobs)


def _made(queue: Any, when: _When, options: dict[str, Any]) -> Any:
    """A job for this moment, or these moments."""
    once = when.at is not None or when.after is not None
    count = sum(one is not None for one in (when.at, when.after, when.every, when.cron))
    if count != 1 or (once and when.until is not None):
        raise InputError(
            "schedule", "is for no moment, or for several.", "Say one of at, after, every and cron; until ends these."
        )
    if when.every is not None:
        return queue.run_repeating(say, when.every, last=when.until, **options)
    if when.after is not None:
        return queue.run_once(say, when.after, **options)
    there = _zone(when.zone, queue.stored, options["user_id"])
    if when.at is not None:
        return queue.run_once(say, instant(when.at.isoformat(), there), **options)
    trigger = {"trigger": "cron", "timezone": ZoneInfo(there), "end_date": when.until, **crontab(when.cron)}
    return queue.run_custom(say, trigger, **options)


def _said(text: Texts, message: dict[str, Any], bot: Any) -> dict[str, Any]:
    texts = {"": text} if isinstance(text, str) else {(fit_language(one) or ""): said for one, said in text.items()}
    if not texts:
        raise InputError("text", "is none.", "Write one, or one for each language.")
    for said in texts.values():
        check_text(said, "text")
    if _parse_mode(message, bot) not in PARSE_MODES:
        raise InputError("parse_mode", "is unknown.", "Use one of telegram.constants.ParseMode.")
    return {"texts": texts, "default": next(iter(texts)), "message": message}


def _parse_mode(message: Mapping[str, Any], bot: Any) -> str | None:
    by_default = bot.defaults.parse_mode if bot.defaults is not None else None
    mode = message.get("parse_mode", by_default)
    return None if mode is None else str(mode)


def _zone(name: str | None, stored: StoredJobs, user_id: int | None) -> str:
    if name is not None:
        return fit_zone(name)
    # This blocks its loop for a moment, as all that handlers ask their jobs without waiting does.
    zones = somebody(stored.bot_id, stored.customer_id, user_id).zones
    return next((str(one) for one in zones if is_zone(one)), _UTC)
