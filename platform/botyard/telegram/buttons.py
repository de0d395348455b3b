"""Buttons that carry any object: what they carry is kept where every worker finds it. See docs/bring-your-bot.md."""

import asyncio
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson
from telegram import CallbackQuery, InlineKeyboardMarkup
from telegram.ext import CallbackDataCache, ExtBot

from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.telegram.run import current_run

# python-telegram-bot puts the keyboard's number and the button's into the place of the object.
_PLACE: Final = re.compile(rb'"([0-9a-f]{32})[0-9a-f]{32}"')


class Shelf(Protocol):
    """Where keyboards are kept, by their numbers."""

    async def read(self, numbers: Collection[str]) -> dict[str, dict[str, Any]]:
        """Those of these that are there."""

    async def write(self, kept: Mapping[str, dict[str, Any]]) -> None:
        """Keep some."""


class Buttons(CallbackDataCache):
    """The library's cache of what buttons carry, in front of a shelf.

    Args:
        bot: whose buttons.
        size: of how many keyboards they are held in this process.
        shelf: where all of them are.
    """

    def __init__(self, bot: "ExtBot[Any]", size: int, shelf: Shelf) -> None:
        super().__init__(bot, size)
        self._shelf = shelf
        self._fresh: dict[str, dict[str, Any]] = {}
        self._writing = asyncio.Lock()
        self.codec = Codec()

    def process_keyboard(self, reply_markup: InlineKeyboardMarkup) -> InlineKeyboardMarkup:
        """Put numbers in the place of what its buttons carry.

        Raises:
            NotKept: a button carries what cannot be kept.
        """
        made = super().process_keyboard(reply_markup)
        if made is not reply_markup:
            places = (str(button.callback_data) for row in made.inline_keyboard for button in row)
            number = next(place[:32] for place in places if place[:32] in self._keyboard_data)
            carried = self._keyboard_data[number].button_data
            # Written down at once: handlers may change what they have put there.
            self._fresh[number] = orjson.loads(orjson.dumps(self.codec.dump(Memory(carried), "callback_data")))
        return made

    def drop_data(self, callback_query: CallbackQuery) -> None:
        """Forget the keyboard that was pressed, with the commit of the update at hand.

        Raises:
            KeyError: it is not known.
        """
        number = self._callback_queries.get(callback_query.id)
        super().drop_data(callback_query)
        run = current_run.get(None)
        if number is not None and run is not None:
            run.dropped.add(number)

    def clear_callback_data(self, time_cutoff: float | datetime | None = None) -> None:
        """Forget all keyboards, or those that were made before a moment, with the commit of the update at hand."""
        super().clear_callback_data(time_cutoff)
        if isinstance(time_cutoff, datetime):
            # As in the library: a moment that names no zone is of UTC.
            before = time_cutoff if time_cutoff.tzinfo else time_cutoff.replace(tzinfo=UTC)
        else:
            before = datetime.now(UTC) if time_cutoff is None else datetime.fromtimestamp(time_cutoff, UTC)
        run = current_run.get(None)
        if run is not None:
            run.cleared = before

    async def keep(self) -> None:
        """Keep what is new before anybody can press it."""
        # Also without anything new: what another update of this bot is writing may be ours.
        async with self._writing:
            if fresh := dict(self._fresh):
                await self._shelf.write(fresh)
                for number in fresh:
                    self._fresh.pop(number, None)

    async def recall(self, body: bytes) -> None:
        """Fetch the keyboards that an update speaks of; one that another process has dropped is known no more.

        Args:
            body: the update, as JSON.
        """
        numbers = {found.decode() for found in _PLACE.findall(body)}
        if not numbers:
            return
        found = await self._shelf.read(numbers)
        for number in numbers - found.keys() - self._fresh.keys():
            self._keyboard_data.pop(number, None)
        keyboards = [(number, 0.0, self.codec.load(stored).data) for number, stored in found.items()]
        self.load_persistence_data((keyboards, {}))
