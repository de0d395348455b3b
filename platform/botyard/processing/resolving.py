"""One update, from the head of its mailbox to a verdict of the database. See docs/processing.md."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import structlog
from telegram import Update

from botyard.bots.registry import ServedBot
from botyard.chats.moving import move_told_by
from botyard.chats.reach import reach_told_by
from botyard.errors import PermanentError, TransientError
from botyard.mailbox.protocol import Held
from botyard.processing.batcher import Batcher
from botyard.processing.store import (
    Decided,
    Loaded,
    MemoryKey,
    Resolution,
    Verdict,
    Wanted,
    encode_row,
)
from botyard.telegram.application import YardApplication
from botyard.telegram.keys import awaited_query, update_kind
from botyard.telegram.memory import NotPlain, dump, load
from botyard.telegram.run import Lane, Memory, Send, UpdateRun, of_provisional_id
from botyard.telemetry.fingerprints import of_error, of_words
from botyard.telemetry.redaction import redact
from db.engine import storable

log = structlog.get_logger(__name__)

_STALE_TRIES: Final = 5
# How long a chat waits for another one of its person before it is put back, and for how long.
_TURN_SECONDS: Final = 2.0
_CONTENDED_SECONDS: Final = 0.2
_BOT_DATA: Final[MemoryKey] = ("bot", "")
# How long a send is of use, in seconds. Answers count from the update's arrival: what Telegram says of it (a
# pre-checkout query), or for how long its server keeps the query.
_USEFUL_SECONDS: Final = {Lane.URGENT: 150, Lane.REPLY: 900}
_ANSWER_SECONDS: Final = {"answerPreCheckoutQuery": 10, "answerInlineQuery": 30}


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
        retry_in: seconds.
    """

    def __init__(self, retry_in: float) -> None:
        super().__init__("others were in the way", retry_in)
        self.retry_in = retry_in

    def __reduce__(self) -> tuple[type["Contended"], tuple[float]]:
        return type(self), (self.retry_in,)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an update."""

    outcome: Literal["done", "dead"]
    wake: bool
    """Whether the bot's sender is to be woken: also for an update that was resolved before, because whoever resolved
    it may have died before waking."""
    failure: HandlerFailed | None = None
    """What its last start raised, if that is why it is dead."""
    moved: tuple[str, str] | None = None
    """The old and the new id of a group, if the update said that it became a supergroup."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the webhook put into the mailbox: when it came, and the update's own JSON."""

    received_at: datetime
    text: str
    content: dict[str, Any]


def read_entry(body: bytes) -> Entry:
    """Split an entry of a mailbox, ``<milliseconds> <JSON>``."""
    stamp, _, text = body.partition(b" ")
    return Entry(datetime.fromtimestamp(int(stamp) / 1000, UTC), text.decode(), orjson.loads(text))


