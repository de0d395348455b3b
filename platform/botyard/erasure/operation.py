"""Forgetting a person as an operation: the mailboxes first, so that nothing of them comes in meanwhile, then the rows.

It may be interrupted anywhere: what is gone stays gone, and by what is looked through last the rest is found again.
"""

import time
from typing import Any, Final, cast

from redis import Redis

from botyard.erasure import rows
from botyard.erasure.mailboxes import Mailboxes
from botyard.erasure.places import Person
from botyard.erasure.traces import Traces
from botyard.errors import InputError
from botyard.exporting.operation import forget_files_of, under_way
from botyard.exporting.person import bot_numbers
from botyard.operations import Work
from botyard.operations.beginning import PRIVATE
from botyard.settings import get_settings
from botyard.sync import get_sync

_LOOK_SECONDS: Final = 0.2
_LEASED_SECONDS: Final = 30.0
_SCANNED: Final = 1000


def erase_person(work: Work) -> dict[str, Any]:
    """Do an operation of the kind `person.erase`.

    Raises:
        InputError: it does not say whom, or whose bots.
    """
    user_id = (work.request.get(PRIVATE) or {}).get("userId")
    if type(user_id) is not int or work.customer_id is None:
        raise InputError("userId", "is not said.", "")
    bots = bot_numbers(work.customer_id) if work.bot_id is None else [work.bot_id]
    which = None if work.bot_id is None else bots
    with Redis.from_url(get_settings().require("redis_url"), socket_timeout=10) as redis:
        keys = _keys(work, redis, user_id)
        for bot_id in bots:
            if bot_id > _place(work).get("bot", 0):
                person = rows.find(work.customer_id, bot_id, user_id)
                _forget_of_bot(work, person, Mailboxes(redis, person, keys))
                # Processes remember whom they have noted lately, and would not note them again.
                get_sync().publish("users.erased", {"id": bot_id})
                _count(work, "bots", 1)
                _place(work)["bot"] = bot_id
                work.advance(work.done)
    if "exports" not in _place(work):
        person = Person(Traces(user_id), 0, work.customer_id, (), bots=frozenset(bots))
        _look_through(work, person, rows.steps_of_customer(person))
        _place(work)["exports"] = under_way(work.customer_id, which)
    # They show a moment at which there was something of them.
    while not set(under_way(work.customer_id, which)).isdisjoint(_place(work)["exports"]):
        work.advance(work.done)
        time.sleep(_LOOK_SECONDS)
    forget_files_of(work.customer_id, which)
    return {name: work.report.get(name, 0) for name in ("bots", "removed", "changed", "updates")}


def _keys(work: Work, redis: "Redis", user_id: int) -> list[str]:
    """The keys of Redis that end in their number, of all bots at once: looking through all of them takes its time."""
    place = _place(work)
    while place.get("cursor") != 0:
        cursor, found = cast("tuple[int, list[bytes]]", redis.scan(place.get("cursor", 0), f"by:*:{user_id}", _SCANNED))
        place["keys"] = sorted({*place.get("keys", ()), *(one.decode() for one in found)})
        place["cursor"] = cursor
        work.advance(work.done)
    return list(place["keys"])


def _forget_of_bot(work: Work, person: Person, boxes: Mailboxes) -> None:
    _wait_for_worker(work, boxes)
    _count(work, "updates", boxes.forget())
    _look_through(work, person, rows.steps_of_bot(person))
    # What a worker had in its hands all the same has taken effect by now.
    if boxes.forget() or boxes.is_held():
        _wait_for_worker(work, boxes)
        _look_through(work, person, rows.steps_of_bot(person))


def _wait_for_worker(work: Work, boxes: Mailboxes) -> None:
    """A worker at an update of theirs finishes it; what it writes is then there to be forgotten."""
    until = time.monotonic() + _LEASED_SECONDS
    while boxes.is_held() and time.monotonic() < until:
        work.advance(work.done)
        time.sleep(_LOOK_SECONDS)


def _look_through(work: Work, person: Person, steps: list[rows.Step]) -> None:
    first, at = _place(work).get("at", (0, None))
    for number, step in enumerate(steps[first:], first):
        while True:
            at, removed, changed = rows.look_through(person, step, at)
            _count(work, "removed", removed)
            _count(work, "changed", changed)
            _place(work)["at"] = [number, at] if at is not None else [number + 1, None]
            work.advance(work.done + 1)
            if at is None:
                break
    _place(work).pop("at", None)


def _place(work: Work) -> dict[str, Any]:
    """Where it is: told to nobody, for keys of rows are numbers of people."""
    found: dict[str, Any] = work.report.setdefault(PRIVATE, {})
    return found


def _count(work: Work, what: str, number: int) -> None:
    work.report[what] = work.report.get(what, 0) + number
