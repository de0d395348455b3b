"""What the inbound model knows: the mailboxes in Redis, the rows in PostgreSQL, the processes, and what is set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Optional

from tests.model.explorer import put

ABSENT, READY, LEASED, PARKED = range(4)
"""A chat's place. In Redis one score says it all; ready is also a leased chat whose lease has passed."""
NEW, DONE, DEAD = range(3)
"""An update in the inbox."""
IDLE, WORKING, LEAVING = range(3)
"""A process: it has no ticket, works a slice, or (a planted bug) looked and is about to retire its ticket."""
START, RUN, REMOVED, BURY, RESOLVED, LOOKED, FAILED, BACK = range(8)
"""A chat in a process' hands: its update is yet to be loaded; its handlers run; (planted bug) it is out of its mailbox
and not committed; it is to be given up; PostgreSQL has decided; (planted bug) its mailbox looked empty; the start
counts; the start does not count."""
OUTSIDE = 99
"""What a writer other than a worker left in a memory."""
VARIANTS = {"": ((),), "same": ((1, 2),), "varies": ((1,), (2, 3))}
"""What a run of an update may send: nothing, always the same, or one of two things."""


class Update(NamedTuple):
    """An update: what its handlers do, what they send while they run, and which memories they change."""

    chat: int
    kind: str = "ok"
    """``ok``; ``fail``: always raises; ``kill``: kills its process; ``bad``: the database refuses its rows."""
    sends: str = ""
    person: int = -1
    """Whose memory is changed besides the chat's."""
    quiet: int = 0
    """No memory is changed: the chat's is only compared."""


@dataclass(frozen=True)
class Setup:
    """A configuration of the inbound model.

    Args:
        updates: in the order of their ids.
        chats: the bot of each chat.
        faults: how many faults may strike, of all kinds together.
        kinds: which kinds.
        share: tickets that a bot may have.
        workers: processes.
        held: chats that a process holds at a time.
        threads: they are held by several slices, which take without regard to each other.
        updates_of_slice: after so many the ticket goes back.
        max_attempts: starts after which an update is given up.
        sweeper: whether anything makes lost tickets good.
        rabbitmq: Celery's queue is not in Redis; a ticket whose place is given up is dropped there.
        bugs: what is planted.
    """

    updates: tuple[Update, ...]
    chats: tuple[int, ...]
    faults: int
    kinds: frozenset[str] = frozenset()
    share: int = 1
    workers: int = 2
    held: int = 1
    threads: bool = False
    updates_of_slice: int = 2
    max_attempts: int = 3
    sweeper: bool = True
    rabbitmq: bool = False
    bugs: frozenset[str] = frozenset()

    @property
    def bots(self) -> tuple[int, ...]:
        """Every bot."""
        return tuple(sorted(set(self.chats)))

    @property
    def memories(self) -> int:
        """How many memories there are: one of each chat, one of each person."""
        return len(self.chats) + 1 + max(update.person for update in self.updates)

    def keys_of(self, number: int) -> tuple[int, ...]:
        """The memories that an update loads and writes."""
        update = self.updates[number]
        return (update.chat,) if update.person < 0 else (update.chat, len(self.chats) + update.person)


class Redis(NamedTuple):
    """What Redis holds, and Celery's queue: without RabbitMQ it is lost together with the rest."""

    seen: tuple[int, ...]
    mailbox: tuple[tuple[int, ...], ...]
    place: tuple[int, ...]
    owner: tuple[int, ...]
    tries: tuple[int, ...]
    came_back: tuple[int, ...]
    """The mark ``r``: the last start ended with an answer."""
    tickets: tuple[tuple[int, ...], ...]
    queue: tuple[tuple[int, int], ...]
    arrived: tuple[tuple[int, ...], ...]
    """History, for the invariants: what was accepted, in order."""
    fence: tuple[int, ...]
    """For a planted bug."""


class Database(NamedTuple):
    """What PostgreSQL holds; the version of a memory is its length."""

    inbox: tuple[int, ...]
    memory: tuple[tuple[int, ...], ...]
    outbox: tuple[tuple[tuple[int, int], ...], ...]
    """The sends of each update: number and content, in the order in which they were written."""
    history: tuple[tuple[int, ...], ...]
    """What was ever written to each memory, for the invariants."""
    fence: tuple[int, ...]
    """For a planted bug."""


class Send(NamedTuple):
    """A send of a run: its number, what it is, and whether it is known to stand in the outbox."""

    n: int
    content: int
    written: int


class Holding(NamedTuple):
    """A chat in the hands of a process."""

    at: int
    chat: int
    token: int
    update: int
    attempt: int
    suspect: int
    valid: int
    """History: whether the lease has never passed under it."""
    versions: tuple[int, ...] = ()
    sends: tuple[Send, ...] = ()
    fence: int = 0


class Worker(NamedTuple):
    """A process, with one slice at most."""

    at: int = IDLE
    bot: int = 0
    ticket: int = 0
    left: int = 0
    """Updates that the slice may still begin."""
    holdings: tuple[Holding, ...] = ()


class State(NamedTuple):
    """Everything."""

    acked: tuple[int, ...]
    redis: Redis
    synced: Optional[Redis]  # noqa: UP045 - read at run time, also by a PyPy of Python 3.9
    """What a restart of Redis brings back."""
    database: Database
    workers: tuple[Worker, ...]
    faults: int
    starts: tuple[int, ...]
    """Counted starts of each update that has no end yet."""
    lost: Optional[tuple[int, ...]]  # noqa: UP045 - as above
    """None before a restart of Redis; then the updates whose acceptance it forgot."""
    away: int
    """PostgreSQL is away."""


def uncounted(setup: Setup, starts: tuple[int, ...], holdings: Iterable[Holding]) -> tuple[int, ...]:
    """The counted starts, when these runs are put back without being counted."""
    for holding in holdings:
        if holding.at in (RUN, REMOVED, FAILED, BURY) and holding.attempt <= setup.max_attempts:
            starts = put(starts, holding.update, max(starts[holding.update] - 1, 0))
    return starts


def initial(setup: Setup) -> State:
    """Nothing has come yet."""
    updates, chats = len(setup.updates), len(setup.chats)
    none, empty = (0,) * updates, ((),) * chats
    redis = Redis(
        none, empty, (ABSENT,) * chats, (0,) * chats, none, none, ((),) * len(setup.bots), (), empty, (0,) * chats
    )
    memory = ((),) * setup.memories
    database = Database((NEW,) * updates, memory, ((),) * updates, memory, (0,) * chats)
    return State(none, redis, None, database, (Worker(),) * setup.workers, 0, none, None, 0)
