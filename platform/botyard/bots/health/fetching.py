"""How the fetching of a bot's updates goes, in words."""

import time
from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis

from botyard.bots.connection.doors import host_in
from botyard.bots.health.verdicts import Verdict, lasting
from botyard.bots.poll_state import PollState, read_state

_PASSING: Final = frozenset({"network", "telegram", "flood"})
"""What says nothing of the bot."""


async def judge_polling(redis: "Redis", telegram_id: int, info: Mapping[str, Any]) -> Verdict:
    """What the poller says of a bot, and what its ``WebhookInfo`` shows.

    Args:
        redis: where the poller says it.
        telegram_id: which Telegram bot.
        info: what Telegram says.
    """
    return judged(await read_state(redis, telegram_id), info)


def judged(state: PollState | None, info: Mapping[str, Any]) -> Verdict:
    """The same of what was read."""
    pending = info.get("pending_update_count")
    facts = {"pending": pending, "webhook_host": None}
    if url := info.get("url"):
        says = f"A webhook of {host_in(url)} is set, so Telegram refuses to let its updates be fetched."
        remedy = "End it there, then set TAKE_OVER=true and give its token to `botyard bot add`."
        return Verdict("trouble", "webhook", says, remedy, facts={**facts, "webhook_host": host_in(url)})
    waiting = "" if pending is None else f"; {pending} wait at Telegram"
    if state is None:
        remedy = "Start `botyard poller`, or see its log: `botyard logs`."
        return Verdict("trouble", "nobody", f"Nobody fetches its updates{waiting}.", remedy, facts=facts)
    if not state.reason:
        return Verdict("ok", "", f"Its updates are fetched{waiting}.", facts=facts)
    says = f"{state.problem} This began {lasting(time.time() - state.since / 1000)} ago."
    passing = state.reason in _PASSING
    return Verdict("warning" if passing else "trouble", state.reason, says, "See `botyard logs`.", facts=facts)
