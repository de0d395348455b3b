"""Callback queries that no handler answered in time: the person's client must not spin on. See docs/delivery.md."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from redis import Redis

from botyard.mailbox.protocol import AWAITED
from db.engine import get_engine

PATIENCE_SECONDS: Final = 10.0
_AT_ONCE: Final = 200

# Who resolved the update has answered the query with it. The bot's own answer, if it comes yet, is told "too late".
_ANSWER: Final = """
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, deadline)
SELECT b.id, b.customer_id, w.chat, 0, 'answerCallbackQuery', jsonb_build_object('callback_query_id', w.query),
       now() + interval '140 s'
  FROM unnest(%(bots)s::bigint[], %(updates)s::bigint[], %(queries)s::text[], %(chats)s::text[])
       AS w(telegram_id, update_id, query, chat)
  JOIN bot_identities i ON i.telegram_id = w.telegram_id JOIN bots b ON b.id = i.bot_id
 WHERE b.status = 'active' AND coalesce((b.settings->>'answer_callbacks')::boolean, true)
   AND NOT EXISTS (SELECT 1 FROM inbox x WHERE x.telegram_id = w.telegram_id AND x.update_id = w.update_id)
RETURNING bot_id
"""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A query that waits for its answer."""

    bot: int
    update_id: int
    query: str
    chat: str


def answer_unanswered(redis: "Redis", wake: Callable[[int], object]) -> int:
    """Answer, with nothing, what has waited for ten seconds; how many that were.

    Args:
        redis: a client that does not decode responses.
        wake: called with the row of each bot that has something to send now.
    """
    waiting = _take(redis, time.time() - PATIENCE_SECONDS)
    if not waiting:
        return 0
    parameters = {
        "bots": [one.bot for one in waiting],
        "updates": [one.update_id for one in waiting],
        "queries": [one.query for one in waiting],
        "chats": [one.chat for one in waiting],
    }
    with get_engine("system").begin() as connection:
        bots = list(connection.exec_driver_sql(_ANSWER, parameters).scalars())
    for bot_id in set(bots):
        wake(bot_id)
    return len(bots)


def _take(redis: "Redis", until: float) -> Sequence[_Awaited]:
    """What is ours to answer: each query comes to one process. One that dies now owes a courtesy, nothing more."""
    found = cast("list[bytes]", redis.zrangebyscore(AWAITED, "-inf", until, start=0, num=_AT_ONCE))
    taken = []
    for member in found:
        if redis.zrem(AWAITED, member):
            bot, update_id, query, chat = member.decode().split(" ", 3)
            taken.append(_Awaited(int(bot), int(update_id), query, chat))
    return taken
