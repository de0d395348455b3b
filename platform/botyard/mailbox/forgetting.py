"""Everything that Redis holds of a bot, forgotten. See docs/mailbox.md."""

from typing import Final

from redis import Redis

from botyard.mailbox import scripts

# Longer than a ticket lives: a ticket that comes late finds the mark, and makes no new one without an end.
_MARK_SECONDS: Final = 3600
_BATCH: Final = 1000


def forget(redis: "Redis", telegram_id: int, bot_id: int) -> None:
    """Drop a bot's mailboxes, leases, tickets, seen ids and permits, and refuse its updates for an hour.

    Doing it again is harmless. A slice that is under way loses its leases, so it changes nothing here afterwards.

    Args:
        redis: where the mailboxes are.
        telegram_id: Telegram's id of the bot, under which updates wait.
        bot_id: the id of its row, under which its sends wait.
    """
    redis.register_script(scripts.source("forget"))(args=(telegram_id, bot_id, _MARK_SECONDS))
    # What no list names. Outside of the script, which must not search the whole database in one go.
    for pattern in (
        f"by:box:{telegram_id}:*",
        f"by:seen:{telegram_id}:*",
        f"by:lim:{bot_id}:*",
        f"by:shut:{bot_id}:*",
    ):
        found = list(redis.scan_iter(match=pattern, count=_BATCH))
        for start in range(0, len(found), _BATCH):
            redis.unlink(*found[start : start + _BATCH])
    redis.unlink(f"by:shut:{bot_id}")
