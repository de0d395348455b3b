"""The words of the mailbox protocol: what a ticket, a held chat and the end of an update are."""

import time
from dataclasses import dataclass
from os import urandom
from typing import Any, Final, Literal

from botyard.settings import Settings

TaskName = Literal["botyard.process_updates", "botyard.deliver"]
PROCESS_UPDATES: Final = "botyard.process_updates"
DELIVER: Final = "botyard.deliver"
APART: Final = "by:apart"
"""Telegram's id of the bot that is lent to the queue ``maintenance``; see docs/processing.md."""
AWAITED: Final = "by:callbacks"
"""Callback queries by the second of their arrival: ``<telegram id> <update id> <query id> <chat key>``."""


def fresh_id() -> str:
    """A new ticket id or owner token; drawn by us and not by Redis, which may forget its last second."""
    return urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A Celery message to be: "this bot has work"."""

    task: TaskName
    bot: int
    """The Telegram bot id for updates, the bot's row id for sends."""
    id: str
    stamp: int
    """When it was born, in milliseconds of Redis' clock."""
    queue: str
    lasts: int = 0
    """For how many milliseconds its place is kept while it waits in its queue."""


@dataclass(frozen=True, slots=True)
class Held:
    """The head of a chat's mailbox, in our hands until the lease passes."""

    chat: str
    update_id: int
    body: bytes
    attempt: int
    """How many handler starts this update has had, this one included."""
    suspect: bool
    """An earlier start never came back: its process may have died of it."""


@dataclass(frozen=True, slots=True)
class Times:
    """The protocol's times, in milliseconds."""

    lease: int
    queued: int
    running: int
    share: int
    cap: int


def times_of(settings: Settings) -> Times:
    """The protocol's times as the settings say."""
    return Times(
        lease=int(settings.lease_seconds * 1000),
        queued=int(settings.ticket_queued_seconds * 1000),
        running=int(settings.ticket_running_seconds * 1000),
        share=settings.share,
        cap=settings.mailbox_cap,
    )


def mailbox_entry(update: bytes) -> bytes:
    """What is put into a mailbox: when the update came, in milliseconds, and its JSON."""
    return b"%d %b" % (time.time() * 1000, update)


def parse_ticket(task: TaskName, bot: int, raw: Any) -> Ticket | None:
    """What a script returned as ``{id, stamp, queue, lasts}``, or nothing."""
    if not isinstance(raw, list):
        return None
    return Ticket(task, bot, raw[0].decode(), int(raw[1]), raw[2].decode(), int(raw[3]))


def parse_held(raw: Any) -> Held:
    """What a script returned as ``{chat, entry, attempt, suspect}``."""
    update_id, _, body = raw[1].partition(b" ")
    return Held(raw[0].decode(), int(update_id), body, int(raw[2]), bool(raw[3]))
