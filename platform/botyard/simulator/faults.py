"""Faults ordered by a test: the Bot API answers wrongly, slowly or not at all, or a chat changes under a call."""

import math
import random
from dataclasses import dataclass, field

from botyard.simulator import people
from botyard.simulator.groups import migrate
from botyard.simulator.world import World

KINDS = ("429", "500", "502", "html", "slow", "cut", "reset", "migrate", "block", "deactivate")
CHANGES = frozenset({"migrate", "block", "deactivate"})
"""Kinds that change the chat a message is sent to, right before the call is carried out."""
SENDING = ("send", "copy", "forward")
"""How the methods begin that such a change hits, where an order names none."""


@dataclass(slots=True)
class Fault:
    """One order to misbehave.

    Args:
        kind: one of :data:`KINDS`.
        bot_id: only calls of this bot; 0 means any.
        chat_id: only calls with this ``chat_id``; 0 means any.
        methods: only these methods, in lower case; none means any.
        begins: when it starts, in epoch seconds.
        ends: when it is over, in epoch seconds.
        count: how many calls it still hits; below zero means no limit.
        seconds: how long each call waits when the kind is ``slow``.
        retry_after: seconds named by a 429.
        hold: the first 429 closes the door for ``retry_after`` seconds, and further calls are told what is left.
        probability: with which a call is hit.
        chance: decides that; an order with a seed has its own.
    """

    kind: str
    bot_id: int = 0
    chat_id: int = 0
    methods: frozenset[str] = field(default_factory=frozenset)
    begins: float = 0.0
    ends: float = float("inf")
    count: int = -1
    seconds: float = 0.0
    retry_after: int = 1
    hold: bool = False
    probability: float = 1.0
    chance: random.Random | None = None

    def hits(self, bot_id: int, chat_id: int, method: str) -> bool:
        """Tell whether a call is meant by this order."""
        if self.kind in CHANGES and not self.methods and not method.lower().startswith(SENDING):
            return False
        return (
            self.bot_id in (0, bot_id)
            and self.chat_id in (0, chat_id)
            and (not self.methods or method.lower() in self.methods)
        )


class Faults:
    """The orders in force, oldest first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.orders: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Put an order in force."""
        self.orders.append(fault)

    def off(self, bot_id: int = 0) -> None:
        """End all orders, or those for one bot only."""
        self.orders = [fault for fault in self.orders if bot_id and fault.bot_id != bot_id]

    def strike(self, bot_id: int, chat_id: int, method: str) -> Fault | None:
        """Return the order that hits a call, counting it as used once."""
        if not self.orders:
            return None
        now = self._world.now()
        self.orders = [fault for fault in self.orders if fault.ends > now and fault.count]
        for fault in self.orders:
            if fault.begins <= now and fault.hits(bot_id, chat_id, method) and self._happens(fault, bot_id, chat_id):
                fault.count -= fault.count > 0
                if fault.hold:
                    fault.ends = min(fault.ends, now + fault.retry_after)
                    fault.retry_after = max(1, math.ceil(fault.ends - now))
                return fault
        return None

    def turn_back(self, seconds: float) -> None:
        """Take note that the clock went back by so many seconds: orders begin and end as soon as they would have."""
        for fault in self.orders:
            fault.begins -= seconds
            fault.ends -= seconds

    def change(self, fault: Fault, bot_id: int, chat_id: int) -> None:
        """Change a chat as an order has it, so that the call that comes now meets the change."""
        world = self._world
        if fault.kind == "migrate":
            migrate(world, world.groups[chat_id])
        elif fault.kind == "block":
            people.block(world, world.bots[bot_id], world.people[chat_id], blocked=True)
        else:
            people.deactivate(world, world.people[chat_id], deactivated=True)

    def _happens(self, fault: Fault, bot_id: int, chat_id: int) -> bool:
        """Leave it to chance, and pass over chats to which it cannot happen."""
        if fault.kind in CHANGES:
            chat = self._world.chat(bot_id, chat_id)
            if chat is None or chat.type != ("group" if fault.kind == "migrate" else "private") or chat.migrated_to:
                return False
            if not chat.present():
                return False
        return fault.probability >= 1 or (fault.chance or self._world.random).random() < fault.probability
