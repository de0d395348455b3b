"""The whole simulator in one object: the world and everyone who acts on it."""

import asyncio
from typing import Any

from botyard.simulator import schema
from botyard.simulator.delivery import Courier
from botyard.simulator.errors import ApiError
from botyard.simulator.faults import Faults
from botyard.simulator.feed import Feed
from botyard.simulator.flood import Flood
from botyard.simulator.history import History
from botyard.simulator.methods import REGISTRY, Call
from botyard.simulator.model import Bot, Chat, Update
from botyard.simulator.notes import Notes
from botyard.simulator.params import Params
from botyard.simulator.people import close_in_time
from botyard.simulator.polling import Polling
from botyard.simulator.wire import Wire
from botyard.simulator.world import World

NOT_IN_ANSWERS = frozenset({"setwebhook", "deletewebhook", "close", "logout"})
"""Methods, beside all that get something, which Telegram ignores in the answer of a webhook."""


class Simulator:
    """Ties the world to deliveries, polls, faults, flood limits and the record.

    Args:
        world: the state to act on, fresh or from a snapshot.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = History()
        self.feed = Feed()
        self.notes = Notes()
        self.faults = Faults(world)
        self.flood = Flood(world)
        self.polling = Polling()
        self._wire = Wire()
        self._couriers: dict[int, Courier] = {}
        self._watchers: dict[tuple[int, int], list[asyncio.Future[None]]] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin to act. Needs a running event loop."""
        self.world.listener = self
        self.world.timers.start()
        for bot in self.world.bots.values():
            self.webhook_changed(bot)
        for poll in self.world.polls.values():
            close_in_time(self.world, poll)

    def stop(self) -> None:
        """Stop all deliveries and end all waits."""
        self._stopping = True
        self.world.listener = None
        self.world.timers.stop()
        for courier in self._couriers.values():
            courier.close()
        self._wire.close()
        self.feed.close()
        self.polling.wake_all()
        for watchers in self._watchers.values():
            _wake(watchers)

    def update_made(self, bot: Bot, update: Update) -> None:
        """Record an update and get it on its way."""
        event = {
            "bot_id": bot.id,
            "chat_id": update.chat_id,
            "update_id": update.update_id,
            "at": self.world.now(),
            "update": update.fragment(),
        }
        self.history.add("update", event)
        courier = self._couriers.get(bot.id)
        if courier:
            courier.put(update)
        else:
            self.polling.wake(bot)

    def webhook_changed(self, bot: Bot) -> None:
        """Replace the bot's courier by one for its present webhook."""
        old = self._couriers.pop(bot.id, None)
        if old:
            old.close()
        if bot.webhook:
            self.polling.wake(bot, "terminated by setWebhook request")
            self._couriers[bot.id] = Courier(
                world=self.world,
                history=self.history,
                wire=self._wire,
                execute=self._execute_answer,
                bot=bot,
                webhook=bot.webhook,
            )

    def chat_changed(self, chat: Chat) -> None:
        """Wake those who watch the chat."""
        self.feed.changed((chat.bot_id, chat.id))
        if self._watchers:
            _wake(self._watchers.pop((chat.bot_id, chat.id), []))

    async def chat_change(self, key: tuple[int, int], seconds: float) -> None:
        """Wait until a chat changes.

        Args:
            key: bot id (0 for a group) and chat id.
            seconds: the longest wait.
        """
        if self._stopping:
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        try:
            async with asyncio.timeout(seconds):
                await watcher
        except TimeoutError:
            watchers.remove(watcher)
            if not watchers and self._watchers.get(key) is watchers:
                del self._watchers[key]

    def turn_back(self, seconds: float) -> None:
        """Let all that counts seconds go on, as if the clock had not gone back by so many."""
        self.world.timers.turn_back(seconds)
        self.flood.turn_back(seconds)
        self.faults.turn_back(seconds)

    def redeliveries(self) -> int:
        """Return how many acknowledged updates will still come once more."""
        return sum(courier.redeliveries for courier in self._couriers.values())

    def execute(self, bot: Bot, name: str, values: dict[str, Any], arrived: float) -> Any:
        """Carry out one call and record it.

        Args:
            bot: who calls.
            name: the method, in any case.
            values: its parameters.
            arrived: when the call arrived, in epoch seconds.

        Returns:
            The result, or the :class:`ApiError` of the refusal.
        """
        outcome: Any
        unknown: list[str] = []
        try:
            function = self._find(name)
            if bot.logged_out_until:
                self._check_logged_in(bot)
            unknown = schema.check(name, values)
            outcome = function(Call(self.world, self.flood, bot, Params(values)))
        except ApiError as refusal:
            outcome = refusal
        self.record(bot, name, values, arrived, outcome, unknown=unknown)
        return outcome

    async def get_updates(self, bot: Bot, values: dict[str, Any], arrived: float) -> list[bytes] | ApiError:
        """Carry out getUpdates, which may wait, and record it."""
        outcome: list[bytes] | ApiError
        try:
            self._check_logged_in(bot)
            schema.check("getUpdates", values)
            outcome = await self.polling.get_updates(Call(self.world, self.flood, bot, Params(values)))
        except ApiError as refusal:
            outcome = refusal
        self.record(bot, "getUpdates", values, arrived, outcome)
        return outcome

    def record(
        self,
        bot: Bot,
        name: str,
        values: dict[str, Any],
        arrived: float,
        outcome: Any,
        *,
        unknown: list[str] | None = None,
    ) -> None:
        """Write one call into the history."""
        refused = isinstance(outcome, ApiError)
        event = {
            "bot_id": bot.id,
            "method": name,
            "chat_id": values.get("chat_id"),
            "params": values | {"secret_token": "hidden"} if "secret_token" in values else values,
            "at": arrived,
            "ok": not refused,
            "error_code": outcome.code if refused else None,
            "message_id": outcome.get("message_id") if isinstance(outcome, dict) else None,
        }
        if refused:
            event["description"] = outcome.description
        if unknown:
            event["unknown"] = unknown
        self.history.add("call", event)

    def _check_logged_in(self, bot: Bot) -> None:
        if bot.logged_out_until > self.world.now():
            raise ApiError(400, "Logged out")

    def _find(self, name: str) -> Any:
        key = name.lower()
        found = REGISTRY.get(key)
        if found is None:
            missing = ": the simulator does not have this method yet" if key in schema.methods() else ""
            raise ApiError(404, f"Not Found{missing}")
        return found

    def _execute_answer(self, bot: Bot, name: str, values: dict[str, Any]) -> None:
        key = name.lower()
        if not key.startswith("get") and key not in NOT_IN_ANSWERS:
            self.execute(bot, name, values, self.world.now())


def _wake(watchers: list[asyncio.Future[None]]) -> None:
    for watcher in watchers:
        if not watcher.done():
            watcher.set_result(None)
