"""From Telegram to PostgreSQL: who acts beside the processes, what may go wrong, and what must always hold."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.explorer import Step, Violation, put, without
from tests.model.inbound_state import (
    ABSENT,
    IDLE,
    LEASED,
    NEW,
    OUTSIDE,
    PARKED,
    READY,
    Setup,
    State,
    Worker,
    initial,
)
from tests.model.mailbox import WHOLE, Mailbox
from tests.model.processes import Processes, held_tokens, invalid, passes_lease


class Inbound:
    """The model.

    Args:
        setup: the configuration.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._mailbox = Mailbox(setup)
        self._processes = Processes(setup)

    def initial(self) -> State:
        """Nothing has come yet."""
        return initial(self._setup)

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Whatever may happen next, of itself or as a fault."""
        for found in (
            self._comes(state), self._works(state), self._tickets(state), self._time(state), self._servers(state)
        ):  # fmt: skip
            for label, is_fault, new in found:
                yield label, is_fault, new._replace(faults=new.faults + 1) if is_fault else new

    def _may(self, state: State, kind: str) -> bool:
        return state.faults < self._setup.faults and kind in self._setup.kinds

    def _comes(self, state: State) -> Iterator[Step[State]]:
        """Telegram brings an update until it is told 200."""
        redis = state.redis
        for number, acked in enumerate(state.acked):
            if acked:
                if self._may(state, "redeliver"):
                    again = self._mailbox.accept(state, redis, number, again=True)
                    yield f"FAULT update {number} comes again, its seen bit expired", True, state._replace(redis=again)
                continue
            accepted = state._replace(redis=self._mailbox.accept(state, redis, number))
            yield f"update {number} comes, 200", False, accepted._replace(acked=put(state.acked, number, 1))
            if self._may(state, "answer-lost"):
                yield f"FAULT update {number} comes, web dies before 200", True, accepted
            if self._may(state, "script-error") and not redis.seen[number]:
                for writes in range(1, WHOLE):
                    partly = self._mailbox.accept(state, redis, number, writes)
                    label = f"FAULT accept of update {number} fails after {writes} writes"
                    yield label, True, state._replace(redis=partly)

    def _works(self, state: State) -> Iterator[Step[State]]:
        for place, worker in enumerate(state.workers):
            if place and worker == state.workers[place - 1]:
                # Processes can be exchanged for each other.
                continue
            for label, is_fault, after, new in self._processes.steps(state, worker):
                yield f"w{place} {label}", is_fault, _with_worker(new, place, after)
            if worker.at == IDLE:
                continue
            if self._may(state, "crash"):
                gone = _with_worker(state, place, Worker())
                queue = tuple(sorted((*state.redis.queue, (worker.bot, worker.ticket))))
                yield f"FAULT w{place} is killed, ticket lost", True, gone
                again = gone._replace(redis=state.redis._replace(queue=queue))
                yield f"FAULT w{place} is killed, ticket redelivered", True, again
            if self._may(state, "stop") and worker.holdings:
                stopped, starts = self._processes.stopped(state, worker)
                told = state._replace(starts=starts)
                yield f"FAULT w{place} is told to stop", True, _with_worker(told, place, stopped)

    def _tickets(self, state: State) -> Iterator[Step[State]]:
        """What Celery may do with a ticket, and what the sweep makes good."""
        redis = state.redis
        for place, message in enumerate(redis.queue):
            if place and message == redis.queue[place - 1]:
                continue
            if self._may(state, "ticket-lost"):
                lost = redis._replace(queue=without(redis.queue, place))
                yield f"FAULT ticket {message} is lost", True, state._replace(redis=lost)
            if self._may(state, "ticket-doubled"):
                doubled = redis._replace(queue=tuple(sorted((*redis.queue, message))))
                yield f"FAULT ticket {message} is doubled", True, state._replace(redis=doubled)
            bot, ticket = message
            if self._setup.rabbitmq and ticket not in redis.tickets[bot]:
                dropped = redis._replace(queue=without(redis.queue, place))
                yield f"RabbitMQ drops ticket {message}", False, state._replace(redis=dropped)
        for bot in self._setup.bots:
            yield from self._deadlines(state, bot)
            if self._setup.sweeper:
                issued = self._mailbox.issue(state, redis, bot)
                if issued != redis:
                    yield f"sweep: ticket for bot {bot}", False, state._replace(redis=issued)

    def _deadlines(self, state: State, bot: int) -> Iterator[Step[State]]:
        redis = state.redis
        if "ticket-counter" in self._setup.bugs:
            # A plain counter never forgets a lost ticket.
            return
        for place, ticket in enumerate(redis.tickets[bot]):
            is_alive = (bot, ticket) in redis.queue or any(
                worker.at and worker.bot == bot and worker.ticket == ticket for worker in state.workers
            )
            if not is_alive or self._may(state, "ticket-late"):
                passed = put(redis.tickets, bot, without(redis.tickets[bot], place))
                label = f"{'FAULT ' if is_alive else ''}deadline of ticket {ticket} of bot {bot} passes"
                yield label, is_alive, state._replace(redis=redis._replace(tickets=passed))

    def _time(self, state: State) -> Iterator[Step[State]]:
        """Whatever may pass has passed at any moment; under a living owner that is a fault."""
        redis, held = state.redis, held_tokens(state)
        for chat, place in enumerate(redis.place):
            ready = state._replace(redis=redis._replace(place=put(redis.place, chat, READY)))
            if place == PARKED:
                yield f"chat {chat} is due again", False, ready
            elif place == LEASED:
                if redis.owner[chat] not in held:
                    yield f"lease of chat {chat} passes", False, ready
                elif self._may(state, "pause"):
                    yield f"FAULT lease of chat {chat} passes under its owner", True, passes_lease(state, chat)
                if "sweep-live-lease" in self._setup.bugs:
                    yield f"sweep: chat {chat} is ready", False, ready

    def _servers(self, state: State) -> Iterator[Step[State]]:
        """Redis loses what it has not synced; PostgreSQL is away; others write a memory."""
        if self._may(state, "redis-restart"):
            if state.synced is None:
                yield "redis: synced up to here", False, state._replace(synced=state.redis)
            else:
                yield "FAULT redis restarts without its last second", True, self._restarted(state)
        database = state.database
        if self._may(state, "outside-writer"):
            memory = put(database.memory, 0, (*database.memory[0], OUTSIDE))
            history = put(database.history, 0, (*database.history[0], OUTSIDE))
            written = database._replace(memory=memory, history=history)
            yield "FAULT somebody else writes the memory of chat 0", True, state._replace(database=written)
        if state.away:
            yield "PostgreSQL is back", False, state._replace(away=0)
        elif self._may(state, "database-away"):
            yield "FAULT PostgreSQL goes away", True, state._replace(away=1)

    def _restarted(self, state: State) -> State:
        assert state.synced is not None
        known = {number for arrived in state.synced.arrived for number in arrived}
        lost = state.lost or ()
        forgotten = tuple(
            number
            for number, update in enumerate(self._setup.updates)
            if number in lost or (number not in known and number in state.redis.arrived[update.chat])
        )
        workers = invalid(state, held_tokens(state))
        queue = state.redis.queue if self._setup.rabbitmq else state.synced.queue
        return state._replace(redis=state.synced._replace(queue=queue), synced=None, lost=forgotten, workers=workers)

    def check(self, state: State) -> None:
        """What must hold in every state."""
        redis, lost = state.redis, state.lost or ()
        for number, update in enumerate(self._setup.updates):
            accepted = redis.seen[number] or (state.acked[number] and number not in lost)
            if accepted and state.database.inbox[number] == NEW and number not in redis.mailbox[update.chat]:
                raise Violation(f"LOST: update {number} was accepted, has no end, and does not wait")
        for chat, box in enumerate(redis.mailbox):
            if box and redis.place[chat] == ABSENT:
                raise Violation(f"PLACE: chat {chat} has mail, and nobody will look")
            valid = sum(one.valid and one.chat == chat for worker in state.workers for one in worker.holdings)
            if valid > 1:
                raise Violation(f"EXCLUSIVE: two hold a valid lease of chat {chat}")
        if state.database.memory != state.database.history:
            raise Violation("STATE: an effect in a memory was overwritten")
        self._check_tickets(state)

    def _check_tickets(self, state: State) -> None:
        share = self._setup.share
        for bot in self._setup.bots:
            if len(state.redis.tickets[bot]) > share:
                raise Violation("SHARE: more live tickets than the share")
            messages = sum(of == bot for of, _ in state.redis.queue)
            messages += sum(worker.at > IDLE and worker.bot == bot for worker in state.workers)
            if messages > share * (1 if state.lost is None else 2) + state.faults:
                raise Violation("GROWTH: more ticket messages than share and faults")

    def done(self, state: State) -> bool:
        """Everything that came has its end, and nothing waits."""
        redis, lost = state.redis, state.lost or ()
        return (
            all(state.acked)
            and not any(redis.mailbox)
            and not any(redis.place)
            and not redis.queue
            and not any(redis.tickets)
            and not state.away
            and all(worker.at == IDLE for worker in state.workers)
            and all(end != NEW or number in lost for number, end in enumerate(state.database.inbox))
        )


def _with_worker(state: State, place: int, worker: Worker) -> State:
    if len(worker.holdings) > 1:
        worker = worker._replace(holdings=tuple(sorted(worker.holdings)))
    return state._replace(workers=tuple(sorted(put(state.workers, place, worker))))
