"""Long polling into the same mailboxes, for bots that no webhook can reach. See docs/bots.md.

Source: https://core.telegram.org/bots/api#getupdates
"""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Collection
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError

from botyard.bots import poll_state
from botyard.bots.connection.first_contact import FirstContacts, is_known
from botyard.bots.health.verdicts import renew_contacts
from botyard.bots.kinds import wanted_updates
from botyard.bots.poll_state import PollState, Reason, now_ms
from botyard.bots.registry import PolledBot, end_leaving, polled_bots, version_with
from botyard.bots.stopping import REFUSED, stop_bot
from botyard.errors import InputError
from botyard.mailbox import scripts
from botyard.mailbox.inbound import Accepted, Mailboxes
from botyard.mailbox.protocol import fresh_id, mailbox_entry, times_of
from botyard.mailbox.server import async_redis
from botyard.mailbox.tickets import CeleryTickets, TicketQueue, celery_producer
from botyard.settings import Settings, get_settings
from botyard.sync import get_sync
from botyard.telegram.address import host_of, method_url
from botyard.telegram.keys import awaited_query, chat_key
from botyard.telegram.request import AiohttpRequest, JsonBody, wait_of
from botyard.telemetry.logs import configure_logs
from botyard.telemetry.redaction import redact
from botyard.telemetry.reports import configure_reports
from botyard.vault.opening import open_sealed

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 5.0
_READ_SECONDS: Final = 60.0
_ONCE_MORE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 25
_LEASE_MS: Final = 20_000
_LONGEST_WAIT: Final = 60.0
# The other poller is a person's forgotten program more often than not: be there soon after it was stopped.
_LONGEST_CONFLICT: Final = 10.0
_CONFLICT_SECONDS: Final = 5
_FULL_SECONDS: Final = 5.0
_KEY_SECONDS: Final = 60.0
_RENEW_SECONDS: Final = 1800.0
# Thousands of bots may wait for a permit: they must not all ask for it in the same moment, nor all the time.
_SHORTEST_TURN: Final = 30.0
_LONGEST_TURN: Final = 300.0


