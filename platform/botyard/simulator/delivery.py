"""Webhook delivery with Telegram's clocks.

Each update waits in a lane: messages and edits by chat, presses by user, membership by chat. Of one lane
a single update is in flight, and the next follows only after the acknowledgement; lanes run in parallel
up to ``max_connections``. A refused update is repeated at once, then after 2, 4, 8 … seconds, until its
shelf life ends (Bot API, setWebhook; tdlib/telegram-bot-api, WebhookActor).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any

from botyard.simulator.errors import ApiError
from botyard.simulator.forms import read_values
from botyard.simulator.history import History
from botyard.simulator.model import Bot, Update, Webhook
from botyard.simulator.wire import Answer, Wire, WireError, target
from botyard.simulator.world import World

ANSWER_SECONDS = 60.0
"""How long a webhook may take to answer."""
LONGEST_RETRY = 60.0
"""Seconds between attempts stop growing at a random value between this and its double."""
LONGEST_RETRY_AFTER = 3600.0
REDELIVERY_SECONDS = 3.0
"""A repeated delivery comes at a random moment within so many seconds after the acknowledgement."""

Execute = Callable[[Bot, str, dict[str, Any]], object]

log = logging.getLogger("botyard.simulator")


class Courier:
    """Delivers one bot's updates to one webhook, until it is closed.

    Args:
        world: where the bot lives.
        history: where attempts are recorded.
        wire: the HTTP client.
        execute: carries out a method named in a webhook's answer.
        bot: whose inbox is delivered.
        webhook: where it goes.
    """

    def __init__(
        self, *, world: World, history: History, wire: Wire, execute: Execute, bot: Bot, webhook: Webhook
    ) -> None:
        self._world = world
        self._history = history
        self._wire = wire
        self._execute = execute
        self._bot = bot
        self._webhook = webhook
        self._target = target(webhook.url, webhook.secret_token)
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[str, deque[Update]] = {}
        self._ready: deque[str] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = 0
        self._closed = False
        self.redeliveries = 0
        for update in bot.pending.values():
            self.put(update)

    def put(self, update: Update) -> None:
        """Line an update up in its lane."""
        lane = self._lanes.get(update.lane)
        if lane is not None:
            lane.append(update)
            return
        self._lanes[update.lane] = deque((update,))
        self._begin(update.lane)

    def close(self) -> None:
        """Stop delivering. What was in flight stays in the inbox."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

    def _begin(self, lane: str) -> None:
        """Start with the new head of a lane, or hold it back when chance says so."""
        settings = self._world.settings_of(self._bot.id)
        chance = self._world.random
        if settings.late and not self._lanes[lane][0].attempts and chance.random() < settings.late:
            self._world.timers.after(chance.uniform(0, settings.late_seconds), partial(self._offer, lane))
        else:
            self._offer(lane)

    def _offer(self, lane: str) -> None:
        if self._closed:
            return
        self._ready.append(lane)
        if self._workers < self._webhook.max_connections:
            self._workers += 1
            self._spawn(self._work())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("a delivery of bot %d broke", self._bot.id, exc_info=task.exception())

    async def _work(self) -> None:
        """Deliver heads of lanes while there are any. One worker stands for one connection."""
        try:
            while self._ready and not self._closed:
                await self._deliver(self._ready.popleft())
        finally:
            self._workers -= 1

    async def _deliver(self, lane: str) -> None:
        """Try the head of a lane once."""
        update = self._lanes[lane][0]
        # Expired, or taken out of the inbox by getUpdates in the time between two webhooks.
        if self._world.now() >= update.expires or update.update_id not in self._bot.pending:
            self._drop(update)
            return
        update.attempts += 1
        answer, error = await self._post(update, redelivery=False)
        if not error:
            self._finish(update)
            self._maybe_redeliver(update)
            self._obey(answer)
            return
        self._webhook.last_error_date = int(self._world.now())
        self._webhook.last_error_message = error
        seconds = self._pause(update, answer)
        if self._world.now() + seconds > update.expires:
            self._drop(update)
        elif seconds:
            self._world.timers.after(seconds, partial(self._offer, lane))
        else:
            self._offer(lane)

    def _finish(self, update: Update) -> None:
        """Take an update off its lane and go on with the next."""
        self._bot.pending.pop(update.update_id, None)
        self._world.revision += 1
        lane = self._lanes[update.lane]
        lane.popleft()
        if lane:
            self._begin(update.lane)
        else:
            del self._lanes[update.lane]

    def _drop(self, update: Update) -> None:
        """Give an update up; the record tells lost updates from delivered ones."""
        event = {
            "bot_id": self._bot.id,
            "update_id": update.update_id,
            "chat_id": update.chat_id,
            "at": self._world.now(),
        }
        self._history.add("dropped", event)
        self._finish(update)

    def _pause(self, update: Update, answer: Answer) -> float:
        """Return the seconds to wait before the next attempt."""
        wanted = answer.headers.get("retry-after", "")
        if wanted.isascii() and wanted.isdigit() and float(wanted):
            return min(float(wanted), LONGEST_RETRY_AFTER)
        if update.attempts <= 1:
            return 0.0
        longest = LONGEST_RETRY * (1 + self._world.random.random())
        # The exponent is bounded because a day of attempts would overflow a float.
        seconds = min(2.0 ** min(update.attempts - 1, 10), longest)
        return seconds * self._world.settings_of(self._bot.id).retry_scale

    async def _post(self, update: Update, *, redelivery: bool) -> tuple[Answer, str]:
        """Post an update once, record the attempt, and return the answer and what is wrong with it."""
        started = self._world.now()
        answer = Answer()
        error = "Delivery was interrupted"
        try:
            answer = await self._wire.post(self._target, update.body, ANSWER_SECONDS)
            error = _judge(answer.status)
        except WireError as failure:
            error = str(failure)
        except Exception as failure:
            # The lane must live: nobody but this attempt's end offers it again.
            log.exception("a delivery of bot %d broke", self._bot.id)
            error = f"Delivery broke: {type(failure).__name__}"
        finally:
            event = {
                "bot_id": self._bot.id,
                "update_id": update.update_id,
                "chat_id": update.chat_id,
                "attempt": update.attempts,
                "redelivery": redelivery,
                "started": started,
                "ended": self._world.now(),
                "status": answer.status,
                "error": error,
            }
            self._history.add("delivery", event)
        return answer, error

    def _maybe_redeliver(self, update: Update) -> None:
        probability = self._world.settings_of(self._bot.id).redeliver
        if probability and self._world.random.random() < probability:
            self.redeliveries += 1
            seconds = self._world.random.uniform(0, REDELIVERY_SECONDS)
            self._world.timers.after(seconds, partial(self._again, update))

    def _again(self, update: Update) -> None:
        if not self._closed:
            self._spawn(self._redeliver(update))

    async def _redeliver(self, update: Update) -> None:
        update.attempts += 1
        try:
            await self._post(update, redelivery=True)
        finally:
            self.redeliveries -= 1

    def _obey(self, answer: Answer) -> None:
        """Carry out the method that an answer may name. Its result is never known to the bot."""
        if not answer.body:
            return
        try:
            values = read_values(b"", answer.headers.get("content-type", ""), answer.body)
        except ApiError:
            return
        name = values.pop("method", None)
        if not isinstance(name, str):
            return
        try:
            self._execute(self._bot, name, values)
        except Exception:
            # The worker must live: lanes that are ready have no other.
            log.exception("%s in a webhook's answer of bot %d broke", name, self._bot.id)


def _judge(status: int) -> str:
    """Return what getWebhookInfo says about a status; nothing when the update is acknowledged."""
    if 200 <= status < 300:
        return ""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"Wrong response from the webhook: {status} {phrase}".rstrip()
