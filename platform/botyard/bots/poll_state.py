"""How the polling of each bot goes: one hash per bot in Redis, for whoever is asked why a bot does not answer.

Its shape stands in docs/bots.md.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import redis
import redis.asyncio

Reason = Literal["", "conflict", "webhook", "token", "flood", "network", "telegram", "full"]

_LIFE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class PollState:
    """How it goes, as the poller last said.

    Args:
        reason: why nothing is fetched now; empty while all is well.
        problem: the same as a sentence with its remedy, without secrets.
        since: when this began, in milliseconds since the epoch.
        retry_in: seconds from one try to the next; 0 while all is well.
    """

    reason: Reason
    problem: str
    since: int
    retry_in: float


def _key(telegram_id: int) -> str:
    return f"by:poll:{telegram_id}"


def poll_state(client: "redis.Redis", telegram_id: int) -> PollState | None:
    """What the poller says of a bot; nothing if none has fetched for it within the last minute, nor was about to."""
    return _read(client.hgetall(_key(telegram_id)))


async def read_state(client: "redis.asyncio.Redis", telegram_id: int) -> PollState | None:
    """The same, in an event loop."""
    return _read(await client.hgetall(_key(telegram_id)))


def _read(fields: Mapping[Any, Any]) -> PollState | None:
    found = {_text(name): _text(value) for name, value in fields.items()}
    if not found:
        return None
    reason: Reason = found.get("reason", "")  # type: ignore[assignment]
    return PollState(reason, found.get("problem", ""), int(found.get("since", 0)), float(found.get("retry_in", 0)))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def tell(client: "redis.asyncio.Redis", telegram_id: int, state: PollState) -> None:
    """Write it down until a minute after the next try, unless it is kept alive."""
    mapping: Mapping[Any, Any] = {
        "reason": state.reason, "problem": state.problem, "since": state.since, "retry_in": f"{state.retry_in:.1f}"
    }  # fmt: skip
    pipe = client.pipeline(transaction=True)
    pipe.delete(_key(telegram_id))
    pipe.hset(_key(telegram_id), mapping=mapping)
    pipe.pexpire(_key(telegram_id), _LIFE_MS + int(state.retry_in * 1000))
    await pipe.execute()


async def keep_alive(client: "redis.asyncio.Redis", telegram_id: int) -> bool:
    """What was told is still so; false: nothing is there, it has to be told anew."""
    return bool(await client.pexpire(_key(telegram_id), _LIFE_MS))


async def forget(client: "redis.asyncio.Redis", telegram_id: int) -> None:
    """Nobody polls this bot any more."""
    await client.delete(_key(telegram_id))


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)
