"""One update, from the head of its mailbox to a verdict of the database. See docs/processing.md."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from redis.exceptions import RedisError
from telegram import Update

from botyard.bots.registry import ServedBot
from botyard.chats.moving import move_told_by
from botyard.errors import PermanentError, TransientError
from botyard.mailbox.protocol import Held
from botyard.processing.batcher import Batcher
from botyard.processing.early import EarlySends
from botyard.processing.people import ACQUAINTANCES, Person
from botyard.processing.preparing import Occasion, Preparer, whose
from botyard.processing.rows import (
    BOT_DATA,
    Entry,
    bytes_only,
    entry_or_bytes,
    epitaph,
    grave,
    guards_of,
    is_firing,
    read_entry,
    row_of,
    send_row,
)
from botyard.processing.store import Decided, Loaded, Resolution, Verdict
from botyard.processing.turns import Turns
from botyard.settings import Settings
from botyard.state.refusal import NotKept
from botyard.telegram.application import YardApplication
from botyard.telegram.firing import Firing, firing_in
from botyard.telegram.keys import awaited_query
from botyard.telegram.run import Lane, Send, UpdateRun
from botyard.telemetry.fingerprints import of_error, of_words

log = structlog.get_logger(__name__)

_STALE_TRIES: Final = 5
# How long a chat waits for another one of its person before it is put back, and for how long.
_TURN_SECONDS: Final = 2.0
_CONTENDED_SECONDS: Final = 0.2
_AWAY_SECONDS: Final = 2.0
# A bot that is being removed: by then this process knows it, too, and begins nothing more for it.
_GONE_SECONDS: Final = 6.0


class HandlerFailed(PermanentError):
    """The bot's code raised, or took too long.

    Args:
        reason: one line, without secrets.
        detail: the traceback.
        fingerprint: the same for failures of one cause; none: the reason's words.
    """

    def __init__(self, reason: str, detail: str, fingerprint: str | None = None) -> None:
        super().__init__(reason, detail, fingerprint)
        self.reason = reason
        self.detail = detail
        self.fingerprint = fingerprint or of_words(reason)


class Contended(TransientError):
    """Others were in the way: try again in a moment, uncounted.

    Args:
        retry_in: seconds; below zero: before the other chats of its bot.
    """

    def __init__(self, retry_in: float) -> None:
        super().__init__("others were in the way", retry_in)
        self.retry_in = retry_in

    def __reduce__(self) -> tuple[type["Contended"], tuple[float]]:
        return type(self), (self.retry_in,)


class BotGone(Contended):
    """The bot was removed, or is being removed: what waits for it goes with it, unless it is added again.

    Args:
        retry_in: seconds.
    """


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an update."""

    outcome: Literal["done", "dead"]
    wake: bool
    """Whether the bot's sender is to be woken: also for an update that was resolved before, because whoever resolved
    it may have died before waking."""
    failure: HandlerFailed | None = None
    """What its last start raised, if that is why it is dead."""


