"""A group became a supergroup, and with it another chat at Telegram: everything kept of it follows."""

from typing import Any, Final

from db.engine import one_statement

# Rows of the old chat that are being sent follow too: what becomes of them is recorded by their own ids. The messages
# stay behind, so that an answer to one of them is sent as a message of its own.
_MOVE: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
WITH c AS (
  INSERT INTO chats (bot_id, customer_id, chat_key, moved_to)
  SELECT id, %(customer)s, %(old)s, %(new)s FROM bots WHERE id = %(bot)s
  ON CONFLICT (bot_id, chat_key) DO UPDATE SET moved_to = excluded.moved_to
   WHERE chats.moved_to IS DISTINCT FROM excluded.moved_to RETURNING 1
), s AS (
  -- What was written under the new id meanwhile began from nothing: what the bot remembers of the group wins.
  INSERT INTO conversations AS n (bot_id, customer_id, scope, key, state, version)
  SELECT bot_id, customer_id, scope, %(new)s, state, version + 1 FROM conversations
   WHERE bot_id = %(bot)s AND scope = 'chat' AND key = %(old)s
  ON CONFLICT (bot_id, scope, key) DO UPDATE
     SET state = excluded.state, version = greatest(n.version, excluded.version) + 1, updated_at = now()
), g AS (
  DELETE FROM conversations WHERE bot_id = %(bot)s AND scope = 'chat' AND key = %(old)s
), o AS (
  UPDATE outbox SET chat_key = %(new)s, params = params
           || CASE WHEN params->>'chat_id' = %(old)s THEN jsonb_build_object('chat_id', %(new)s::bigint) ELSE '{}' END
           || CASE WHEN jsonb_typeof(params->'reply_parameters') = 'object' THEN jsonb_build_object('reply_parameters',
                params->'reply_parameters' || '{"allow_sending_without_reply": true}') ELSE '{}' END
   WHERE bot_id = %(bot)s AND chat_key = %(old)s AND state IN ('queued', 'retry', 'sending')
), e AS (
  INSERT INTO events (customer_id, bot_id, type, entity, actor, data)
  SELECT %(customer)s, %(bot)s, 'chat.moved', 'chat:' || %(old)s, 'telegram', jsonb_build_object('to', %(new)s) FROM c
)
SELECT count(*) FROM c
"""


# A long history takes longer than one statement may.
_HISTORY: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
WITH m AS (
  UPDATE messages SET chat_key = %(new)s WHERE id IN (
    SELECT id FROM messages WHERE bot_id = %(bot)s AND chat_key = %(old)s ORDER BY id DESC LIMIT 2000) RETURNING 1
)
SELECT count(*) FROM m
"""


def move(bot_id: int, customer_id: int, old: str, new: str) -> bool:
    """Let state and what waits to be sent follow a group in one transaction, and then its history, some at a time.

    Once done, it changes nothing.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
        old: the group's id until now.
        new: the supergroup's id.

    Returns:
        Whether this was news.
    """
    parameters = {"tenant": str(customer_id), "customer": customer_id, "bot": bot_id, "old": old, "new": new}
    with one_statement() as cursor:
        cursor.execute(_MOVE, parameters)
        ((changed,),) = cursor.fetchall()
    moved = 1
    while moved:
        with one_statement() as cursor:
            cursor.execute(_HISTORY, parameters)
            ((moved,),) = cursor.fetchall()
    return bool(changed)


def move_told_by(update: dict[str, Any], chat_key: str) -> tuple[str, str] | None:
    """The old and the new id of a group, if this update is the service message of its move.

    Args:
        update: as the Bot API delivers it.
        chat_key: the chat it belongs to.
    """
    message = update.get("message")
    if not isinstance(message, dict):
        return None
    for field, told_in_old in (("migrate_to_chat_id", True), ("migrate_from_chat_id", False)):
        other = message.get(field)
        if type(other) is int:
            return (chat_key, str(other)) if told_in_old else (str(other), chat_key)
    return None
