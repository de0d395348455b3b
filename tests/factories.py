"""Bots, updates, tickets and resolutions for tests."""

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from botyard.bots import registry
from botyard.bots.registry import ServedBot
from botyard.mailbox.protocol import Held, Ticket, Times
from botyard.processing.store import Resolution
from botyard.vault.sealed import token_of, webhook_of
from botyard.vault.sealing import keep_secret
from db.engine import get_sessions
from db.models import Bot, BotIdentity

TELEGRAM_ID = 4_200_000_001
TOKEN = f"{TELEGRAM_ID}:AAE-an_invented-token_of-35-characters"
SECRET = "an-invented-webhook-secret"
CHAT = 700_000_001

TIMES = Times(lease=9_000, queued=10_000, running=10_000, share=2, cap=10_000)


def payloads() -> dict[str, dict[str, Any]]:
    """An update of each kind, as the Bot API sends them, by kind."""
    path = Path(__file__).parent / "payloads" / "updates.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def person(user_id: int = CHAT, name: str = "Ann") -> dict[str, Any]:
    return {"id": user_id, "is_bot": False, "first_name": name, "language_code": "en"}


def chat(chat_id: int = CHAT) -> dict[str, Any]:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Ann"}
    return {"id": chat_id, "type": "supergroup", "title": "A group"}


def message(update_id: int, text: str = "hello", chat_id: int = CHAT, user_id: int | None = None) -> dict[str, Any]:
    """An update with a text message, with the entity that makes a leading /word a command."""
    content: dict[str, Any] = {
        "message_id": update_id % 100_000 + 1,
        "from": person(abs(chat_id) if user_id is None else user_id),
        "chat": chat(chat_id),
        "date": 1_800_000_000,
        "text": text,
    }
    if text.startswith("/"):
        content["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
    return {"update_id": update_id, "message": content}


def callback(update_id: int, data: str, message_id: int = 11, chat_id: int = CHAT) -> dict[str, Any]:
    shown = {"message_id": message_id, "chat": chat(chat_id), "date": 1_800_000_000, "text": "shown"}
    query = {"id": "77", "from": person(), "message": shown, "chat_instance": "5", "data": data}
    return {"update_id": update_id, "callback_query": query}


def entry(update: dict[str, Any]) -> bytes:
    """What the webhook puts into a mailbox."""
    return b"%d %b" % (time.time() * 1000, orjson.dumps(update))


def held(update: dict[str, Any], chat_key: str = str(CHAT), attempt: int = 1) -> Held:
    return Held(chat_key, update["update_id"], entry(update), attempt, suspect=False)


def make_bot(
    telegram_id: int = TELEGRAM_ID,
    *,
    kind: str = "demo",
    api_url: str = "http://127.0.0.1:1",
    token: str = TOKEN,
    public_id: str | None = None,
    customer_id: int = 1,
    queue: str = "updates",
) -> ServedBot:
    """A row for a bot, as the services see it."""
    with get_sessions("system").begin() as session:
        bot = Bot(
            customer_id=customer_id,
            telegram_id=telegram_id,
            public_id=public_id or f"public-{telegram_id}",
            kind=kind,
            name="Test bot",
            username="test_bot",
            api_url=api_url,
            queue=queue,
        )
        session.add(bot)
        session.flush()
        digest = sha256(SECRET.encode()).digest()
        door = BotIdentity(telegram_id=telegram_id, bot_id=bot.id, customer_id=customer_id, public_id=bot.public_id)
        door.secret_hash = digest
        session.add(door)
        keep_secret(session, bot, token_of(telegram_id), token)
        keep_secret(session, bot, webhook_of(telegram_id), SECRET)
        bot_id = bot.id
    found = registry.find(bot_id)
    assert found is not None
    return found


class FakeTickets:
    """A ticket queue that keeps what it is given, oldest first."""

    def __init__(self) -> None:
        self.sent: list[Ticket] = []

    def send(self, ticket: Ticket) -> None:
        self.sent.append(ticket)

    def send_soon(self, ticket: Ticket | None) -> None:
        if ticket is not None:
            self.sent.append(ticket)


def guard(
    key: str = str(CHAT), state: dict[str, Any] | None = None, version: int = 0, scope: str = "chat"
) -> dict[str, Any]:
    return {"scope": scope, "key": key, "version": version, "state": state}


def send(
    text: str = "hi", *, chat_key: str = str(CHAT), lane: int = 1, after: tuple[int, int] | None = None
) -> dict[str, Any]:
    return {
        "method": "sendMessage",
        "params": {"chat_id": int(chat_key), "text": text},
        "chat": chat_key,
        "lane": lane,
        "seconds": 900,
        "after_update": after[0] if after else None,
        "after_n": after[1] if after else None,
    }


def resolution(
    update_id: int,
    *,
    chat_key: str = str(CHAT),
    guards: Iterable[dict[str, Any]] = (),
    sends: Iterable[dict[str, Any]] = (),
    dead: dict[str, Any] | None = None,
    **row: Any,
) -> Resolution:
    """What processing writes for one update."""
    guards = list(guards)
    content = {
        "u": update_id,
        "k": chat_key,
        "kind": "message",
        "body": orjson.dumps({"update_id": update_id}).decode(),
        "at": datetime.now(UTC),
        "guards": guards,
        "sends": list(sends),
        "messages": [{"id": 5, "text": "hello"}],
        "reach": None,
    }
    if dead is not None:
        content["dead"] = dead
    return Resolution.of(update_id, ((one["scope"], one["key"]) for one in guards), content | row)


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    import asyncio

    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)
