"""The files of an export: which rows, in which order, and what a line says of each.

The database makes the lines, so that numbers and the order of keys stay as they are stored. Telegram's numbers are
texts, as in the API. Secrets are in none of these tables' columns that are named here.
"""

from typing import Final

USER: Final = """json_build_object('userId', user_id::text, 'firstName', first_name, 'lastName', last_name,
  'username', username, 'languageCode', language_code, 'isPremium', is_premium, 'language', language, 'tags', tags,
  'attributes', attributes, 'firstSeen', first_seen, 'lastSeen', last_seen)"""
CHAT: Final = """json_build_object('chat', chat_key, 'unreachableSince', unreachable_since,
  'unreachableReason', unreachable_reason, 'reachableAt', reachable_at, 'movedTo', moved_to)"""
CONVERSATION: Final = "json_build_object('scope', scope, 'key', key, 'state', state, 'updatedAt', updated_at)"
MESSAGE: Final = """json_build_object('chat', chat_key, 'direction', direction, 'kind', kind,
  'messageId', message_id::text, 'updateId', update_id::text, 'text', "text", 'at', at)"""
JOB: Final = """json_build_object('id', id, 'name', name, 'callback', callback, 'data', data, 'chatId', chat_id::text,
  'userId', user_id::text, 'chat', chat_key, 'trigger', trigger, 'grace', grace, 'catchesUp', catches_up,
  'enabled', enabled, 'nextRun', next_run, 'declared', declared IS NOT NULL)"""
SCHEDULE: Final = """json_build_object('id', id::text, 'name', name, 'when', recurrence, 'timeZone', zone,
  'audience', audience, 'content', content, 'quietHours', quiet, 'cap', cap, 'endsAt', ends_at,
  'jitterSeconds', jitter, 'graceSeconds', grace, 'enabled', enabled, 'createdAt', created_at)"""
DEAD_LETTER: Final = """json_build_object('id', id::text, 'what', what, 'chat', chat_key, 'updateId', update_id::text,
  'reason', reason, 'detail', detail, 'request', request, 'attempts', attempts, 'fingerprint', fingerprint,
  'createdAt', created_at, 'replayedAt', replayed_at)"""
EVENT: Final = """json_build_object('id', id::text, 'type', type, 'entity', entity, 'actor', actor, 'data', data,
  'at', at)"""
_CONFIGURATION: Final = """json_build_object('number', number, 'configuration', configuration, 'by', actor,
  'note', note, 'createdAt', created_at)"""
_DAY: Final = """json_build_object('day', day, 'updates', updates, 'deadUpdates', dead_updates, 'sent', sent,
  'unsent', unsent, 'uncertain', uncertain)"""

BOT: Final = """
SELECT json_build_object('telegramId', telegram_id::text, 'username', username, 'name', name, 'kind', kind,
  'queue', queue, 'share', share, 'status', status, 'statusReason', status_reason, 'intake', intake,
  'settings', settings, 'createdAt', created_at)::text FROM bots WHERE id = :bot AND removal_began IS NULL
"""

PARTS: Final[dict[str, tuple[str, str, str]]] = {
    "configurations": ("bot_configurations", _CONFIGURATION, "number"),
    "users": ("bot_users", USER, "user_id"),
    "chats": ("chats", CHAT, "chat_key"),
    "conversations": ("conversations", CONVERSATION, "scope, key"),
    "messages": ("messages", MESSAGE, "chat_key, id"),
    "jobs": ("jobs", JOB, "id"),
    "schedules": ("schedules", SCHEDULE, "id"),
    "dead_letters": ("dead_letters", DEAD_LETTER, "id"),
    "days": ("bot_days", _DAY, "day"),
    "events": ("events", EVENT, "id"),
}
"""By the file's name: the table, what a line says, and the order."""


def counting(part: str) -> str:
    """How many lines a file will have."""
    return f"SELECT count(*) FROM {PARTS[part][0]} WHERE bot_id = :bot"  # noqa: S608 - our own words


def reading(part: str) -> str:
    """Its lines."""
    table, line, order = PARTS[part]
    return f"SELECT {line}::text FROM {table} WHERE bot_id = :bot ORDER BY {order}"  # noqa: S608 - our own words
