"""``Idempotency-Key``: a request that is repeated makes what it makes once, and is answered as the first time.

Three things can be found of an earlier request with the same key: its stored answer, which is given again; what it
made, noted in the transaction that made it (`db.claims`), if its process died before the answer was stored; or only
that it began. Then it is let in again when its time is over: it cannot have made anything, and no longer can.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from botyard.errors import PermanentError, TransientError
from db.claims import Claim
from db.engine import get_sessions, storable
from db.models import IdempotencyKey

_LONGEST: Final = 255
_LONGEST_PATH: Final = 200
_RUNS: Final = timedelta(seconds=120)
"""Longer than any request may take."""
_KEPT_HEADERS: Final = ("etag", "location", "retry-after")


class KeyNeeded(PermanentError):
    """A request that makes something carries no key, or none that can be kept."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "Send an Idempotency-Key of your own making, of 1 to 255 printable characters, such as a UUID."


class KeyReused(PermanentError):
    """The key belongs to another request."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "This Idempotency-Key belongs to another request: its body was not the same. Take a new one."


class StillRunning(TransientError):
    """The first request with this key has not been answered yet."""

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still running.", 2)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is given again.

    Args:
        status: its HTTP status.
        headers: those that belong to it.
        body: what it said.
        made: what the request made, if that was noted.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    made: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What an earlier request made whose answer is not known."""

    what: dict[str, Any]


def fit_key(given: str | None) -> str:
    """The key of a request.

    Raises:
        KeyNeeded: there is none that can be kept.
    """
    if given is None or not 0 < len(given) <= _LONGEST or not given.isascii() or not given.isprintable():
        raise KeyNeeded
    return given


def route_of(method: str, path: str, target: bytes) -> str:
    """What tells requests with one key apart, as it is kept.

    Args:
        method: of the request.
        path: decoded; its beginning is kept as text, so that a row which names somebody is found when they are to be
            forgotten.
        target: path and query as they came: of any length, so their digest is kept.
    """
    return f"{method} {storable(path)[:_LONGEST_PATH]} {sha256(target).hexdigest()}"


def begin(person_id: int, route: str, key: str, body: bytes) -> Claim | Answer | Made:
    """Begin to serve a request, or find what became of it before.

    Raises:
        KeyReused: with this key another body was sent.
        StillRunning: the first one is being served right now.
    """
    now = datetime.now(UTC)
    until = now + _RUNS
    digest = sha256(body).digest()
    claim = Claim(person_id, route, key, until)
    fresh = insert(IdempotencyKey).values(
        person_id=person_id, route=route, key=key, digest=digest, running_until=until
    )  # fmt: skip
    with get_sessions("system").begin() as session:
        if session.connection().execute(fresh.on_conflict_do_nothing()).rowcount == 1:
            return claim
        row = session.get(IdempotencyKey, (person_id, route, key), with_for_update=True)
        if row is None:
            # It was given back in between.
            raise StillRunning
        if not hmac.compare_digest(row.digest, digest):
            raise KeyReused
        if row.status is not None:
            return Answer(row.status, row.headers or {}, row.answer, row.made)
        if row.made is not None:
            return Made(row.made)
        if row.running_until > now:
            raise StillRunning
        row.running_until = until
        return claim


def keep(claim: Claim, answer: Answer) -> None:
    """Keep the answer of a request that made something, to be given again."""
    kept = {name: value for name, value in answer.headers.items() if name.lower() in _KEPT_HEADERS}
    with get_sessions("system").begin() as session:
        session.connection().execute(
            update(IdempotencyKey)
            .where(*_row(claim))
            .values(state="done", status=answer.status, headers=kept, answer=answer.body)
        )


def give_back(claim: Claim) -> None:
    """Forget a request that made nothing: the same key may be used for what is right then."""
    with get_sessions("system").begin() as session:
        # One that has made something all the same stays: it is answered from that.
        session.connection().execute(delete(IdempotencyKey).where(*_row(claim), IdempotencyKey.made.is_(None)))


def _row(claim: Claim) -> tuple[Any, ...]:
    return (
        IdempotencyKey.person_id == claim.person_id,
        IdempotencyKey.route == claim.route,
        IdempotencyKey.key == claim.key,
        IdempotencyKey.running_until == claim.until,
    )


Again = Callable[..., Any]
"""Gives the answer anew: called with who asks, and with what was made."""
