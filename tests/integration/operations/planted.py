"""Two people of a bot, with traces in every place that the platform has for them."""

import json
from typing import Any, Final

import orjson
from redis import Redis

from botyard.bots.registry import ServedBot
from tests.factories import chat, message
from tests.services import Services

ZELDA: Final = 700_000_111
OTTO: Final = 700_000_222
GROUP: Final = -1_001_234_567_890
NAMES: Final = {ZELDA: ("Zelda", "Quillfeather", "zelda_q"), OTTO: ("Otto", "Blumenkohl", "otto_b")}
_COLUMNS: Final = {
    "bot_users": "user_id, first_name, last_name, username, language_code, tags, attributes",
    "chats": "chat_key, unreachable_since, unreachable_reason",
    "conversations": "scope, key, state, version",
    "messages": "chat_key, direction, kind, message_id, update_id, outbox_id, text",
    "inbox": "telegram_id, update_id, chat_key, kind, body, state, received_at",
    "outbox": "chat_key, telegram_id, update_id, n, lane, method, params, state",
    "dead_letters": "what, telegram_id, update_id, chat_key, reason, detail, request, attempts, fingerprint",
    "jobs": "id, name, callback, data, chat_id, user_id, chat_key, trigger",
    "journal": "scope, position, digest, answer",
    "keyboards": "number, buttons",
    "events": "type, entity, actor, data",
}


def user(user_id: int) -> dict[str, Any]:
    first, last, username = NAMES[user_id]
    return {"id": user_id, "is_bot": False, "first_name": first, "last_name": last, "username": username}


def update(number: int, user_id: int, text: str, chat_id: int | None = None) -> dict[str, Any]:
    made = message(number, text, chat_id or user_id, user_id)
    made["message"]["from"] = user(user_id)
    if chat_id is None:
        made["message"]["chat"] = {**chat(user_id), **user(user_id)}
    return made


class Plot:
    """Plants rows of one bot."""

    def __init__(self, services: Services, bot: ServedBot) -> None:
        self._services, self.bot = services, bot

    def row(self, table: str, *values: Any) -> None:
        """One row, with the columns that are named above."""
        told = [orjson.dumps(one).decode() if isinstance(one, dict) else one for one in values]
        literals = ", ".join(_literal(one) for one in (self.bot.id, self.bot.customer_id, *told))
        self._services.superuser(
            f"INSERT INTO {table} (bot_id, customer_id, {_COLUMNS[table]}) VALUES ({literals})"  # noqa: S608 - our own
        )

    def person(self, who: int, first: int) -> None:
        """Somebody who wrote to the bot and in a group, was answered, and left something everywhere.

        Args:
            who: Telegram's number of them.
            first: the number of their first update.
        """
        name, last, username = NAMES[who]
        said, private, telegram = f"I am {name} {last}", str(who), self.bot.telegram_id
        self.row("bot_users", who, name, last, username, "en", "{vip}", {"phone": f"+{who}"})
        self.row("chats", private, "2026-11-01T00:00:00Z", "blocked")
        for scope in ("chat", "user"):
            self.row("conversations", scope, private, {"data": {"name": name, "id": who}}, 1)
        for number, chat_id in ((first, who), (first + 1, GROUP)):
            body = update(number, who, said, None if chat_id == who else GROUP)
            self.row("inbox", telegram, number, str(chat_id), "message", body, "done", "now")
            self.row("messages", str(chat_id), "in", "message", number, number, None, said)
            answer = {"chat_id": chat_id, "text": f"Hello {name} {last}"}
            self.row("outbox", str(chat_id), telegram, number, 1, 1, "sendMessage", answer, "sent")
            out = self._services.superuser("SELECT max(id) FROM outbox")[0][0]
            self.row("messages", str(chat_id), "out", "sendMessage", number + 50, None, out, f"Hello {name} {last}")
            self.row(
                "dead_letters", "update", telegram, number, str(chat_id), "ValueError", f"about {name} {last}",
                body, 3, "place",
            )  # fmt: skip
            self.row("journal", f"update {telegram} {number}", 1, "digest", {"chat": user(who), "text": said})
            self.row("events", "message.received", f"update:{number}", "bot", {"chat": str(chat_id), "kind": "message"})
        # Through somebody's business account.
        self.row("messages", f"b77:{who}", "in", "business_message", 9, None, None, said)
        self.row("conversations", "chat", f"b77:{who}", {"data": {"name": name}}, 1)
        self.row("outbox", private, None, None, None, 3, "sendMessage", {"chat_id": who, "text": "later"}, "queued")
        self.row("jobs", f"job-{who}", private, "m:remind", {"to": who}, who, who, private, {"at": "2026-12-01"})
        self.row("keyboards", f"k-{who % 1000}", {"1": {"buyer_id": who}})
        self.row("events", "chat.unreachable", f"chat:{who}", "telegram", {"reason": "blocked"})


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def waiting(redis: "Redis", bot: ServedBot, number: int, who: int, chat_id: int | None = None) -> None:
    """An update of theirs in a mailbox."""
    key, entry = f"{chat_id or who}", orjson.dumps(update(number, who, f"I am {NAMES[who][0]}", chat_id)).decode()
    redis.rpush(f"by:box:{bot.telegram_id}:{key}", f"{number} 1764000000000 {entry}")
    redis.zadd(f"by:chats:{bot.telegram_id}", {key: 1})
    redis.hincrby(f"by:bot:{bot.telegram_id}", "held", 1)


def of_schedules(services: Services, bot: ServedBot) -> None:
    """What is sent by itself: to one of them, to both, and what names one."""
    said = json.dumps({"texts": {"en": "Ask @zelda_q"}, "default": "en", "params": {}})
    for audience, content in (({"users": [ZELDA]}, "{}"), ({"users": [OTTO, ZELDA]}, "{}"), ({}, said)):
        services.superuser(
            "INSERT INTO schedules (bot_id, name, recurrence, zone, audience, content, grace)"  # noqa: S608 - ours
            f" VALUES ({bot.id}, 'daily', '{{}}', 'UTC', '{json.dumps(audience)}', '{content}', 60)"
        )
    for who in (ZELDA, OTTO):
        services.superuser(
            "INSERT INTO occurrences (schedule_id, slot, recipient, bot_id, run_id, day, due, send_id)"  # noqa: S608 - ours
            f" VALUES (2, 'now', {who}, {bot.id}, 1, now(), now(), 1)"
        )
