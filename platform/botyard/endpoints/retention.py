"""What is forgotten of endpoints: messages with their attempts after a month, secrets when they have run out."""

from typing import Final

from db.engine import get_engine

_KEPT_DAYS: Final = 30
_BATCH: Final = 2000
_STATEMENTS: Final = (
    """DELETE FROM endpoint_messages WHERE id IN (
         SELECT id FROM endpoint_messages
          WHERE created_at < now() - make_interval(days => %(days)s) LIMIT %(batch)s)""",
    """DELETE FROM endpoint_secrets WHERE (endpoint_id, name) IN (
         SELECT endpoint_id, name FROM endpoint_secrets WHERE expires_at < now() LIMIT %(batch)s)""",
)


def prune_messages() -> int:
    """Delete them, in small transactions; how many rows that were."""
    deleted = 0
    for statement in _STATEMENTS:
        while True:
            with get_engine("system").begin() as connection:
                found = connection.exec_driver_sql(statement, {"days": _KEPT_DAYS, "batch": _BATCH}).rowcount
            deleted += found
            if found < _BATCH:
                break
    return deleted
