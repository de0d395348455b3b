"""What the mailboxes must know of each bot, written into Redis beside them. See docs/mailbox.md."""

from collections.abc import Sequence
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError

from botyard.bots.registry import Routing, routings
from botyard.mailbox import scripts
from botyard.mailbox.server import redis_of
from botyard.settings import get_settings

log = structlog.get_logger(__name__)

_BATCH: Final = 500


def publish(redis: "Redis", *found: Routing) -> None:
    """Say how bots' updates are routed; counts and aliases beside it stay.

    What was read of a bot before something else was said of it changes nothing.
    """
    route = redis.register_script(scripts.source("route"))
    pipe = redis.pipeline(transaction=False)
    for one in found:
        share = "" if one.share is None else one.share
        words = (one.telegram_id, one.row, one.version, one.queue, share, int(one.paused), int(one.removed))
        route(args=words, client=pipe)
    pipe.execute()


def tell(found: Sequence[Routing]) -> None:
    """Say it after a commit; if Redis is away, the next sync says it: what was committed stands all the same."""
    if not found:
        return
    try:
        with redis_of(get_settings()) as redis:
            publish(redis, *found)
    except RedisError as error:
        log.warning("routing_not_told", routes=len(found), error=type(error).__name__)


def publish_all(redis: "Redis") -> int:
    """Say it of every bot, some at a time, so that none waits long between its reading and its writing.

    Returns:
        how many there are.
    """
    count = 0
    found: Sequence[Routing] = routings(0, _BATCH)
    while found:
        publish(redis, *found)
        count += len(found)
        found = routings(found[-1].row, _BATCH)
    return count
