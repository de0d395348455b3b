"""What waits in the outbox, for all who end a row of it or look for the next. See docs/delivery.md.

Rows come by the thousand, and the planner's figures are of a quiet moment: to it all that waits may look like less than
one look-up by a key. So what is known by its id is asked for by that alone, with the state in words that offer no
partial index; what is asked for each row of several stands in a subquery, which it answers one by one, with the state
in the words of the one index that is meant.
"""

from typing import Final

WAITING: Final = "('queued', 'retry')"
OPEN: Final = "('queued', 'retry', 'sending')"
BY_ID: Final = "coalesce({0}.state, '') IN ('queued', 'retry')"
"""Whether a row that was asked for by its id is still waiting."""

LET_NEXT: Final = f"""freed AS MATERIALIZED (
  SELECT unnest(
      ARRAY(SELECT n.id FROM outbox n WHERE n.bot_id = e.bot_id AND n.chat_key = e.chat_key AND n.lane = e.lane
               AND n.id > e.id AND n.state IN {OPEN} AND {BY_ID.format("n")} ORDER BY n.id LIMIT 1)
      || ARRAY(SELECT a.id FROM outbox a WHERE a.after_id = e.id AND a.due = 'infinity')) AS id FROM ended e
), next AS (
  -- Also when it is not put off in this snapshot: a new holder of the lease may be doing that just now.
  UPDATE outbox o SET due = CASE WHEN due = 'infinity' THEN now() ELSE due END
   WHERE o.id = ANY(ARRAY(SELECT id FROM freed)) AND {BY_ID.format("o")}
)"""  # noqa: S608 - joined from constants
"""What waits for one of the rows ``ended`` is looked at again: in its lane of the chat, and what refers to its message.

A row that was found to wait for another one is put off (``due`` is infinity) until then: a broadcast of any length is
looked at only where it moves.
"""

SWEPT: Final = f"""left_over AS MATERIALIZED (
  SELECT unnest(ARRAY(
           SELECT w.id FROM outbox w WHERE w.bot_id = l.bot_id AND w.chat_key = l.chat_key AND w.lane > 0
              AND w.state IN {OPEN})) AS id, l.unreachable_reason AS why FROM lost l
), swept AS (
  UPDATE outbox o SET state = 'dropped', error = (SELECT why FROM left_over WHERE left_over.id = o.id),
         resolved_at = now()
   WHERE o.id = ANY(ARRAY(SELECT id FROM left_over)) AND {BY_ID.format("o")}
)"""  # noqa: S608 - joined from constants
"""What waits for the chats ``lost``, where nobody hears the bot, is not sent; urgent answers are no messages."""