class Poller:
    """Polls every bot whose intake is polling; a lease keeps two pollers off one bot.

    Args:
        settings: of this process.
        tickets: where tickets go; Celery's broker if not given.
    """

    def __init__(self, settings: Settings, tickets: TicketQueue | None = None) -> None:
        url = settings.require("redis_url")
        self._settings = settings
        self._redis = async_redis(url, 5)
        self._mailboxes = Mailboxes(self._redis, times_of(settings))
        self._tickets = tickets or CeleryTickets(celery_producer())
        self._request = AiohttpRequest(_POLL_SECONDS + 10, connections=0)
        self._owner = fresh_id()
        self._take_lease = self._redis.register_script(scripts.source("poll_lease"))
        self._polls: dict[PolledBot, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._known: frozenset[PolledBot] = frozenset()
        self._stale = True
        self._read_at = 0.0

    async def run(self) -> None:
        """Look for bots to poll, until SIGTERM or SIGINT."""
        loop, stopped, awake = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

        def stop() -> None:
            stopped.set()
            awake.set()

        def changed(*_: object) -> None:
            self._stale = True
            loop.call_soon_threadsafe(awake.set)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        for event in ("bots.*", "resync"):
            get_sync().on(event, changed)
        get_sync().start()
        while not stopped.is_set():
            awake.clear()
            try:
                await self.look()
            except (RedisError, SQLAlchemyError) as error:
                log.warning("poller_waits", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(awake.wait(), _LOOK_SECONDS)
        await asyncio.to_thread(get_sync().stop)
        await self.close()

    async def look(self) -> None:
        """Renew the leases, and begin or end polls as the registry says now."""
        # A library may swallow a cancellation that comes just as its own wait ends: then it is told once more.
        self._ending = {poll for poll in self._ending if not poll.done()}
        for poll in self._ending:
            poll.cancel()
        held = await self._hold([bot.telegram_id for bot in self._polls])
        for bot in list(self._polls):
            if bot.telegram_id not in held:
                self._end(bot)
        wanted = await self._wanted()
        # A bot with another token or address is another bot to poll.
        for bot, poll in list(self._polls.items()):
            if bot not in wanted or poll.done():
                self._end(bot)
        new = [bot for bot in wanted if bot not in self._polls]
        held = await self._hold([bot.telegram_id for bot in new])
        for bot in new:
            if bot.telegram_id in held:
                begun = BotPoll(bot, self._redis, self._mailboxes, self._tickets, self._request, self._settings)
                self._polls[bot] = asyncio.create_task(begun.run())

    async def _wanted(self) -> set[PolledBot]:
        """The bots to poll; read anew when something of a bot has changed, or always while that would not be heard."""
        now = time.monotonic()
        if self._stale or not get_sync().is_watching or now - self._read_at > _READ_SECONDS:
            self._stale, self._read_at = False, now
            self._known = frozenset(await asyncio.to_thread(polled_bots))
        return set(self._known)

    def _end(self, bot: PolledBot) -> None:
        poll = self._polls.pop(bot)
        poll.cancel()
        self._ending.add(poll)
        if poll.done() and not poll.cancelled() and (error := poll.exception()):
            log.error("poll_broke", telegram_id=bot.telegram_id, error=redact(repr(error)))

    async def close(self) -> None:
        """Leave every bot to the next poller at once."""
        polls, self._polls = self._polls, {}
        running = self._ending | set(polls.values())
        while running:
            for poll in running:
                poll.cancel()
            # As in `look`.
            _, running = await asyncio.wait(running, timeout=_ONCE_MORE_SECONDS)
        with contextlib.suppress(RedisError):
            for telegram_id in await self._hold([bot.telegram_id for bot in polls]):
                await self._redis.delete(_lease(telegram_id))
                await poll_state.forget(self._redis, telegram_id)
        await self._request.close()
        await self._redis.aclose()

    async def _hold(self, telegram_ids: Collection[int]) -> set[int]:
        """Take or renew leases, in one round trip; those that are ours now."""
        if not telegram_ids:
            return set()
        pipe = self._redis.pipeline(transaction=False)
        for telegram_id in telegram_ids:
            await self._take_lease(args=(_lease(telegram_id), self._owner, _LEASE_MS), client=pipe)
        ours = await pipe.execute()
        return {telegram_id for telegram_id, held in zip(telegram_ids, ours, strict=True) if held}


def _lease(telegram_id: int) -> str:
    return f"by:polling:{telegram_id}"


def _give_up(bot: PolledBot) -> None:
    """Its token is refused: an earlier identity ends with that, and a bot is stopped."""
    if bot.leaving:
        end_leaving(bot.token)
    elif (version := version_with(bot.token)) is not None:
        stop_bot(bot.token.bot_id, version, REFUSED)


def _allowed(bot: PolledBot) -> list[str] | None:
    """Its ``allowed_updates``; nothing, which leaves them as they are, for a kind that cannot be loaded."""
    try:
        return wanted_updates(bot.kind, bot.token.bot_id)
    except InputError as error:
        log.warning("kind_not_loaded", telegram_id=bot.telegram_id, error=str(error))
        return None


class BotPoll:
    """Fetches one bot's updates, until it is cancelled or its mailboxes are gone.

    Args:
        bot: which one.
        redis: where it says how it goes.
        mailboxes: where the updates go.
        tickets: where tickets go.
        request: calls the Bot API.
        settings: whether a webhook may be taken away, the first pause after trouble, and the budget of first contacts.
    """

    def __init__(
        self, bot: PolledBot, redis: "Redis", mailboxes: Mailboxes, tickets: TicketQueue, request: AiohttpRequest,
        settings: Settings,
    ) -> None:  # fmt: skip
        self._bot = bot
        self._url = ""
        """The address of its methods, with ``{method}``; it contains the token."""
        self._redis = redis
        self._mailboxes = mailboxes
        self._tickets = tickets
        self._request = request
        self._settings = settings
        self._state: PollState | None = None
        self._failures = 0
        self._renew_at = 0.0

    async def run(self) -> None:
        """Fetch and hand over, batch after batch; what a removed bot gets is left with Telegram.

        An earlier identity of a bot ends when its token is refused; a bot whose present one is refused is stopped.
        """
        await self._open_token()
        await self._wait_for_permit()
        kinds = await asyncio.to_thread(_allowed, self._bot)
        # Nothing leaves that as it is.
        allowed = {} if kinds is None else {"allowed_updates": kinds}
        offset = 0
        while True:
            try:
                updates = await self._call("getUpdates", offset=offset, timeout=self._patience(), limit=100, **allowed)
            except TelegramError as error:
                if isinstance(error, InvalidToken) and "unauthorized" in error.message.lower():
                    await asyncio.to_thread(_give_up, self._bot)
                    if self._bot.leaving:
                        return
                await self._wait(*await self._explain(error))
                continue
            await self._all_is_well()
            for update in updates:
                if not await self._hand_over(update):
                    return
                # Only now: the next call tells Telegram to forget what is below the offset.
                offset = update["update_id"] + 1

    async def _open_token(self) -> None:
        while not self._url:
            try:
                token = await asyncio.to_thread(open_sealed, self._bot.token)
            except InputError as error:
                await self._tell("token", f"{error}", _KEY_SECONDS)
                await asyncio.sleep(_KEY_SECONDS)
            else:
                self._url = method_url(self._bot.api_url, token, "{method}")

    async def _wait_for_permit(self) -> None:
        """A Bot API refuses who brings it many tokens at once that it has not seen lately."""
        if is_known(self._bot.contacted_at):
            return
        contacts = FirstContacts(self._redis, self._settings)
        while wait := await contacts.permit(self._bot.api_url):
            turn = min(max(wait, _SHORTEST_TURN), _LONGEST_TURN) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
            problem = f"{self._host()} hears of many bots for the first time: this one waits for its turn"
            await self._tell("flood", f"{problem} (FIRST_CONTACTS).", turn)
            await asyncio.sleep(turn)

    def _patience(self) -> int:
        """Seconds for the next poll: short while it is open whether all is well, so that it is soon known."""
        if self._state is not None and self._state.reason == "conflict":
            # A quick poll always succeeds: the one that waits is the one that is refused.
            return _CONFLICT_SECONDS
        return _POLL_SECONDS if self._state is not None and not self._state.reason else 0

    async def _call(self, method: str, **params: Any) -> Any:
        return await self._request.post(self._url.format(method=method), JsonBody(orjson.dumps(params)))  # type: ignore[arg-type]

    async def _hand_over(self, update: dict[str, Any]) -> bool:
        """Into its mailbox, however long that takes: what was fetched behind it waits here, in its order.

        False: the bot was removed.
        """
        entry = mailbox_entry(orjson.dumps(update))
        tries = 0
        while True:
            accepted = await self._accept(update, entry)
            if accepted is not None and accepted.verdict == "gone":
                return False
            if accepted is not None and accepted.verdict != "full":
                self._tickets.send_soon(accepted.ticket)
                break
            tries += 1
            wait = min(0.25 * 2.0 ** min(tries, 10), _FULL_SECONDS)
            if accepted is not None:
                problem = f"The bot's mailboxes are full (MAILBOX_CAP): its updates wait at {self._host()}."
                await self._tell("full", problem, wait)
            await asyncio.sleep(wait)
        if tries:
            await self._all_is_well()
        return True

    async def _accept(self, update: dict[str, Any], entry: bytes) -> Accepted | None:
        try:
            return await self._mailboxes.accept(
                self._bot.telegram_id, chat_key(update), update["update_id"], entry, awaited_query(update)
            )
        except RedisError as error:
            log.warning("update_waits", telegram_id=self._bot.telegram_id, error=type(error).__name__)
            return None

    async def _explain(self, error: TelegramError) -> tuple[Reason, str, float]:
        """Why nothing was fetched, that in a sentence with its remedy, and how many seconds to wait at most."""
        host = self._host()
        if isinstance(error, Conflict) and "webhook" in error.message.lower():
            return await self._webhook_in_the_way()
        if isinstance(error, Conflict):
            problem = f"Another program fetches this bot's updates from {host} with the same token."
            remedy = "Stop it, or get the bot a new token from BotFather; fetching goes on by itself."
            return "conflict", f"{problem} {remedy}", _LONGEST_CONFLICT
        if isinstance(error, InvalidToken):
            problem = f"{host} does not accept the bot's token any more."
            remedy = "Get the present one from BotFather and add the bot again."
            return "token", f"{problem} {remedy}", _LONGEST_WAIT
        if isinstance(error, RetryAfter):
            return "flood", f"{host} asks to wait for {wait_of(error):g} s.", wait_of(error)
        text = redact(error.message)
        if isinstance(error, NetworkError):
            return "network", f"{host} does not answer ({text}). Check the network, and API_URL.", _LONGEST_WAIT
        return "telegram", f"{host} refuses getUpdates: {text}.", _LONGEST_WAIT

    async def _webhook_in_the_way(self) -> tuple[Reason, str, float]:
        try:
            there = host_of((await self._call("getWebhookInfo")).get("url", "")) or "another address"
            if self._settings.take_over and not self._bot.leaving:
                await self._call("deleteWebhook", drop_pending_updates=False)
                log.warning("webhook_taken_away", telegram_id=self._bot.telegram_id, was_at=there)
        except TelegramError:
            there = "another address"
        problem = f"A webhook at {there} gets this bot's updates. Remove it there, or start with TAKE_OVER=true."
        return "webhook", problem, _LONGEST_CONFLICT

    async def _wait(self, reason: Reason, problem: str, longest: float) -> None:
        self._failures += 1
        if reason == "flood":
            wait = longest
        else:
            first = self._settings.backoff_seconds
            wait = min(first * 2.0 ** min(self._failures - 1, 10), longest) * random.uniform(0.5, 1)  # noqa: S311 - jitter
        await self._tell(reason, problem, wait)
        await asyncio.sleep(wait)

    async def _tell(self, reason: Reason, problem: str, wait: float) -> None:
        """Say it once in the log and, as long as it lasts, in Redis."""
        before = self._state
        news = before is None or before.reason != reason
        if news:
            log.warning(
                "poll_waits", telegram_id=self._bot.telegram_id, reason=reason, problem=problem, retry_in=round(wait, 1)
            )
        self._state = PollState(reason, problem, now_ms() if before is None or news else before.since, wait)
        with contextlib.suppress(RedisError):
            await poll_state.tell(self._redis, self._bot.telegram_id, self._state)

    async def _all_is_well(self) -> None:
        self._failures = 0
        if not self._bot.leaving and time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + _RENEW_SECONDS
            with contextlib.suppress(SQLAlchemyError):
                await asyncio.to_thread(renew_contacts, [self._bot.token.bot_id])
        with contextlib.suppress(RedisError):
            if self._state is None or self._state.reason:
                if self._state is not None:
                    log.info("poll_goes_on", telegram_id=self._bot.telegram_id, after=self._state.reason)
                self._state = PollState("", "", now_ms(), 0)
            elif await poll_state.keep_alive(self._redis, self._bot.telegram_id):
                return
            await poll_state.tell(self._redis, self._bot.telegram_id, self._state)

    def _host(self) -> str:
        return host_of(self._bot.api_url)


async def run() -> None:
    """The poller process."""
    settings = get_settings()
    configure_logs(settings, "poller")
    if settings.sentry_dsn is not None:
        configure_reports(settings, "poller")
    await Poller(settings).run()