class Resolver:
    """Loads, runs and commits updates of one bot; several at a time share statements.

    Args:
        bot: whose updates.
        application: its handlers, in this loop.
        loads: batches of loads.
        commits: batches of commits.
        timeout: seconds that the handlers of one update may take.
        max_attempts: starts after which an update is given up.
        note: called with the seconds that an update's handlers took.
    """

    def __init__(
        self,
        bot: ServedBot,
        application: YardApplication,
        loads: Batcher[Wanted, Loaded],
        commits: Batcher[Resolution, Decided],
        timeout: float,
        max_attempts: int,
        note: Callable[[float], None],
    ) -> None:
        self._bot = bot
        self._application = application
        self._loads = loads
        self._commits = commits
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._note = note
        self._people: dict[int, asyncio.Lock] = {}
        self._bot_data = asyncio.Lock()
        self._writes_bot_data = False

    async def resolve(self, held: Held, begin: Callable[[], None]) -> Ended:
        """Bring one update to its end; ``begin`` is called each time its handlers are about to start.

        Raises:
            HandlerFailed: the bot's code raised, and attempts are left.
            Contended: another chat of its person is busy, or others write its memory all the time.
        """
        try:
            entry = read_entry(held.body)
            update = Update.de_json(entry.content, self._application.bot)
        except Exception as error:  # noqa: BLE001 - anything may come in, and nobody's handler is to blame
            reason = f"python-telegram-bot cannot read it: {type(error).__name__}"
            return await self._bury(held, reason, traceback.format_exc())
        if held.attempt > self._max_attempts:
            reason = f"it was started {held.attempt - 1} times and never came to an end"
            detail = "No traceback: its process died, or stood still for too long."
            return await self._bury(held, reason, detail, attempts=held.attempt - 1)
        async with self._turn(update):
            return await self._run_until_fresh(held, entry, update, begin)

    @contextlib.asynccontextmanager
    async def _turn(self, update: Update) -> AsyncIterator[None]:
        """Two chats of one person side by side would only make each other's memory stale; so for ``bot_data``."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_TURN_SECONDS):
                    if update.effective_user:
                        person = update.effective_user.id
                        await stack.enter_async_context(self._people.setdefault(person, asyncio.Lock()))
                    if self._writes_bot_data:
                        await stack.enter_async_context(self._bot_data)
            except TimeoutError:
                raise Contended(_CONTENDED_SECONDS) from None
            yield

    async def _run_until_fresh(self, held: Held, entry: Entry, update: Update, begin: Callable[[], None]) -> Ended:
        for _ in range(_STALE_TRIES):
            run, loaded = await self._load(held, update)
            if loaded.resolved:
                return Ended("done", wake=True, moved=move_told_by(entry.content, held.chat))
            begin()
            resolution, failure = await self._run_once(held, entry, update, run, loaded)
            self._writes_bot_data |= _BOT_DATA in resolution.memory
            decided = await self._commits.submit(resolution)
            if decided.verdict is Verdict.REFUSED:
                return await self._refused(held, decided.reason)
            if decided.verdict is not Verdict.STALE:
                wake = bool(run.sends) or decided.verdict is Verdict.KNOWN
                dead = decided.verdict is Verdict.WRITTEN and failure is not None
                moved = move_told_by(entry.content, held.chat)
                return Ended("dead", wake, failure, moved) if dead else Ended("done", wake, moved=moved)
        raise Contended(_CONTENDED_SECONDS)

    async def _run_once(
        self, held: Held, entry: Entry, update: Update, run: UpdateRun, loaded: Loaded
    ) -> tuple[Resolution, HandlerFailed | None]:
        run.started_at = datetime.now(UTC)
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

    async def _load(self, held: Held, update: Update) -> tuple[UpdateRun, Loaded]:
        chat_id = update.effective_chat.id if update.effective_chat else None
        user_id = update.effective_user.id if update.effective_user else None
        run = UpdateRun(held.update_id, held.chat, chat_id, user_id, held.attempt >= self._max_attempts)
        keys = tuple(key for key, _ in _memories(run))
        loaded = await self._loads.submit(Wanted(held.update_id, keys))
        if loaded.moved_to is not None and not loaded.resolved:
            # What waited in the mailbox of a group that became a supergroup.
            run.chat_key = loaded.moved_to
            keys = tuple(key for key, _ in _memories(run))
            loaded = await self._loads.submit(Wanted(held.update_id, keys))
        for key, (state, _) in loaded.states.items():
            memory = load(orjson.loads(state))
            setattr(run, key[0], memory)
        return run, loaded

    async def _handle(self, update: Update, run: UpdateRun) -> HandlerFailed | None:
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
        except SystemExit as error:
            # It must not end the worker's loop, in which other bots live.
            return self._cut_off(run, f"SystemExit: {error}", traceback.format_exc())
        if not run.errors:
            return None
        first = run.errors[0]
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
            guards = [] if failure else _guards(run, loaded)
            row = _row(held, entry, guards, [_as_row(send) for send in run.sends], run.started_at)
            if failure is not None:
                row["dead"] = _epitaph(failure.reason, failure.detail, held.attempt, failure.fingerprint)
            encoded = encode_row(row)
        except NotPlain as error:
            raise HandlerFailed(str(error), "") from None
        except TypeError as error:
            raise HandlerFailed(f"what the bot sent or keeps is not text or a number: {error}", "") from None
        return Resolution(held.update_id, frozenset((guard["scope"], guard["key"]) for guard in guards), encoded)

    async def _refused(self, held: Held, reason: str) -> Ended:
        """The database refuses the update's rows for what stands in them: as if its handler had raised."""
        failure = HandlerFailed(f"the database refused what the bot sent or keeps: {reason}", "")
        if held.attempt < self._max_attempts:
            raise failure
        return await self._bury(held, failure.reason, failure.detail)

    async def _bury(self, held: Held, reason: str, detail: str, attempts: int | None = None) -> Ended:
        log.error("update_dead", update_id=held.update_id, chat=held.chat, reason=reason)
        dead = _epitaph(reason, detail, held.attempt if attempts is None else attempts, of_words(reason))
        decided = await self._commits.submit(_grave(held, _entry_or_bytes(held), dead))
        if decided.verdict is Verdict.REFUSED:
            # PostgreSQL cannot store the body as JSON: keep its bytes, so that nothing is lost.
            decided = await self._commits.submit(_grave(held, _bytes_only(held), dead))
        if decided.verdict is Verdict.REFUSED:
            raise HandlerFailed(f"not even its dead letter can be stored: {decided.reason}", "")
        return Ended("dead", wake=decided.verdict is Verdict.KNOWN)


