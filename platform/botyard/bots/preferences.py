"""What may be chosen for each bot. See docs/bots.md."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from botyard.bots.naming import find_bot
from botyard.bots.registry import routing_of
from botyard.bots.routing import publish
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from db.engine import get_sessions
from db.models import Bot, Event

DEFAULTS: Final[dict[str, Any]] = {
    "answer_callbacks": True,
    "repeat_uncertain": True,
    "sends": "outbox",
    "retry": True,
    "forget_after": 0,
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """A bot's choices; nothing: as it was.

    Args:
        answer_callbacks: whether presses that its handlers leave unanswered are answered for it.
        repeat_uncertain: whether a send of unknown outcome is made again; else it is left for a person to look at.
        sends: ``direct``: its handlers wait for the answer to each send; ``outbox``: sends go out after the commit.
        retry: whether an update whose handlers raise is tried again; else errors are what they are in the library.
        forget_after: seconds after which the memory of a chat or a person that did not change is forgotten; 0: never.
        queue: the pool for its updates, or ``auto``: where its pace puts it.
        share: how many of its slices may be under way at once; 0: the setting ``SHARE``.
    """

    answer_callbacks: bool | None = None
    repeat_uncertain: bool | None = None
    sends: Literal["outbox", "direct"] | None = None
    retry: bool | None = None
    forget_after: int | None = None
    queue: Literal["updates", "slow", "auto"] | None = None
    share: int | None = None


def prefer(name: str, wanted: Preferences, settings: Settings) -> dict[str, Any]:
    """Change what is chosen for a bot; all of its choices as they are now.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        wanted: what is to be changed; without anything they are only read.
        settings: where its mailboxes are.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system").begin() as session:
        bot = find_bot(session, name)
        session.refresh(bot, with_for_update=True)
        if wanted != Preferences():
            _change(bot, wanted)
            bot.config_version += 1
            session.add(
                Event(
                    customer_id=bot.customer_id, bot_id=bot.id, type="bot.changed", actor="cli",
                    entity=f"telegram:{bot.telegram_id}",
                    data={"settings": bot.settings, "queue": bot.queue, "share": bot.share},
                )
            )  # fmt: skip
        chosen = {"bot": bot.username} | {key: bot.settings.get(key, value) for key, value in DEFAULTS.items()}
        chosen |= {"queue": bot.queue if "queue" in bot.settings else f"auto (now {bot.queue})", "share": bot.share}
        route = routing_of(bot)
    with redis_of(settings) as redis:
        publish(redis, route)
    return chosen


def _change(bot: Bot, wanted: Preferences) -> None:
    changed = dict(bot.settings)
    for key in DEFAULTS:
        if (value := getattr(wanted, key)) is not None:
            changed[key] = value
    if wanted.queue == "auto":
        changed.pop("queue", None)
    elif wanted.queue is not None:
        changed["queue"] = bot.queue = wanted.queue
    if wanted.share is not None:
        bot.share = wanted.share or None
    bot.settings = changed
