"""The ids that Telegram gave to messages which handlers know by provisional ones. See docs/bots.md."""

from collections.abc import Iterable
from typing import Final

from botyard.telegram.run import of_provisional_id
from db.engine import one_statement

_REAL_IDS: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
-- One row may stand for an album's messages: the one with the number, or the nearest before it.
SELECT w.u, w.n, CASE WHEN w.n = o.n THEN o.message_id ELSE o.message_ids[w.n - o.n + 1] END
  FROM unnest(%(updates)s::bigint[], %(numbers)s::bigint[]) AS w(u, n)
 CROSS JOIN LATERAL (SELECT * FROM outbox a WHERE a.telegram_id = %(telegram_id)s AND a.update_id = w.u AND a.n <= w.n
                      ORDER BY a.n DESC LIMIT 1) o
 WHERE w.n = o.n OR o.message_ids IS NOT NULL
"""


def real_ids(customer_id: int, telegram_id: int, provisional: Iterable[int]) -> dict[int, int | None]:
    """The real ids of messages; none for one that was not sent, or not yet. What nobody knows of is missing.

    Args:
        customer_id: whose they are.
        telegram_id: the Telegram bot whose updates caused them.
        provisional: as handlers know them.
    """
    by_place = {of_provisional_id(number): number for number in provisional}
    parameters = {
        "tenant": str(customer_id),
        "telegram_id": telegram_id,
        "updates": [update_id for update_id, _ in by_place],
        "numbers": [n for _, n in by_place],
    }
    with one_statement() as cursor:
        cursor.execute(_REAL_IDS, parameters)
        return {by_place[update_id, n]: message_id for update_id, n, message_id in cursor.fetchall()}
