"""People who write to many bots at a steady pace, beside a bulk send: the load of a campaign."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from tests.faults.yard import FaultyYard

_TICK: Final = 0.25
_seeds: Final = count(1)
_FIRST_PERSON: Final = 6_500_000_000
_AT_ONCE: Final = 1000
_PEOPLE: Final = 2000
"""Ids of people that one load may use."""

_QUEUE_BULK: Final = """
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params)
SELECT b.id, b.customer_id, p::text, 3, 'sendMessage',
       jsonb_build_object('chat_id', p, 'text', 'news ' || %s || ' ' || n)
  FROM bots b, generate_series(1, %s) AS n, unnest(%s::bigint[]) AS p WHERE b.telegram_id = %s ORDER BY n
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written.

    Args:
        rate: updates a second.
        seconds: for how long.
        chats: of each bot.
        news: how many bulk messages a second one bot sends beside it; 0: none.
    """

    rate: float = 60.0
    seconds: float = 8.0
    chats: int = 4
    news: int = 10


@dataclass(slots=True)
class Load:
    """One load, in a thread of its own, from the beginning of the block to its end.

    Args:
        yard: where it is written.
        bots: whom people write to, by Telegram's ids.
        plan: how much.
        seed: of what is left to chance.
    """

    yard: FaultyYard
    bots: Sequence[int]
    plan: Plan
    seed: int
    made: int = 0
    """Updates so far."""
    news: int = 0
    """Bulk messages."""
    ended: float = 0.0
    """When it ended, by the monotonic clock."""
    _number: int = field(default_factory=lambda: next(_seeds))
    _thread: threading.Thread | None = None
    _errors: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        self._thread.join(self.plan.seconds + 120)
        if self._errors and kind is None:
            raise self._errors[0]

    def person(self, bot: int, place: int) -> int:
        """A person of a bot, whom it has not met before this load."""
        return _FIRST_PERSON + self._number * _PEOPLE + self.bots.index(bot) * self.plan.chats + place

    def add(self, bot: int, messages: Sequence[tuple[int, str]]) -> None:
        """Write more, at once: people and their texts."""
        for start in range(0, len(messages), _AT_ONCE):
            some = messages[start : start + _AT_ONCE]
            self._batch(bot, [{"person_id": person, "text": text} for person, text in some])

    def _work(self) -> None:
        try:
            self._queue_news()
            self._write()
        except BaseException as error:  # noqa: BLE001 - the edge of the thread: it is raised at the end of the block
            self._errors.append(error)
        self.ended = time.monotonic()

    def _queue_news(self) -> None:
        if not self.plan.news:
            return
        people = [self.person(self.bots[0], place) for place in range(self.plan.chats)]
        self._batch(self.bots[0], [{"person_id": person, "text": "hello"} for person in people])
        each = int(self.plan.news * self.plan.seconds / len(people))
        self.news = each * len(people)
        self.yard.sql(_QUEUE_BULK, str(self._number), each, people, self.bots[0])

    def _write(self) -> None:
        dice = random.Random(self.seed)
        began = time.monotonic()
        written = 0
        while (passed := time.monotonic() - began) < self.plan.seconds:
            due = int(self.plan.rate * (passed + _TICK)) - written
            # A few bots at a time, each with several messages: one request for each.
            for bot in dice.sample(self.bots, min(len(self.bots), 6)):
                some = [
                    {"person_id": self.person(bot, dice.randrange(self.plan.chats)), "text": f"{written + n}"}
                    for n in range(-(-due // min(len(self.bots), 6)))
                ]
                written += len(some)
                self._batch(bot, some)
            time.sleep(_TICK)  # the pace of the load, not a wait

    def _batch(self, bot: int, messages: list[dict[str, Any]]) -> None:
        if messages:
            self.made += len(self.yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)["update_ids"])
