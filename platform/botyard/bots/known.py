"""What all processes were told of last, and what the database says now: the net under lost notifications.

Redis keeps the marks of every row that a bot or a customer is made of (`xmin`, the number of the transaction that wrote
it last: PostgreSQL changes it at every write, raw SQL included). Rows whose marks differ were changed since.

Source: https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from redis import Redis

from db.engine import get_engine

Topic = Literal["bots", "customers"]

_MARKS: Final[dict[Topic, str]] = {
    "customers": "SELECT id, xmin::text FROM customers",
    "bots": """
        SELECT b.id, concat_ws('-', b.xmin, i.marks, s.marks) FROM bots b
          LEFT JOIN (SELECT bot_id, string_agg(xmin::text, ',' ORDER BY telegram_id) AS marks
                       FROM bot_identities GROUP BY bot_id) i ON i.bot_id = b.id
          LEFT JOIN (SELECT bot_id, string_agg(xmin::text, ',' ORDER BY name) AS marks
                       FROM bot_secrets GROUP BY bot_id) s ON s.bot_id = b.id""",
}
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows that came, changed or went since everybody was told last."""

    added: list[int]
    updated: list[int]
    removed: list[int]
    marks: Mapping[int, str]
    """Of all rows that there are now."""


def compare(redis: "Redis", topic: Topic) -> Difference:
    """What nobody was told of yet, or what was told and not noted here: an event too many harms nobody."""
    with get_engine("system").connect() as connection:
        now = {number: marks for number, marks in connection.exec_driver_sql(_MARKS[topic])}  # noqa: C416 - rows, not pairs
    noted = cast("dict[bytes, bytes]", redis.hgetall(_key(topic)))
    told = {int(number): marks.decode() for number, marks in noted.items()}
    return Difference(
        added=sorted(now.keys() - told.keys()),
        updated=sorted(number for number, marks in now.items() if number in told and told[number] != marks),
        removed=sorted(told.keys() - now.keys()),
        marks=now,
    )


def remember(redis: "Redis", topic: Topic, found: Difference) -> None:
    """Everybody was told of it."""
    pipe = redis.pipeline(transaction=False)
    news = [*found.added, *found.updated]
    for start in range(0, len(news), _BATCH):
        pipe.hset(_key(topic), mapping={str(number): found.marks[number] for number in news[start : start + _BATCH]})
    for start in range(0, len(found.removed), _BATCH):
        pipe.hdel(_key(topic), *map(str, found.removed[start : start + _BATCH]))
    pipe.execute()


def _key(topic: Topic) -> str:
    return f"by:known:{topic}"