class Resolver:
    """Loads, runs and commits updates of one bot; several at a time share statements.

    Args:
        bot: whose updates.
        application: its handlers, in this loop.
        preparer: makes their runs.
        early: writes what they send when they take their time.
        commits: batches of commits.
        settings: of this process.
        note: called with the seconds that an update's handlers took.
        follow: lets everything of a group follow it, given its old and its new id.
    """

    def __init__(
        self,
        bot: ServedBot,
        application: YardApplication,
        preparer: Preparer,
        early: EarlySends,
        commits: Batcher[Resolution, Decided],
        settings: Settings,
        note: Callable[[float], None],
        follow: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._bot = bot
        self._application = application
        self._preparer = preparer
        self._early = early
        self._commits = commits
        self._timeout = settings.handler_timeout_seconds
        self._max_attempts = settings.max_attempts
        self._note = note
        self._follow = follow
        self._turns = Turns()
        self._writes_bot_data = False

    async def resolve(self, held: Held, begin: Callable[[], None]) -> Ended:
        """Bring one update to its end; ``begin`` is called each time its handlers are about to start.

        Raises:
            HandlerFailed: the bot's code raised, and attempts are left.
            Contended: another chat of its person is busy, or others write its memory all the time.
            BotGone: nothing can be written for its bot any more.
        """
        try:
            entry = read_entry(held.body)
            update = firing_in(entry.content) if is_firing(held, entry) else self._update(entry)
        except Exception as error:  # noqa: BLE001 - anything may come in, and nobody's handler is to blame
            reason = f"python-telegram-bot cannot read it: {type(error).__name__}"
            return await self._bury(held, reason, traceback.format_exc())
        if held.attempt > self._max_attempts:
            reason = f"it was started {held.attempt - 1} times and never came to an end"
            detail = "No traceback: its process died, or stood still for too long."
            return await self._bury(held, reason, detail, attempts=held.attempt - 1)
        told = move_told_by(entry.content, held.chat)
        if told is not None:
            # Before its handlers: they are to find what the bot remembers of the group.
            await self._follow(*told)
        had: list[Hashable] = []
        try:
            for one in self._one_at_a_time(update):
                if not await self._turns.take(one, _TURN_SECONDS):
                    raise Contended(_CONTENDED_SECONDS)
                had.append(one)
            return await self._run_until_fresh(held, entry, update, begin)
        finally:
            for one in had:
                self._turns.give(one)

    def _update(self, entry: Entry) -> Update:
        return Update.de_json(entry.content, self._application.bot)

    async def _with_buttons(self, entry: Entry, update: Occasion, *, again: bool) -> Occasion:
        """An update whose buttons carry what they were given; anew if it was in a handler's hands before."""
        bot = self._application.bot
        if bot.buttons is None or isinstance(update, Firing):
            return update
        fresh = self._update(entry) if again else update
        await bot.buttons.recall(entry.text.encode())
        bot.insert_callback_data(fresh)
        return fresh

    def _one_at_a_time(self, update: Occasion) -> Iterator[Hashable]:
        """Two chats of one person side by side would only make each other's memory stale; so for ``bot_data``."""
        _, person = whose(update)
        if person is not None:
            yield person
        if self._writes_bot_data:
            yield BOT_DATA

    async def _run_until_fresh(self, held: Held, entry: Entry, update: Occasion, begin: Callable[[], None]) -> Ended:
        for turn in range(_STALE_TRIES):
            run, loaded = await self._preparer.prepare(held, update, again=turn > 0)
            update = await self._with_buttons(entry, update, again=turn > 0)
            if loaded.resolved:
                return Ended("done", wake=True)
            if isinstance(update, Firing) and not _still_to_run(held, update, loaded):
                return await self._passed_over(held, entry, run)
            begin()
            resolution, failure = await self._run_once(held, entry, update, run, loaded)
            self._writes_bot_data |= BOT_DATA in resolution.memory
            person = self._news_of(held, entry, update)
            decided = await self._commits.submit(resolution if person is None else person.joined(resolution))
            if decided.verdict is Verdict.REFUSED:
                return await self._refused(held, decided.reason)
            if decided.verdict is Verdict.GONE:
                raise BotGone(_GONE_SECONDS)
            if decided.verdict is Verdict.WRITTEN and person is not None:
                ACQUAINTANCES.keep(person)
            if decided.verdict is not Verdict.STALE:
                wake = any(not send.written for send in run.sends) or decided.verdict is Verdict.KNOWN
                dead = decided.verdict is Verdict.WRITTEN and failure is not None
                return Ended("dead", wake, failure) if dead else Ended("done", wake)
        raise Contended(_CONTENDED_SECONDS)

    def _news_of(self, held: Held, entry: Entry, update: Occasion) -> Person | None:
        """Who wrote, if that is to be noted; what a replay tells is old news."""
        if held.update_id < 0 or isinstance(update, Firing):
            return None
        return ACQUAINTANCES.news_of(self._bot.id, update, entry.received_at)

    async def _passed_over(self, held: Held, entry: Entry, run: UpdateRun) -> Ended:
        """Its job was removed, switched off or replaced while the firing waited."""
        log.info("job_passed_over", update_id=held.update_id, chat=held.chat)
        row = row_of(held, entry, run.chat_key, [], [])
        decided = await self._commits.submit(Resolution.of(held.update_id, (), row))
        if decided.verdict is Verdict.GONE:
            raise BotGone(_GONE_SECONDS)
        return Ended("done", wake=False)

    async def _run_once(
        self, held: Held, entry: Entry, update: Occasion, run: UpdateRun, loaded: Loaded
    ) -> tuple[Resolution, HandlerFailed | None]:
        run.started_at = datetime.now(UTC)
        async with self._early.watch(run, entry.received_at):
            failure = await self._handle(update, run)
        self._note((datetime.now(UTC) - run.started_at).total_seconds())
        self._answer_for_it(entry, run)
        if failure is None:
            try:
                return self._resolution(held, entry, run, loaded, None), None
            except HandlerFailed as error:
                failure = error
                run.sends.clear()
                self._answer_for_it(entry, run)
        if not run.last_attempt:
            raise failure
        log.error(
            "update_dead", update_id=held.update_id, chat=held.chat, reason=failure.reason, traceback=failure.detail
        )
        try:
            return self._resolution(held, entry, run, loaded, failure), failure
        except HandlerFailed:
            # What the error handlers sent cannot be stored: the dead letter stands without it.
            run.sends.clear()
            self._answer_for_it(entry, run)
            return self._resolution(held, entry, run, loaded, failure), failure

    def _answer_for_it(self, entry: Entry, run: UpdateRun) -> None:
        """A callback query that the handlers left unanswered would spin before the person's eyes."""
        query = awaited_query(entry.content)
        if query is not None and self._bot.answers_callbacks and not run.answers(query):
            run.queue(Send("answerCallbackQuery", {"callback_query_id": query}, run.chat_key, Lane.URGENT, after=None))

    async def _handle(self, update: Occasion, run: UpdateRun) -> HandlerFailed | None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._application.run(update, run)
        except TimeoutError:
            return self._cut_off(run, f"the handlers took longer than {self._timeout:g} s", "")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancels us: the bot's code awaited something that was cancelled.
            return self._cut_off(run, "CancelledError", traceback.format_exc())
        except NotKept as error:
            return self._cut_off(run, str(error), "")
        except SystemExit as error:
            # It must not end the worker's loop, in which other bots live.
            return self._cut_off(run, f"SystemExit: {error}", traceback.format_exc())
        if not run.errors:
            return None
        first = run.errors[0]
        if isinstance(first, TransientError | RedisError):
            # What the platform needed for the bot's call is away: not the bot's fault.
            raise Contended(_AWAY_SECONDS)
        detail = "".join(traceback.format_exception(first))
        return HandlerFailed(f"{type(first).__name__}: {first}", detail, of_error(first))

    @staticmethod
    def _cut_off(run: UpdateRun, reason: str, detail: str) -> HandlerFailed:
        for task in run.tasks:
            task.cancel()
        run.sends.clear()
        return HandlerFailed(reason, detail)

    def _resolution(
        self, held: Held, entry: Entry, run: UpdateRun, loaded: Loaded, failure: HandlerFailed | None
    ) -> Resolution:
        """What is to be written: everything the handlers did, or the dead letter and what error handlers sent."""
        try:
            guards = [] if failure else guards_of(run, loaded, self._application.codec)
            jobs = [] if failure else run.jobs.rows()
            sends = [send_row(send) for send in run.sends if not send.written]
            row = row_of(held, entry, run.chat_key, guards, sends, run.started_at, jobs)
            if failure is None and (run.dropped or run.cleared):
                row |= {"dropped": sorted(run.dropped), "cleared": run.cleared}
            if failure is not None:
                row["dead"] = epitaph(failure.reason, failure.detail, held.attempt, failure.fingerprint)
            touched = {(guard["scope"], guard["key"]) for guard in guards} | {("job", job["id"]) for job in jobs}
            if run.jobs.fired is not None:
                touched.add(("job", run.jobs.fired))
            return Resolution.of(held.update_id, touched, row)
        except NotKept as error:
            raise HandlerFailed(str(error), "") from None
        except (TypeError, ValueError) as error:
            raise HandlerFailed(f"what the bot sent or keeps is not text or a number: {error}", "") from None

    async def _refused(self, held: Held, reason: str) -> Ended:
        """The database refuses the update's rows for what stands in them: as if its handler had raised."""
        failure = HandlerFailed(f"the database refused what the bot sent or keeps: {reason}", "")
        if held.attempt < self._max_attempts:
            raise failure
        return await self._bury(held, failure.reason, failure.detail)

    async def _bury(self, held: Held, reason: str, detail: str, attempts: int | None = None) -> Ended:
        log.error("update_dead", update_id=held.update_id, chat=held.chat, reason=reason)
        dead = epitaph(reason, detail, held.attempt if attempts is None else attempts, of_words(reason))
        decided = await self._commits.submit(grave(held, entry_or_bytes(held), dead))
        if decided.verdict is Verdict.REFUSED:
            # PostgreSQL cannot store the body as JSON: keep its bytes, so that nothing is lost.
            decided = await self._commits.submit(grave(held, bytes_only(held), dead))
        if decided.verdict is Verdict.REFUSED:
            raise HandlerFailed(f"not even its dead letter can be stored: {decided.reason}", "")
        if decided.verdict is Verdict.GONE:
            raise BotGone(_GONE_SECONDS)
        return Ended("dead", wake=decided.verdict is Verdict.KNOWN)


def _still_to_run(held: Held, firing: Firing, loaded: Loaded) -> bool:
    """Take the job as it is now. A replay of a dead letter has a number of its own, and runs as it stands there."""
    if loaded.job is not None:
        firing.job = loaded.job
    return loaded.job is not None or held.update_id != firing.number
