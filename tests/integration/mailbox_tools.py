"""Looking into the mailboxes of one bot."""

import redis

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import Held, Times

BOT, CHAT, OTHER, ME = 4_200_000_001, "5", "6", "me"
TIMES = Times(lease=9_000, queued=10_000, running=10_000, share=2, cap=10)
BODY = b'123 {"update_id": 1}'


def now(valkey: "redis.Redis") -> int:
    seconds, micros = valkey.time()
    return seconds * 1000 + micros // 1000


def place(valkey: "redis.Redis", chat: str = CHAT) -> float | None:
    """A chat's place, relative to now in milliseconds; nothing: absent."""
    score = valkey.zscore(f"by:chats:{BOT}", chat)
    return None if score is None else score - now(valkey)


def owner(valkey: "redis.Redis", chat: str = CHAT) -> object:
    return valkey.hget(f"by:own:{BOT}", chat)


async def take_one(
    boxes: Mailboxes, bot: int, ticket: str, token: str, stamp: int | None, queue: str, *, holding: bool = False
) -> Held | None:
    found = await boxes.take(bot, ticket, [token], stamp, queue, holding=holding)
    return found[0] if found else None


async def take(boxes: Mailboxes, token: str = ME, ticket: str = "t") -> Held | None:
    return await take_one(boxes, BOT, ticket, token, None, "slow")


async def taken(boxes: Mailboxes, *updates: int, token: str = ME) -> Held:
    for update_id in updates:
        await boxes.accept(BOT, CHAT, update_id, BODY)
    held = await take(boxes, token)
    assert held is not None
    return held


def score(valkey: "redis.Redis", key: str, member: str) -> float:
    """A score that must be there."""
    found = valkey.zscore(key, member)
    assert found is not None
    return found
