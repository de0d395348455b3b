"""Faults ordered by a test: the Bot API answers wrongly, slowly or not at all."""

from dataclasses import dataclass, field

from botyard.simulator.world import World

KINDS = ("429", "500", "html", "slow", "cut")


@dataclass(slots=True)
class Fault:
    """One order to misbehave.

    Args:
        kind: one of :data:`KINDS`.
        bot_id: only calls of this bot; 0 means any.
        chat_id: only calls with this ``chat_id``; 0 means any.
        methods: only these methods, in lower case; none means any.
        ends: when it is over, in epoch seconds.
        count: how many calls it still hits; below zero means no limit.
        seconds: how long each call waits when the kind is ``slow``.
        retry_after: seconds named by a 429.
    """

    kind: str
    bot_id: int = 0
    chat_id: int = 0
    methods: frozenset[str] = field(default_factory=frozenset)
    ends: float = float("inf")
    count: int = -1
    seconds: float = 0.0
    retry_after: int = 1

    def hits(self, bot_id: int, chat_id: int, method: str) -> bool:
        """Tell whether a call is meant by this order."""
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
            if fault.hits(bot_id, chat_id, method):
                fault.count -= fault.count > 0
                return fault
        return None
