"""How quick a bot's handlers are, as one process sees it: the quick ones work apart from those that wait or block."""

from typing import Final, Literal

from botyard.bots.registry import ServedBot

Queue = Literal["updates", "slow"]

QUICK_SECONDS: Final = 0.2
QUICK_UPDATES: Final = 50
SLOW_SECONDS: Final = 2.0


class Paces:
    """Counts quick updates in a row, per bot."""

    def __init__(self) -> None:
        self._quick: dict[int, int] = {}

    def note(self, bot: ServedBot, seconds: float) -> Queue | None:
        """One update's handlers took so long.

        Returns:
            The queue that the bot belongs into from now on, if that is another one.
        """
        if bot.queue == "updates":
            return "slow" if seconds > SLOW_SECONDS else None
        if seconds >= QUICK_SECONDS:
            self._quick.pop(bot.id, None)
            return None
        self._quick[bot.id] = self._quick.get(bot.id, 0) + 1
        if self._quick[bot.id] < QUICK_UPDATES:
            return None
        del self._quick[bot.id]
        return "updates"
