"""What a sender does with its ticket: ``botyard/delivery/slice.py`` and ``sender.py``, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.model.explorer import Violation, fresh, put, without
from tests.model.inbound_state import ABSENT, LEASED, PARKED, READY
from tests.model.outbound_state import (
    ADOPT,
    AT_ONCE,
    FLOOD,
    FLYING,
    GIVEN_BACK,
    GONE,
    IDLE,
    LAND,
    LATE,
    LOOK,
    NO_PERMIT,
    OK,
    OPEN,
    REFUSED,
    RELEASE,
    SENT,
    SOME_TIME,
    TAKE,
    TROUBLE,
    UNKNOWN,
    WORK,
    Flight,
    Place,
    Sender,
    Setup,
    State,
)
from tests.model.outbox import Outbox

Move = tuple[str, bool, Sender, State]
"""What a sender does, whether that is a fault, what becomes of the sender, and of everything else."""
_UNCALLED = (("late", LATE, "is of no use any more"), ("no-permit", NO_PERMIT, "gets no permit"))
_REFUSALS = (
    ("flood", FLOOD, "is refused with 429"),
    ("trouble", TROUBLE, "meets a 5xx"),
    ("refused", REFUSED, "is refused for good"),
    ("gone", GONE, "meets a chat that cannot be reached"),
)
_PLACE_OF = {AT_ONCE: READY, SOME_TIME: PARKED}


class Senders:
    """The steps of senders, with the planted bugs of a configuration."""

    def __init__(self, setup: Setup, outbox: Outbox, issue: Callable[[State, Place], Place]) -> None:
        self._setup = setup
        self._outbox = outbox
        self._issue = issue

    def steps(self, state: State, sender: Sender) -> Iterator[Move]:
        """What a sender may do next."""
        if sender.at == IDLE:
            yield from self._gets_ticket(state)
        elif sender.at == TAKE:
            yield self._takes(state, sender)
        elif sender.at == ADOPT:
            # In truth one transaction with the first claim: as two steps there are more orders, not fewer.
            rows = self._outbox.adopt(state.rows, sender.token)
            yield "adopts", False, sender._replace(at=WORK), state._replace(rows=rows)
        elif sender.at == LOOK:
            due = AT_ONCE if sender.left <= 0 else self._outbox.next_due(state.rows)
            yield "looks what is due next", False, sender._replace(at=RELEASE, due=due, left=0), state
        elif sender.at == RELEASE:
            yield self._releases(state, sender)
        else:
            for place, flight in enumerate(sender.flights):
                if flight.result == FLYING:
                    yield from self._calls(state, sender, place)
            yield from self._turns_over(state, sender) if sender.at == WORK else self._lands(state, sender)
        is_owner = sender.token > 0 and state.redis.owner == sender.token
        if is_owner and state.redis.place == READY:
            renewed = state._replace(redis=state.redis._replace(place=LEASED))
            yield "renews", False, sender, renewed

    def _may(self, state: State, kind: str) -> bool:
        return state.faults < self._setup.faults and kind in self._setup.kinds

    def _gets_ticket(self, state: State) -> Iterator[Move]:
        queue = state.redis.queue
        for place, ticket in enumerate(queue):
            if not place or ticket != queue[place - 1]:
                rest = state.redis._replace(queue=without(queue, place))
                sender = Sender(TAKE, ticket, 0, self._setup.rows_of_slice)
                yield "gets a ticket", False, sender, state._replace(redis=rest)

    def _takes(self, state: State, sender: Sender) -> Move:
        redis = state.redis
        if redis.place != READY:
            retired = redis._replace(tickets=tuple(ticket for ticket in redis.tickets if ticket != sender.ticket))
            return "finds nothing, ticket retired", False, Sender(), state._replace(redis=retired)
        used = {redis.owner, *(other.token for other in state.senders), *(row.owner for row in state.rows)}
        if state.synced is not None:
            used.add(state.synced.owner)
        token = fresh(used)
        taken = redis._replace(place=LEASED, owner=token, rung=0)
        return "takes the bot", False, sender._replace(at=ADOPT, token=token), state._replace(redis=taken)

    def _calls(self, state: State, sender: Sender, place: int) -> Iterator[Move]:
        number = sender.flights[place].row
        self._check_call(state, number)

        def ended(result: int) -> Sender:
            flight = sender.flights[place]._replace(result=result)
            return sender._replace(flights=put(sender.flights, place, flight))

        sent = state._replace(calls=put(state.calls, number, state.calls[number] + 1))
        yield f"row {number} is sent", False, ended(OK), sent
        if state.redis.owner != sender.token or state.redis.place != LEASED:
            yield f"row {number} is given back, the lease may have passed", False, ended(GIVEN_BACK), state
        for kind, result, words in (*_UNCALLED, *_REFUSALS):
            if self._may(state, kind):
                yield f"FAULT row {number} {words}", True, ended(result), state
        if self._may(state, "no-answer"):
            yield f"FAULT row {number} is sent, no answer", True, ended(UNKNOWN), sent
            yield f"FAULT row {number} is not sent, no answer", True, ended(UNKNOWN), state

    def _check_call(self, state: State, number: int) -> None:
        """What must hold whenever a row may be sent."""
        row, wanted = state.rows[number], self._setup.rows[number]
        if state.calls[number] > row.uncertain:
            raise Violation(f"TWICE: row {number} is sent again, and was not marked as uncertain")
        if wanted.policy == "leave" and state.calls[number]:
            raise Violation(f"NEVER: row {number} is sent twice in spite of its policy")
        for other in range(number):
            if self._setup.rows[other][:2] == wanted[:2] and state.rows[other].state in OPEN:
                raise Violation(f"ORDER: row {number} is sent before row {other} of its lane")
        if wanted.after >= 0 and state.rows[wanted.after].state != SENT:
            raise Violation(f"AFTER: row {number} is sent, and row {wanted.after}, to which it refers, was not")

    def _turns_over(self, state: State, sender: Sender) -> Iterator[Move]:
        """Record what has ended and claim what comes next, in one transaction."""
        ended = tuple(flight for flight in sender.flights if flight.result != FLYING)
        flying = tuple(flight for flight in sender.flights if flight.result == FLYING)
        rows = self._outbox.record(state.rows, ended)
        room = min(self._setup.window - len(flying), sender.left)
        claimed: tuple[Flight, ...] = ()
        if room > 0:
            rows, claimed = self._outbox.claim(rows, sender.token, room)
        after = state._replace(rows=rows)
        if ended or claimed or rows != state.rows:
            left = sender.left - len(claimed)
            names = "+".join(str(flight.row) for flight in ended) or "nothing"
            label = f"records {names}, claims {'+'.join(str(flight.row) for flight in claimed) or 'nothing'}"
            yield label, False, sender._replace(flights=(*flying, *claimed), left=left), after
            if self._may(state, "record-unknown"):
                lands = sender._replace(at=LAND)
                yield f"FAULT {label}, the answer is lost", True, lands, after
                yield f"FAULT {label} fails", True, lands, state
        elif not flying:
            yield "finds nothing to send", False, sender._replace(at=LOOK), state

    def _lands(self, state: State, sender: Sender) -> Iterator[Move]:
        """The calls under way end, and what became of them is recorded once more; then another try in a second."""
        if any(flight.result == FLYING for flight in sender.flights):
            return
        leaves = sender._replace(at=RELEASE, due=SOME_TIME, flights=(), left=0)
        rows = self._outbox.record(state.rows, sender.flights)
        yield "lands, and records", False, leaves, state._replace(rows=rows)
        if self._may(state, "record-unknown"):
            yield "FAULT lands, and cannot record", True, leaves, state

    def _releases(self, state: State, sender: Sender) -> Move:
        """At once again if the bell moved or work is left, later if a row is due then, else for good."""
        redis = state.redis
        redis = redis._replace(tickets=tuple(ticket for ticket in redis.tickets if ticket != sender.ticket))
        if redis.owner != sender.token:
            return "release: the lease is lost", False, Sender(), state._replace(redis=redis)
        due = AT_ONCE if redis.rung else sender.due
        redis = redis._replace(place=_PLACE_OF.get(due, ABSENT), owner=0)
        leaving = state._replace(senders=tuple(one for one in state.senders if one is not sender))
        return "leaves", False, Sender(), state._replace(redis=self._issue(leaving, redis))
