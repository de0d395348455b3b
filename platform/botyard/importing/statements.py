"""The statements of an import; row-level security keeps them to one customer."""

from typing import Final

from sqlalchemy import text

TENANT: Final = text("SELECT set_config('app.tenant', :tenant, true)")
BOT: Final = text("SELECT 1 FROM bots WHERE id = :bot AND removal_began IS NULL")

_PEOPLE: Final = """
SELECT user_id, first_name, last_name, username, language_code, is_premium, language, tags, attributes, last_seen,
       version
  FROM bot_users WHERE bot_id = :bot AND user_id = ANY(:users) ORDER BY user_id
"""
PEOPLE: Final = text(_PEOPLE)
PEOPLE_TO_CHANGE: Final = text(f"{_PEOPLE} FOR UPDATE")
NEW_PEOPLE: Final = text("""
INSERT INTO bot_users (bot_id, customer_id, user_id, first_name, last_name, username, language_code, is_premium,
                       language, tags, attributes, first_seen, last_seen)
SELECT :bot, :customer, user_id, coalesce(first_name, ''), last_name, username, language_code,
       coalesce(is_premium, false), language, coalesce(tags, '{}'), coalesce(attributes, '{}'),
       coalesce(first_seen, now()), coalesce(last_seen, now())
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    user_id bigint, first_name text, last_name text, username text, language_code text, is_premium bool, language text,
    tags text[], attributes jsonb, first_seen timestamptz, last_seen timestamptz) ORDER BY user_id
ON CONFLICT DO NOTHING
""")
CHANGED_PEOPLE: Final = text("""
UPDATE bot_users u SET first_name = r.first_name, last_name = r.last_name, username = r.username,
       language_code = r.language_code, is_premium = r.is_premium, language = r.language, tags = r.tags,
       attributes = r.attributes, last_seen = greatest(u.last_seen, r.last_seen), version = r.version
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    user_id bigint, first_name text, last_name text, username text, language_code text, is_premium bool, language text,
    tags text[], attributes jsonb, last_seen timestamptz, version bigint)
 WHERE u.bot_id = :bot AND u.user_id = r.user_id AND :customer = u.customer_id
""")

_MEMORY: Final = """
SELECT c.scope, c.key, c.state::text AS state, c.version, c.updated_at
  FROM conversations c JOIN unnest(CAST(:scopes AS text[]), CAST(:keys AS text[])) AS w(scope, key) USING (scope, key)
 WHERE c.bot_id = :bot ORDER BY c.scope, c.key
"""
MEMORY: Final = text(_MEMORY)
MEMORY_TO_CHANGE: Final = text(f"{_MEMORY} FOR UPDATE OF c")
MOVED: Final = text("""
SELECT chat_key, moved_to FROM chats WHERE bot_id = :bot AND chat_key = ANY(:chats) AND moved_to IS NOT NULL
""")
# Who began to write one of these meanwhile fails on the key and runs again with what is imported, or has been quicker.
NEW_MEMORY: Final = text("""
INSERT INTO conversations (bot_id, customer_id, scope, key, state, version, updated_at)
SELECT :bot, :customer, scope, key, CAST(state AS json), 1, least(coalesce(at, now()), now())
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(scope text, key text, state text, at timestamptz)
 ORDER BY scope, key
ON CONFLICT DO NOTHING
""")
CHANGED_MEMORY: Final = text("""
UPDATE conversations c SET state = CAST(r.state AS json), version = c.version + 1,
       updated_at = least(coalesce(r.at, now()), now())
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(scope text, key text, state text, version bigint, at timestamptz)
 WHERE c.bot_id = :bot AND c.scope = r.scope AND c.key = r.key AND c.version = r.version AND c.customer_id = :customer
""")

CHATS: Final = text("""
SELECT chat_key, unreachable_since IS NOT NULL AS unreachable FROM chats
 WHERE bot_id = :bot AND chat_key = ANY(:chats)
""")
NEW_UNREACHABLE: Final = text("""
INSERT INTO chats (bot_id, customer_id, chat_key, unreachable_since, unreachable_reason)
SELECT :bot, :customer, chat, coalesce(since, now()), 'so it was imported'
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(chat text, since timestamptz) ORDER BY chat
ON CONFLICT DO NOTHING
""")
KEYBOARDS: Final = text("SELECT number FROM keyboards WHERE bot_id = :bot AND number = ANY(:numbers)")
NEW_KEYBOARDS: Final = text("""
INSERT INTO keyboards (bot_id, customer_id, number, buttons, created_at)
SELECT :bot, :customer, number, buttons, least(at, now())
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(number text, buttons jsonb, at timestamptz) ORDER BY number
ON CONFLICT DO NOTHING
""")
