"""A group of ``make bench``: what a bot's people wait while one floods, one waits for others and one sends in bulk."""

import asyncio
import contextlib
from typing import Final

from benchmarks.chats import Chats, percentile
from benchmarks.rounds import Case, Sample
from benchmarks.stage import Stage, Work
from benchmarks.subject import FIRST_BOT, Shape, Subject
from botyard.telegram.run import Lane

ALONE: Final = "a bot alone"
CROWDED: Final = "beside a flood, waits of 30 s, a bulk send"
_SHAPE: Final = Shape(10, kinds=("benchmarks.kinds:echo", "tests.e2e.bots:sleeper", "benchmarks.kinds:echo"))
_FLOODED, _WAITING, _SENDING = range(10, 13)
"""Places of the bots that are in the way."""
_PACE: Final = 20.0
_FLOOD: Final = 10_000
_WAITS: Final = 40
_NEWS: Final = 3_000
_BEGUN_SECONDS: Final = 2.0
_FILL: Final = """
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, due)
SELECT id, customer_id, (6000000000 + n)::text, %(lane)s, 'sendMessage', jsonb_build_object(
         'chat_id', 6000000000 + n, 'text', 'News'), now()
  FROM bots, generate_series(1, %(news)s) n WHERE telegram_id = %(bot)s
RETURNING bot_id
"""


def beside(stage: Stage) -> list[Case]:
    """95th percentiles, in milliseconds, at a steady pace."""

    async def alone(chats: Chats) -> float:
        await chats.connect()
        await chats.at_a_pace(2 * stage.seconds, _PACE)
        return percentile(chats.latencies, 0.95) * 1e3

    async def crowded(chats: Chats) -> float:
        await chats.connect()
        subject = stage.subject(_SHAPE)
        await Chats(subject.doors(1, _WAITING)).flood(_WAITS)
        await asyncio.to_thread(_send_news, subject)
        flood = asyncio.create_task(Chats(subject.doors(1, _FLOODED)).flood(_FLOOD))
        await asyncio.sleep(_BEGUN_SECONDS)
        await chats.at_a_pace(2 * stage.seconds, _PACE)
        assert not flood.done() or flood.exception() is None, "the flood was taken in"
        flood.cancel()
        return percentile(chats.latencies, 0.95) * 1e3

    return [Case(ALONE, lambda: _run(stage, alone)), Case(CROWDED, lambda: _run(stage, crowded))]


def _send_news(subject: Subject) -> None:
    ((bot,), *_) = subject.sql(_FILL, lane=Lane.BULK.value, news=_NEWS, bot=FIRST_BOT + _SENDING)
    subject.wake(int(str(bot)))


def _run(stage: Stage, work: Work) -> Sample:
    subject = stage.subject(_SHAPE)
    with stage.alone(but=subject):
        try:
            return stage.chatting(Chats(subject.doors(1)), contextlib.nullcontext(subject.pids()), work)
        finally:
            subject.empty()
