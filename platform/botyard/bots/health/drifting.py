"""How what Telegram has of a webhook differs from what we have set, and what was tried against it. See docs/bots.md.

Source: https://core.telegram.org/bots/api#webhookinfo
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from redis.asyncio import Redis

from botyard.bots.connection.doors import webhook_url
from botyard.bots.connection.webhooks import CONNECTIONS, Connection

Reason = Literal["missing", "moved", "connections", "secret", "updates"]

LOST: Final[frozenset[Reason]] = frozenset({"missing", "moved"})
"""What does not happen by itself after it was set."""
_RECENT_SECONDS: Final = 900.0
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Args:
        reason: what differs, in one word.
        says: the same as a sentence.
        mark: what is the same as long as setting it again could only do the same again; none: it is always of use.
    """

    reason: Reason
    says: str
    mark: str | None


def drifts(bot: Connection, info: Mapping[str, Any], base: str, allowed: list[str] | None) -> Iterator[Drift]:
    """What is not as we have set it, the gravest first.

    Args:
        bot: whose webhook.
        info: what Telegram has of it; its address is none of another system's.
        base: where this installation is reached.
        allowed: the kinds of updates that are wanted; none: that is not known.
    """
    url = info.get("url", "")
    # Whoever switches a bot off and on again deletes its webhook as well.
    ours = f"{bot.config_version} {base}"
    if not url:
        yield Drift("missing", "Its webhook was missing at Telegram.", ours)
        return
    if url != webhook_url(base, bot.public_id):
        yield Drift("moved", "Its webhook led to an earlier address of ours.", ours)
    connections = info.get("max_connections", CONNECTIONS)
    if connections != CONNECTIONS:
        yield Drift("connections", "Its webhook had another number of connections.", str(connections))
    unknown = "Telegram did not know the present secret of its webhook."
    if bot.untold:
        yield Drift("secret", unknown, None)
    refused = "401" in info.get("last_error_message", "") and info.get("pending_update_count")
    if refused and time.time() - info.get("last_error_date", 0) < _RECENT_SECONDS:
        # Once it was told, a refusal is somebody else's, as a proxy's.
        yield Drift("secret", unknown, str(bot.secret_since))
    shown = sorted(info.get("allowed_updates", ()))
    if allowed is not None and shown != sorted(allowed):
        # A Bot API that knows not all kinds of updates shows others than it was told.
        says = "Its webhook asked for other kinds of updates than its handlers take."
        yield Drift("updates", says, f"{shown} {sorted(allowed)}")


class Tried:
    """What was set against which difference within the last day.

    Args:
        redis: where that stands.
        telegram_id: whose webhook.
    """

    def __init__(self, redis: "Redis", telegram_id: int) -> None:
        self._redis = redis
        self._telegram_id = telegram_id
        self._marks: dict[Reason, str] = {}

    async def read(self) -> None:
        """Read it: before Telegram is asked, so that what another check sets meanwhile is not taken for a trial."""
        reasons: tuple[Reason, ...] = get_args(Reason)
        marks: list[Any] = await self._redis.mget([self._key(reason) for reason in reasons])
        self._marks = {reason: mark.decode() for reason, mark in zip(reasons, marks, strict=True) if mark is not None}

    def was_in_vain(self, drift: Drift) -> bool:
        """Whether the same was set already, and did not last."""
        return drift.mark is not None and self._marks.get(drift.reason) == drift.mark

    async def note(self, drift: Drift) -> None:
        """It was set, or seen again though it was."""
        if drift.mark is not None:
            await self._redis.set(self._key(drift.reason), drift.mark, ex=_DAY_SECONDS)

    async def forget(self, info: Mapping[str, Any], found: list[Drift]) -> None:
        """What is as it should be now may be set again at once; that a webhook was lost counts for its day."""
        kept = {*LOST, *(drift.reason for drift in found)}
        if info.get("pending_update_count"):
            # Telegram has not tried again yet.
            kept.add("secret")
        if over := [self._key(reason) for reason in self._marks if reason not in kept]:
            await self._redis.delete(*over)

    def _key(self, reason: Reason) -> str:
        return f"by:tried:{self._telegram_id}:{reason}"