def _grave(held: Held, entry: Entry, dead: dict[str, Any]) -> Resolution:
    row = _row(held, entry, [], []) | {"messages": [], "dead": dead}
    return Resolution(held.update_id, frozenset(), encode_row(row))


def _entry_or_bytes(held: Held) -> Entry:
    try:
        return read_entry(held.body)
    except ValueError:
        return _bytes_only(held)


def _bytes_only(held: Held) -> Entry:
    return Entry(datetime.now(UTC), orjson.dumps({"unreadable": held.body.hex()}).decode(), {})


def _epitaph(reason: str, detail: str, attempts: int, fingerprint: str) -> dict[str, Any]:
    said = {"reason": reason, "detail": detail, "fingerprint": fingerprint}
    return {name: storable(redact(words)) for name, words in said.items()} | {"attempts": attempts}


def _memories(run: UpdateRun) -> list[tuple[MemoryKey, Memory]]:
    found: list[tuple[MemoryKey, Memory]] = [(("chat", run.chat_key), run.chat), (_BOT_DATA, run.bot)]
    if run.user_id is not None:
        found.append((("user", str(run.user_id)), run.user))
    return found


def _canonical(state: dict[str, Any]) -> bytes:
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


def _guards(run: UpdateRun, loaded: Loaded) -> list[dict[str, Any]]:
    """The memory rows to write, and the chat's own in any case: its version fences the update."""
    guards = []
    for (scope, key), memory in _memories(run):
        stored, version = loaded.states.get((scope, key), (b"{}", 0))
        state = dump(memory, f"{scope}_data")
        # As JSON, in which 1 and true differ.
        changed = _canonical(state) != _canonical(orjson.loads(stored))
        if changed or scope == "chat":
            guards.append({"scope": scope, "key": key, "version": version, "state": state if changed else None})
    return guards


def _row(
    held: Held,
    entry: Entry,
    guards: list[dict[str, Any]],
    sends: list[dict[str, Any]],
    started_at: datetime | None = None,
) -> dict[str, Any]:
    kind = update_kind(entry.content)
    content = entry.content.get(kind)
    messages = []
    if isinstance(content, dict) and isinstance(content.get("message_id"), int):
        text = content.get("text") or content.get("caption")
        # The body keeps it as it came.
        kept = storable(text) if isinstance(text, str) else None
        messages.append({"id": content["message_id"], "text": kept})
    return {
        "u": held.update_id,
        "k": held.chat,
        "kind": storable(kind[:64]),
        "body": entry.text,
        "at": entry.received_at,
        "started": started_at,
        "attempt": held.attempt,
        "guards": guards,
        "sends": sends,
        "messages": messages,
        "reach": reach_told_by(entry.content, kind),
    }


def _as_row(send: Send) -> dict[str, Any]:
    update_id, n = (None, None) if send.after is None else of_provisional_id(send.after)
    return {
        "method": send.method,
        "n": send.n,
        "params": send.params,
        "chat": send.chat_key,
        "lane": int(send.lane),
        "seconds": _ANSWER_SECONDS.get(send.method, _USEFUL_SECONDS.get(send.lane)),
        "after_update": update_id,
        "after_n": n,
    }
