"""An installation of some size for measuring: ten thousand bots of a hundred customers, a million messages.

One customer's first bot is the busiest: a fifth of everything is its own.
"""

# ruff: noqa: S608 - statements are made of constants

from typing import Final

from tests.services import Services

CUSTOMERS: Final = 100
BOTS: Final = 10_000
MESSAGES: Final = 1_000_000
PEOPLE: Final = 300_000
EVENTS: Final = 500_000
AUDIT: Final = 200_000
LETTERS: Final = 50_000
FIRST_ID: Final = 5_100_000_000

_BOT: Final = f"1 + (CASE WHEN n % 5 = 0 THEN 0 ELSE n % {BOTS} END)"
"""The bot of row n."""
_OWNER: Final = f"2 + ({_BOT} - 1) / {BOTS // CUSTOMERS}"
_ROWS: Final = (
    f"""INSERT INTO customers (id, name, username)
        OVERRIDING SYSTEM VALUE SELECT n + 1, 'Customer ' || n, 'customer_' || n
          FROM generate_series(1, {CUSTOMERS}) n""",
    f"""INSERT INTO bots (id, telegram_id, public_id, kind, name, username, api_url, status, customer_id)
        OVERRIDING SYSTEM VALUE
        SELECT n, {FIRST_ID} + n, 'public-' || n, 'demo', 'Bot ' || n, 'bot_' || n || '_bot', 'http://127.0.0.1:1',
               (ARRAY['active', 'active', 'active', 'paused', 'error'])[1 + n % 5], 2 + (n - 1) / {BOTS // CUSTOMERS}
          FROM generate_series(1, {BOTS}) n""",
    """INSERT INTO bot_identities (telegram_id, bot_id, customer_id, public_id)
        SELECT telegram_id, id, customer_id, public_id FROM bots""",
    """INSERT INTO bot_health (bot_id, customer_id, state)
        SELECT id, customer_id, (ARRAY['ok', 'ok', 'warning', 'trouble'])[1 + id % 4] FROM bots""",
    f"""INSERT INTO messages (chat_key, direction, kind, message_id, text, at, bot_id, customer_id)
        SELECT (700000000 + n % 5000)::text, (ARRAY['in', 'out'])[1 + n % 2], 'text', n, 'message number ' || n,
               now() - n * interval '1 s', {_BOT}, {_OWNER} FROM generate_series(1, {MESSAGES}) n""",
    f"""INSERT INTO chats (bot_id, chat_key, customer_id)
        SELECT {_BOT}, (700000000 + n)::text, {_OWNER} FROM generate_series(1, {PEOPLE}) n""",
    f"""INSERT INTO bot_users (bot_id, user_id, customer_id, first_name, username, language_code, tags, last_seen)
        SELECT {_BOT}, 700000000 + n, {_OWNER}, 'Person ' || n, 'person_' || n,
               (ARRAY['en', 'ru', 'de'])[1 + n % 3], CASE WHEN n % 50 = 0 THEN ARRAY['vip'] ELSE '{{}}' END,
               now() - n * interval '1 s' FROM generate_series(1, {PEOPLE}) n""",
    f"""INSERT INTO events (bot_id, customer_id, type, entity, actor, data)
        SELECT {_BOT}, {_OWNER}, (ARRAY['message.received', 'update.processed', 'message.sent'])[1 + n % 3],
               'inbox:' || n, 'system', '{{}}' FROM generate_series(1, {EVENTS}) n""",
    f"""INSERT INTO audit (bot_id, customer_id, actor, action, entity, after)
        SELECT {_BOT}, {_OWNER}, 'person:' || n % 50, 'updated', 'bots:' || {_BOT}, '{{"name": "new"}}'
          FROM generate_series(1, {AUDIT}) n""",
    f"""INSERT INTO dead_letters (what, chat_key, reason, detail, request, attempts, bot_id, customer_id, fingerprint)
        SELECT 'update', (700000000 + n % 5000)::text, 'ValueError: number ' || n % 30, 'Traceback', '{{}}', 3,
               {_BOT}, {_OWNER}, 'print-' || n % 30 FROM generate_series(1, {LETTERS}) n""",
)  # fmt: skip


def fill(services: Services) -> None:
    """Make all of it, and let the database count its rows."""
    services.empty()
    services.superuser("SET synchronous_commit = off", "SET session_replication_role = replica", *_ROWS)
    for table in ("customers", "bots"):
        services.superuser(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    services.superuser("VACUUM ANALYZE")
