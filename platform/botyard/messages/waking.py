"""After a message was put into an outbox: its bot's sender is woken, and what Telegram has closed is known."""

from functools import lru_cache

import structlog
from redis.exceptions import RedisError

from botyard.bots.overview import closed_chats
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import times_of
from botyard.mailbox.server import redis_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import Settings

log = structlog.get_logger(__name__)


def wake(settings: Settings, bot_id: int) -> None:
    """Wake a bot's sender, after the commit. If that fails, whoever looks for what is due does it in two seconds."""
    try:
        with redis_of(settings) as redis:
            _tickets().send_soon(Keeper(redis, times_of(settings)).wake(bot_id))
    except RedisError as error:
        log.warning("sender_not_woken", bot=bot_id, error=type(error).__name__)


def closed(settings: Settings, bot_id: int) -> dict[str, float]:
    """The chats of a bot that Telegram has closed, see `closed_chats`; none while that cannot be asked."""
    try:
        with redis_of(settings) as redis:
            return closed_chats(redis, bot_id)
    except RedisError as error:
        log.warning("closed_chats_not_known", bot=bot_id, error=type(error).__name__)
        return {}


@lru_cache(maxsize=1)
def _tickets() -> CeleryTickets:
    return CeleryTickets(celery_producer())
