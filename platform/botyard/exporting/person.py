"""What is known of one person, as a JSON document: for whoever asks what a bot keeps of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

import orjson
from sqlalchemy import select

from botyard import __version__
from botyard.accounts.access import tenant_session
from botyard.exporting.parts import CHAT, CONVERSATION, DEAD_LETTER, EVENT, JOB, MESSAGE, USER
from botyard.exporting.snapshot import Snapshot, snapshot
from botyard.telemetry.redaction import redact
from db.models import Bot

FORMAT: Final = "botyard.person"
VERSION: Final = 1

_CHATS: Final = "(chat_key = :key OR chat_key LIKE 'b%:' || :key)"
_THEIRS: Final = f"""(telegram_id = ANY(SELECT telegram_id FROM bot_identities WHERE bot_id = :bot)
  AND ({_CHATS} OR strpos(body::text, :key) > 0
       AND :key IN (body->kind->'from'->>'id', body->kind->'user'->>'id')))"""  # noqa: S608 - our own words
_UPDATE: Final = "json_build_object('chat', chat_key, 'kind', kind, 'receivedAt', received_at, 'update', body)"
_SEND: Final = """json_build_object('chat', chat_key, 'method', method, 'params', params, 'state', state,
  'createdAt', created_at)"""
_BOT: Final = """
SELECT json_build_object('id', 'bot_' || id, 'telegramId', telegram_id::text, 'username', username)::text
  FROM bots WHERE id = :bot"""

# Messages of a group tell nobody's number; those whose update is still at hand do.
_PARTS: Final[dict[str, tuple[str, str, str, str]]] = {
    "users": ("bot_users", USER, "bot_id = :bot AND user_id = :user", "user_id"),
    "chats": ("chats", CHAT, f"bot_id = :bot AND {_CHATS}", "chat_key"),
    "conversations": (
        "conversations", CONVERSATION,
        "bot_id = :bot AND scope <> 'bot' AND (key = :key OR key LIKE 'b%:' || :key)", "scope, key",
    ),
    "messages": (
        "messages", MESSAGE,
        f"""bot_id = :bot AND ({_CHATS} OR direction = 'in' AND (chat_key, update_id) IN
            (SELECT chat_key, update_id FROM inbox WHERE {_THEIRS}))""",  # noqa: S608 - our own words
        "chat_key, id",
    ),
    "updates": ("inbox", _UPDATE, _THEIRS, "update_id"),
    "sends": ("outbox", _SEND, f"bot_id = :bot AND {_CHATS}", "id"),
    "jobs": ("jobs", JOB, f"bot_id = :bot AND ({_CHATS} OR chat_id = :user OR user_id = :user)", "id"),
    "deadLetters": ("dead_letters", DEAD_LETTER, f"bot_id = :bot AND {_CHATS}", "id"),
    "events": (
        "events", EVENT, "bot_id = :bot AND (data->>'chat' = :key OR entity = 'chat:' || :key)", "id",
    ),
}  # fmt: skip


def bot_numbers(customer_id: int) -> list[int]:
    """Every bot of a customer; whoever calls it has checked the right to."""
    with tenant_session(customer_id) as session:
        return list(session.scalars(select(Bot.id).order_by(Bot.id)))


def write_person(customer_id: int, bots: Sequence[int], user_id: int, target: IO[bytes]) -> int:
    """Write down what these bots know of somebody: the profile, memory, messages, and what is on its way.

    What others said of them is not theirs, and what a bot keeps for itself is not told apart by people.

    Args:
        customer_id: whose bots.
        bots: their rows.
        user_id: Telegram's number of the person.
        target: where the document goes.

    Returns:
        How many rows tell of them; 0: nobody knows them.
    """
    found = 0
    with snapshot(customer_id) as seen:
        head = {"format": FORMAT, "version": VERSION, "botyard": __version__, "at": datetime.now(UTC)}
        target.write(orjson.dumps({**head, "userId": str(user_id)})[:-1] + b', "bots": [')
        for number, bot_id in enumerate(bots):
            values = {"bot": bot_id, "user": user_id, "key": str(user_id)}
            target.write(b",\n" if number else b"\n")
            target.write(b'{"bot": ' + (seen.one(_BOT, values) or "null").encode())
            for part in _PARTS:
                found += _write(target, part, _lines(seen, part, values))
            target.write(b"}")
        target.write(b"\n]}\n")
    return found


def _lines(seen: Snapshot, part: str, values: Mapping[str, Any]) -> Iterator[str]:
    table, line, theirs, order = _PARTS[part]
    yield from seen.lines(f"SELECT {line}::text FROM {table} WHERE {theirs} ORDER BY {order}", values)  # noqa: S608 - our own words


def _write(target: IO[bytes], part: str, lines: Iterator[str]) -> int:
    target.write(f',\n"{part}": ['.encode())
    count = 0
    for count, line in enumerate(lines, 1):
        target.write((",\n" if count > 1 else "\n").encode() + redact(line).encode())
    target.write(b"]")
    return count
