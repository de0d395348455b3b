"""What the outbound model knows: the rows of one bot's outbox, the bot's place in Redis, the senders, what is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

from tests.model.inbound_state import ABSENT

MISSING, QUEUED, SENDING, RETRY, SENT, DEAD, EXPIRED, DROPPED, UNCERTAIN = range(9)
"""A row's state; missing: its update is not committed yet."""
OPEN = (QUEUED, SENDING, RETRY)
WAITING = (QUEUED, RETRY)
UNSENT = (DEAD, EXPIRED, DROPPED, UNCERTAIN)
NOW, LATER, PUT_OFF = range(3)
"""When a row may be claimed: put off (``due`` is infinity) is what waits for another row's end."""
AT_ONCE, SOME_TIME, NEVER = range(3)
"""When a bot's outbox is to be looked at again."""
IDLE, TAKE, ADOPT, WORK, LAND, LOOK, RELEASE = range(7)
"""A sender: without a ticket; takes the bot; adopts; claims, calls and records; has lost touch with the database and
lets its calls end; asks what is due next; leaves."""
FLYING, OK, FLOOD, TROUBLE, REFUSED, GONE, UNKNOWN, NO_PERMIT, GIVEN_BACK, HOPELESS, LATE = range(11)
"""What became of a claimed row: under way; sent; 429; 5xx of an API that answers others; refused for good; the chat
cannot be reached; no answer; no permit; the lease may have passed; what it refers to was never sent; of no use."""


class Row(NamedTuple):
    """A row of the outbox."""

    state: int = MISSING
    due: int = NOW
    attempt: int = 0
    owner: int = 0
    uncertain: int = 0
    failures: int = 0


class Wanted(NamedTuple):
    """A row to be: where it goes, whether it is repeated when uncertain, and which row it edits."""

    chat: int
    lane: int
    policy: str = "repeat"
    after: int = -1


@dataclass(frozen=True)
class Setup:
    """A configuration of the outbound model.

    Args:
        rows: in the order of their ids.
        faults: how many faults may strike, of all kinds together.
        kinds: which kinds.
        senders: processes.
        window: rows that are claimed at once.
        rows_of_slice: after so many the ticket goes back.
        most: counted failures, and uncertain outcomes, after which a row is given up.
        sweeper: whether anything makes lost tickets and wake-ups good.
        rabbitmq: Celery's queue is not in Redis; a ticket whose place is given up is dropped there.
        revives: whether anything looks for rows that were put off and forgotten.
        bugs: what is planted.
    """

    rows: tuple[Wanted, ...]
    faults: int
    kinds: frozenset[str] = frozenset()
    senders: int = 2
    window: int = 2
    rows_of_slice: int = 2
    most: int = 3
    sweeper: bool = True
    rabbitmq: bool = False
    revives: bool = False
    bugs: frozenset[str] = frozenset()


class Flight(NamedTuple):
    """A claimed row in a sender's hands."""

    row: int
    attempt: int
    result: int


class Sender(NamedTuple):
    """A slice of sending."""

    at: int = IDLE
    ticket: int = 0
    token: int = 0
    left: int = 0
    """Rows that it may still claim."""
    due: int = NEVER
    """What it read before it leaves."""
    flights: tuple[Flight, ...] = ()


class Place(NamedTuple):
    """What Redis holds of the bot, and Celery's queue."""

    place: int = ABSENT
    owner: int = 0
    rung: int = 0
    """The bell has moved since the last take."""
    tickets: tuple[int, ...] = ()
    queue: tuple[int, ...] = ()


class State(NamedTuple):
    """Everything."""

    rows: tuple[Row, ...]
    calls: tuple[int, ...]
    """History: how often each row was sent."""
    redis: Place
    synced: Optional[Place]  # noqa: UP045 - read at run time, also by a PyPy of Python 3.9
    senders: tuple[Sender, ...]
    faults: int
    unwoken: int
    """A row is committed, and its wake-up not made yet."""


def initial(setup: Setup) -> State:
    """No row has come yet."""
    count = len(setup.rows)
    return State((Row(),) * count, (0,) * count, Place(), None, (Sender(),) * setup.senders, 0, 0)
