"""From the outbox to Telegram: senders, what may go wrong around them, and what must always hold."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.explorer import Step, Violation, fresh, put, without
from tests.model.inbound_state import ABSENT, LEASED, PARKED, READY
from tests.model.outbound_state import (
    IDLE,
    LATER,
    MISSING,
    NOW,
    QUEUED,
    SENT,
    WAITING,
    Place,
    Sender,
    Setup,
    State,
    initial,
)
from tests.model.outbox import Outbox
from tests.model.senders import Senders


class Outbound:
    """The model of one bot.

    Args:
        setup: the configuration.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._outbox = Outbox(setup)
        self._senders = Senders(setup, self._outbox, self._issue)

    def initial(self) -> State:
        """No row has come yet."""
        return initial(self._setup)

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Whatever may happen next, of itself or as a fault."""
        for found in (self._comes(state), self._sends(state), self._sweeps(state), self._time(state)):
            for label, is_fault, new in found:
                yield label, is_fault, new._replace(faults=new.faults + 1) if is_fault else new

    def _may(self, state: State, kind: str) -> bool:
        return state.faults < self._setup.faults and kind in self._setup.kinds

    def _issue(self, state: State, redis: Place) -> Place:
        """The only birth of a ticket: one at a time."""
        if redis.place != READY or redis.tickets:
            return redis
        used = {*redis.queue, *(sender.ticket for sender in state.senders)}
        if state.synced is not None:
            used |= {*state.synced.tickets, *state.synced.queue}
        ticket = fresh(used)
        return redis._replace(tickets=(ticket,), queue=tuple(sorted((*redis.queue, ticket))))

    def _wake(self, state: State) -> Place:
        """Rows were committed: ring, and make the bot ready unless it is leased; a parked one is called back."""
        redis = state.redis
        if "no-bell" not in self._setup.bugs:
            redis = redis._replace(rung=1)
        if redis.place in (ABSENT, PARKED):
            redis = redis._replace(place=READY)
        return self._issue(state, redis)

    def _comes(self, state: State) -> Iterator[Step[State]]:
        """Rows are committed in order, each with a wake-up behind it."""
        if state.unwoken:
            yield "wake", False, state._replace(redis=self._wake(state), unwoken=0)
            if self._may(state, "wake-lost"):
                yield "FAULT the wake-up is lost", True, state._replace(unwoken=0)
            return
        for number, row in enumerate(state.rows):
            if row.state == MISSING:
                rows = put(state.rows, number, row._replace(state=QUEUED))
                yield f"row {number} is committed", False, state._replace(rows=rows, unwoken=1)
                return

    def _sends(self, state: State) -> Iterator[Step[State]]:
        for place, sender in enumerate(state.senders):
            if place and sender == state.senders[place - 1]:
                # Senders can be exchanged for each other.
                continue
            for label, is_fault, after, new in self._senders.steps(state, sender):
                yield f"s{place} {label}", is_fault, _with_sender(new, place, after)
            if self._may(state, "crash") and sender.at != IDLE:
                yield f"FAULT s{place} is killed", True, _with_sender(state, place, Sender())

    def _sweeps(self, state: State) -> Iterator[Step[State]]:
        if not self._setup.sweeper:
            return
        looks = "no-outbox-sweep" not in self._setup.bugs
        if looks and self._outbox.asleep(state.rows) and state.redis.place in (ABSENT, PARKED):
            yield "sweep: rows wait, bot woken", False, state._replace(redis=self._wake(state))
        issued = self._issue(state, state.redis)
        if issued != state.redis:
            yield "sweep: ticket", False, state._replace(redis=issued)
        revived = self._outbox.revived(state.rows) if self._setup.revives else state.rows
        if revived != state.rows:
            yield "sweep: forgotten rows revived", False, state._replace(rows=revived)

    def _time(self, state: State) -> Iterator[Step[State]]:
        """Whatever may pass has passed at any moment; under a living owner that is a fault."""
        redis = state.redis
        for number, row in enumerate(state.rows):
            if row.due == LATER and row.state in WAITING:
                due = put(state.rows, number, row._replace(due=NOW))
                yield f"row {number} is due", False, state._replace(rows=due)
        ready = state._replace(redis=redis._replace(place=READY))
        if redis.place == PARKED:
            yield "the bot is due", False, ready
        if redis.place == LEASED:
            is_held = any(sender.token == redis.owner for sender in state.senders)
            if not is_held or self._may(state, "pause"):
                yield f"{'FAULT ' if is_held else ''}the lease passes", is_held, ready
        for ticket in redis.tickets:
            is_alive = ticket in redis.queue or any(sender.ticket == ticket for sender in state.senders)
            if not is_alive or self._may(state, "ticket-late"):
                label = f"{'FAULT ' if is_alive else ''}the ticket's deadline passes"
                yield label, is_alive, state._replace(redis=redis._replace(tickets=()))
        yield from self._celery_and_redis(state)

    def _celery_and_redis(self, state: State) -> Iterator[Step[State]]:
        redis = state.redis
        for place, ticket in enumerate(redis.queue):
            if self._may(state, "ticket-lost"):
                lost = redis._replace(queue=without(redis.queue, place))
                yield "FAULT a ticket is lost", True, state._replace(redis=lost)
            if self._may(state, "ticket-doubled"):
                doubled = redis._replace(queue=tuple(sorted((*redis.queue, ticket))))
                yield "FAULT a ticket is doubled", True, state._replace(redis=doubled)
            if self._setup.rabbitmq and ticket not in redis.tickets:
                dropped = redis._replace(queue=without(redis.queue, place))
                yield "RabbitMQ drops a ticket", False, state._replace(redis=dropped)
        if self._may(state, "redis-restart"):
            if state.synced is None:
                yield "redis: synced up to here", False, state._replace(synced=redis)
            else:
                queue = redis.queue if self._setup.rabbitmq else state.synced.queue
                restarted = state._replace(redis=state.synced._replace(queue=queue), synced=None)
                yield "FAULT redis restarts without its last second", True, restarted

    def check(self, state: State) -> None:
        """What must hold in every state."""
        for number, row in enumerate(state.rows):
            if row.state == SENT and not state.calls[number]:
                raise Violation(f"SENT: row {number} is called sent, and never was")
        messages = len(state.redis.queue) + sum(sender.at != IDLE for sender in state.senders)
        if messages > 1 + state.faults + ("redis-restart" in self._setup.kinds):
            raise Violation("GROWTH: more ticket messages than one and faults")

    def done(self, state: State) -> bool:
        """Every row has its end, and nothing waits."""
        redis = state.redis
        return (
            self._outbox.settled(state.rows)
            and redis.place == ABSENT
            and not redis.tickets
            and not redis.queue
            and not state.unwoken
            and all(sender.at == IDLE for sender in state.senders)
        )


def _with_sender(state: State, place: int, sender: Sender) -> State:
    if len(sender.flights) > 1:
        sender = sender._replace(flights=tuple(sorted(sender.flights)))
    return state._replace(senders=tuple(sorted(put(state.senders, place, sender))))
