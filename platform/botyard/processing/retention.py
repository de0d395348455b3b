"""What is forgotten, and when. See docs/processing.md.

Inbox rows back up the seen bits (48 h) and must be gone before a week has passed: after a week of silence Telegram
restarts a bot's update ids at random, and an old row would swallow a new update. What is to last longer stands in the
message history and the dead letters.
"""

from typing import Final

from db.engine import get_engine

_KEPT_HOURS: Final = 72
_BATCH: Final = 5000
_STATEMENTS: Final = (
    """DELETE FROM inbox WHERE (telegram_id, update_id) IN (
         SELECT telegram_id, update_id FROM inbox
          WHERE resolved_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
    """DELETE FROM outbox WHERE id IN (
         SELECT id FROM outbox WHERE state NOT IN ('queued', 'retry', 'sending')
            AND resolved_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
)


def prune() -> int:
    """Delete old inbox rows and settled outbox rows, in small transactions; how many rows that were."""
    deleted = 0
    for statement in _STATEMENTS:
        while True:
            with get_engine("system").begin() as connection:
                found = connection.exec_driver_sql(statement, {"hours": _KEPT_HOURS, "batch": _BATCH}).rowcount
            deleted += found
            if found < _BATCH:
                break
    return deleted
