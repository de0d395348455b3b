"""One ticket's worth of work: a short time slice of one bot's updates. See docs/processing.md."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError

from botyard.bots import activity
from botyard.bots.queues import change_queue, note_blocking
from botyard.bots.registry import ServedBot
from botyard.errors import InputError
from botyard.hosting import Host
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.leases import Lease, Renewer
from botyard.mailbox.owners import owner_tokens
from botyard.mailbox.protocol import Held
from botyard.mailbox.tickets import TicketQueue
from botyard.processing import failure_notes, store
from botyard.processing.batcher import Batcher
from botyard.processing.early import EarlySends
from botyard.processing.paces import Paces
from botyard.processing.preparing import Preparer
from botyard.processing.resolving import Contended, Ended, HandlerFailed, Resolver
from botyard.processing.solitude import Solitude
from botyard.processing.store import Loaded, Wanted
from botyard.processing.watch import LoopWatch
from botyard.processing.yielding import Yielding
from botyard.telemetry import metrics
from db.engine import DATABASE_TROUBLE, is_reachable

log = structlog.get_logger(__name__)

_UNCOUNTED_TRIES: Final = 10
_LONGEST_AWAY_SECONDS: Final = 30.0
# A suspect waits this long for its process to become empty, then gives another process the chance.
_PATIENCE_SECONDS: Final = 5.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_STAND_ASIDE_SECONDS: Final = 0.05
# All slow bots work in one process, and would end with it. A suspect among them is run by a child that works on nothing
# else meanwhile, before the other chats of its bot, and none of them with it; one suspect at a time, for there are two
# such children, and they have other work.
_APART: Final = "maintenance"
_FIRST_SECONDS: Final = -3600.0
_ANOTHER_FIRST_SECONDS: Final = 0.5
_MOST_STARTS_KNOWN: Final = 10_000
_LOOK_AGAIN_SECONDS: Final = 0.1
_MOST_TAKEN: Final = 32
"""Chats taken in one trip: if its answer is lost, nobody holds them until their leases pass."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the slices of one process share.

    Args:
        keeper: the steps of the protocol that threads make.
        renewer: the thread that renews leases.
        tickets: where tickets go.
        solitude: who may run beside whom.
        paces: how quick the bots are.
        watch: notices a loop that stands still.
        patience: how often an update failed for reasons that were not its own.
        lent: starts that were to be made apart, as bot, update and number, and since when.
        leaving: whether this process is about to end: others are to take what it has not begun.
    """

    keeper: Keeper
    renewer: Renewer
    tickets: TicketQueue
    solitude: Solitude = field(default_factory=Solitude)
    paces: Paces = field(default_factory=Paces)
    watch: LoopWatch = field(default_factory=lambda: LoopWatch(note_blocking))
    patience: Counter[tuple[int, int]] = field(default_factory=Counter)
    lent: dict[tuple[int, int, int], float] = field(default_factory=dict)
    leaving: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class _Holding:
    """A chat in our hands, and what became of it."""

    held: Held
    token: str
    lost: bool = False


class Slice:
    """Works on one bot's chats, several side by side, until its time is over or nothing is left.

    Args:
        host: clients and applications of this loop.
        tools: what slices of this process share.
        telegram_id: whose updates.
        ticket: the ticket's id.
        queue: the queue it came through.
    """

    def __init__(self, host: Host, tools: Tools, telegram_id: int, ticket: str, queue: str) -> None:
        self._host = host
        self._tools = tools
        self._telegram_id = telegram_id
        self._ticket = ticket
        self._queue = queue
        self._until = time.monotonic() + host.settings.slice_seconds
        self._left = 1 if queue == _APART else host.settings.slice_updates
        self._yielding = Yielding(host.redis, queue, telegram_id)
        self._taken = 0
        self._stride = 1
        self._stopped = False
        self._moved = False
        self._chats: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._trouble: BaseException | None = None
        """What a chat ended with that the slice cannot go on after."""

    async def run(self, stamp: int | None) -> None:
        """Work the slice; ``stamp`` is when the ticket was born, in milliseconds of Redis' clock."""
        bot = await self._host.bot_by_telegram_id(self._telegram_id)
        if bot is None or bot.status == "inactive":
            log.error("bot_unknown", telegram_id=self._telegram_id)
            # What waits for it stays; without this the sweep would bring a ticket for it again and again.
            await self._host.mailboxes.pause(self._telegram_id, self._ticket)
            return
        with structlog.contextvars.bound_contextvars(bot=bot.id):
            await self._run(bot, stamp)

    async def _run(self, bot: ServedBot, stamp: int | None) -> None:
        if self._queue == _APART:
            await self._host.mailboxes.keep_apart(self._telegram_id, self._host.settings.handler_timeout_seconds + 15)
        try:
            resolver = await self._resolver(bot)
        except InputError:
            # The host has said so. The ticket keeps its place until its time is over: a pause before the next try.
            return
        try:
            with self._tools.watch.watching(bot.id):
                retired = await self._work(bot, resolver, stamp)
        except BaseException:
            # Shutdown, or Redis is away: what is still held goes back uncounted, as far as Redis can be reached.
            for task in self._chats:
                task.cancel()
            await asyncio.gather(*self._chats, return_exceptions=True)
            raise
        if self._queue == _APART:
            await self._host.mailboxes.call_back(self._telegram_id)
        if not retired:
            if not self._taken:
                # Somebody wants to be alone here: do not come back at once, and again.
                await asyncio.sleep(_STAND_ASIDE_SECONDS)
            self._tools.tickets.send_soon(await self._host.mailboxes.finish(self._telegram_id, self._ticket))

    async def _resolver(self, bot: ServedBot) -> Resolver:
        host, telegram_id = self._host, self._telegram_id
        limit, most = host.settings.slice_chats, host.settings.max_attempts
        application = await host.application(bot)
        loads: Batcher[Wanted, Loaded] = Batcher(
            lambda wanted: store.load(host.statements, bot, telegram_id, wanted), limit
        )
        return Resolver(
            bot,
            application,
            Preparer(bot, telegram_id, application, loads, host.statements, host.database, most),
            EarlySends(bot, telegram_id, host.statements, partial(self._wake, bot.id)),
            Batcher(lambda batch: store.commit(host.statements, bot, telegram_id, batch), limit),
            host.settings,
            partial(self._note_pace, bot),
            partial(host.follow_group, bot),
        )

    async def _wake(self, bot_id: int) -> None:
        ticket = await asyncio.to_thread(self._tools.keeper.wake, bot_id)
        if ticket is not None:
            self._tools.tickets.send_soon(ticket)

    def _note_pace(self, bot: ServedBot, seconds: float) -> None:
        """Let a bot work where it belongs: the quick ones apart from those that wait."""
        queue = self._tools.paces.note(bot, seconds)
        if queue is not None and not self._moved:
            self._moved = True
            words = "its handlers are quick" if queue == "updates" else f"one of its handlers took {seconds:.1f} s"
            self._host.database.submit(change_queue, bot.id, queue, words)

    def _going_on(self) -> bool:
        others_turn = self._stopped or self._tools.solitude.wanted or self._tools.leaving()
        return not others_turn and self._left > 0 and time.monotonic() < self._until

    async def _work(self, bot: ServedBot, resolver: Resolver, stamp: int | None) -> bool:
        """Take chats while there is room; true when the last take retired the ticket."""
        while True:
            going_on = self._going_on()
            retired = going_on and await self._fill(bot, resolver, stamp)
            if self._trouble is not None:
                raise self._trouble
            if retired:
                return True
            stamp = None
            if not self._chats:
                return False
            # While some chats are held others may become ready, without a ticket of their own: look again.
            await self._until_one_ends(_LOOK_AGAIN_SECONDS if going_on else _LONGEST_WAIT_SECONDS)

    async def _until_one_ends(self, seconds: float) -> None:
        """Wait for a chat to end, at most so long. As ``asyncio.wait``, which looks at all of them each time."""
        timer = asyncio.get_running_loop().call_later(seconds, self._ended.set)
        try:
            await self._ended.wait()
        finally:
            timer.cancel()
        self._ended.clear()

    def _chat_ended(self, task: "asyncio.Task[None]") -> None:
        self._chats.discard(task)
        # Asked for of each of them: asyncio reports those that nobody asks for as errors of the code.
        trouble = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._trouble = self._trouble or trouble
        self._ended.set()

    async def _fill(self, bot: ServedBot, resolver: Resolver, stamp: int | None) -> bool:
        """Take what is ready, up to the room there is; true when that retired the ticket."""
        while self._going_on() and (room := self._host.settings.slice_chats - len(self._chats)) > 0:
            if self._taken and await self._yielding.is_due():
                self._left = 0
                break
            holding, count = bool(self._chats), min(self._stride, room, self._left)
            found = await self._take(count, stamp, holding=holding)
            stamp = None
            self._taken += len(found)
            for one in found:
                task = asyncio.create_task(self._serve(bot, resolver, one))
                task.add_done_callback(self._chat_ended)
                self._chats.add(task)
            # As many as there were, and then more: where much is ready it is taken in few steps.
            self._stride = min(max(1, 2 * len(found)), _MOST_TAKEN)
            if len(found) < count:
                return not holding and not found
            # A suspect says so in its first step: nothing more is taken beside it.
            await asyncio.sleep(0)
        return False

    async def _take(self, count: int, stamp: int | None, *, holding: bool) -> list[_Holding]:
        """As many chats as are ready, up to ``count``, in one trip to Redis."""
        tokens = owner_tokens(count)
        take = self._host.mailboxes.take
        found = await take(self._telegram_id, self._ticket, tokens, stamp, self._queue, holding=holding)
        return [_Holding(one, token) for one, token in zip(found, tokens, strict=False)]

    async def _serve(self, bot: ServedBot, resolver: Resolver, holding: _Holding) -> None:
        """One chat, update after update, until it is empty, parked, released or lost."""
        following: Held | None = holding.held
        try:
            while following is not None:
                holding.held = following
                self._left -= 1
                following = await self._serve_update(bot, resolver, holding)
        except asyncio.CancelledError:
            if holding.lost:
                log.warning("lease_lost", chat=holding.held.chat, update_id=holding.held.update_id)
                return
            await self._park(holding, 0, counted=False)
            raise

    def _keep(self, holding: _Holding) -> Lease:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        keeper, telegram_id, ticket = self._tools.keeper, self._telegram_id, self._ticket

        def lost() -> None:
            holding.lost = True
            # If it blocks its thread nobody can end it; it must not keep this process from being empty.
            self._tools.solitude.leave(holding.token)
            if task is not None and not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

        return self._tools.renewer.keep(
            lambda: keeper.renew(telegram_id, holding.held.chat, holding.token, ticket), _LONGEST_WAIT_SECONDS, lost
        )

    async def _serve_update(self, bot: ServedBot, resolver: Resolver, holding: _Holding) -> Held | None:
        """Resolve the chat's head; the chat's next update, if it is ours too."""
        held = holding.held
        lease = self._keep(holding)

        def begin() -> None:
            # The budget is the handler's: waiting for its turn costs none of it.
            lease.until = time.monotonic() + self._host.settings.handler_timeout_seconds + 5

        try:
            ended = await self._resolve(resolver, holding, begin)
        except (HandlerFailed, Contended, *DATABASE_TROUBLE) as error:
            self._tools.renewer.drop(lease)
            await self._put_back(bot, holding, error)
            return None
        finally:
            # Before the chat is let go: a renewal that comes after it would be told "lost".
            self._tools.renewer.drop(lease)
        metrics.PROCESSED.inc(bot=bot.id, outcome=ended.outcome)
        activity.note(bot, "updates")
        if ended.outcome == "dead":
            activity.note(bot, "dead_updates")
        if ended.failure is not None:
            await self._note_failure(held, ended.failure)
        self._tools.patience.pop((self._telegram_id, held.update_id), None)
        dropped = await self._host.mailboxes.done(
            self._telegram_id, held, holding.token, more=self._going_on(), sender=bot.id if ended.wake else None
        )
        self._tools.tickets.send_soon(dropped.woken)
        return dropped.following

    async def _resolve(self, resolver: Resolver, holding: _Holding, begin: Callable[[], None]) -> Ended:
        held, solitude = holding.held, self._tools.solitude
        if held.suspect:
            log.warning("update_suspect", update_id=held.update_id, chat=held.chat, attempt=held.attempt)
            if self._queue == "slow":
                await self._lend(held)
            async with solitude.alone(holding.token, _PATIENCE_SECONDS) as alone:
                if not alone:
                    raise Contended(_PATIENCE_SECONDS)
                return await resolver.resolve(held, begin)
        if not solitude.enter(holding.token):
            raise Contended(_STAND_ASIDE_SECONDS)
        try:
            return await resolver.resolve(held, begin)
        finally:
            solitude.leave(holding.token)

    async def _lend(self, held: Held) -> None:
        """Let a suspect be run apart; if that was tried in vain it is run here, alone."""
        start, now, known = (self._telegram_id, held.update_id, held.attempt), time.monotonic(), self._tools.lent
        tried = known.get(start)
        if tried is not None and now > tried + self._host.settings.ticket_queued_seconds:
            return
        # At once, before anything is awaited: it comes back before all others, and not to this slice.
        self._stopped = True
        if tried is None:
            try:
                lent = await self._host.mailboxes.lend(self._telegram_id, self._ticket)
            except RedisError:
                # A start that was not made must not count, or an outage would use up all that it has.
                lent = False
            if not lent:
                raise Contended(_ANOTHER_FIRST_SECONDS)
            if len(known) > _MOST_STARTS_KNOWN:
                known.clear()
            known[start] = now
        raise Contended(_FIRST_SECONDS)

    async def _put_back(self, bot: ServedBot, holding: _Holding, error: Exception) -> None:
        """Park the chat for as long as its trouble asks for."""
        if isinstance(error, HandlerFailed):
            await self._failed(bot, holding, error)
        elif isinstance(error, Contended):
            await self._park(holding, error.retry_in, counted=False)
        else:
            await self._away(holding, error)

    async def _failed(self, bot: ServedBot, holding: _Holding, failure: HandlerFailed) -> None:
        held = holding.held
        delay = self._host.settings.backoff_seconds * 2 ** (held.attempt - 1)
        metrics.PROCESSED.inc(bot=bot.id, outcome="failed")
        log.warning(
            "handler_failed",
            update_id=held.update_id, attempt=held.attempt, retry_in=delay, reason=failure.reason,
            traceback=failure.detail,
        )  # fmt: skip
        await self._note_failure(held, failure)
        await self._park(holding, delay, counted=True)

    async def _note_failure(self, held: Held, failure: HandlerFailed) -> None:
        url = self._host.settings.failure_notes_url
        await failure_notes.tell(url, self._telegram_id, held, failure.reason, failure.detail)

    async def _away(self, holding: _Holding, error: Exception) -> None:
        """The database failed: not the update's fault, unless it keeps failing while the database answers others."""
        self._stopped = True
        held = holding.held
        key = (self._telegram_id, held.update_id)
        self._tools.patience[key] += 1
        tries = self._tools.patience[key]
        loop = asyncio.get_running_loop()
        to_blame = tries > _UNCOUNTED_TRIES and await loop.run_in_executor(self._host.database, is_reachable)
        delay = min(2.0 ** (tries - 1), _LONGEST_AWAY_SECONDS)
        log.warning("database_failed", update_id=held.update_id, retry_in=delay, error=type(error).__name__)
        await self._park(holding, delay, counted=to_blame)

    async def _park(self, holding: _Holding, delay: float, *, counted: bool) -> None:
        await self._host.mailboxes.fail(self._telegram_id, holding.held, holding.token, delay, counted=counted)
