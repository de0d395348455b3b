"""What a worker process does with its ticket: ``botyard/processing/slice.py``, one step at a time."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.commits import Commits, Move
from tests.model.explorer import Violation, put, without
from tests.model.inbound_state import (
    ABSENT,
    BACK,
    BURY,
    FAILED,
    IDLE,
    LEAVING,
    LOOKED,
    NEW,
    READY,
    REMOVED,
    RESOLVED,
    RUN,
    START,
    WORKING,
    Holding,
    Redis,
    Setup,
    State,
    Worker,
    uncounted,
)
from tests.model.mailbox import Mailbox

_IN_HAND = (START, RUN, REMOVED, BURY)
_BEGUN = (RUN, REMOVED, BURY)


class Processes:
    """The steps of processes, with the planted bugs of a configuration."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._bugs = setup.bugs
        self._mailbox = Mailbox(setup)
        self._commits = Commits(setup)

    def steps(self, state: State, worker: Worker) -> Iterator[Move]:
        """What a process may do next."""
        if worker.at == IDLE:
            yield from self._gets_ticket(state)
        elif worker.at == LEAVING:
            retired = self._mailbox.retire(state.redis, worker)
            yield "ticket retired", False, Worker(), state._replace(redis=retired)
        else:
            yield from self._takes(state, worker)
            for place, holding in enumerate(worker.holdings):
                yield from self._works(state, worker, place, holding)
            if not state.away:
                yield from self._commits.statements(state, worker)

    def _gets_ticket(self, state: State) -> Iterator[Move]:
        queue = state.redis.queue
        for place, message in enumerate(queue):
            if not place or message != queue[place - 1]:
                worker = Worker(WORKING, *message, self._setup.updates_of_slice)
                yield (
                    f"gets ticket {message}", False, worker,
                    state._replace(redis=state.redis._replace(queue=without(queue, place))),
                )  # fmt: skip

    def _takes(self, state: State, worker: Worker) -> Iterator[Move]:
        """Take what is ready, while there is room; find nothing and retire the ticket; or end the slice."""
        redis, holdings = state.redis, worker.holdings
        if worker.left <= 0 or (self._alone_wanted(worker) and not self._setup.threads):
            if not holdings:
                yield "slice over", False, Worker(), state._replace(redis=self._mailbox.finish(state, redis, worker))
            return
        if len(holdings) >= self._setup.held:
            return
        found = False
        for chat, place in enumerate(redis.place):
            if place != READY or self._setup.chats[chat] != worker.bot:
                continue
            found = True
            if not redis.mailbox[chat]:
                freed = self._mailbox.free(redis, chat, ABSENT)
                yield f"take: chat {chat} is empty", False, worker, state._replace(redis=freed)
                continue
            taken, holding = self._mailbox.take(state, redis, chat)
            busy = worker._replace(left=worker.left - 1, holdings=(*holdings, holding))
            yield f"takes chat {chat}, update {holding.update}", False, busy, state._replace(redis=taken)
        if not found and not holdings:
            if "retire-not-atomic" in self._bugs:
                yield "finds nothing", False, worker._replace(at=LEAVING), state
            else:
                retired = self._mailbox.retire(redis, worker)
                yield "finds nothing, ticket retired", False, Worker(), state._replace(redis=retired)

    def _works(self, state: State, worker: Worker, place: int, holding: Holding) -> Iterator[Move]:
        is_owner = state.redis.owner[holding.chat] == holding.token
        if holding.at in _IN_HAND:
            if state.away:
                yield self._away(state, worker, place, holding)
            elif holding.at == START:
                yield from self._starts(state, worker, place, holding)
            elif holding.at == RUN:
                yield from self._runs(state, worker, place, holding)
            if not is_owner:
                yield f"learns that chat {holding.chat} is lost", False, _dropped(worker, place), state
        elif holding.at == RESOLVED:
            yield self._done(state, worker, place, holding)
        elif holding.at == LOOKED:
            freed = self._mailbox.free(state.redis, holding.chat, ABSENT)
            yield "done, chat let go", False, _dropped(worker, place), state._replace(redis=freed)
        else:
            counted = holding.at == FAILED
            parked = self._mailbox.fail(state.redis, holding, counted=counted)
            label = f"parks chat {holding.chat}, {'counted' if counted else 'uncounted'}"
            yield label, False, _dropped(worker, place), state._replace(redis=parked)
        if is_owner and state.redis.place[holding.chat] == READY:
            renewed = state._replace(redis=self._mailbox.renew(state.redis, holding))
            yield f"renews chat {holding.chat}", False, _with(worker, place, holding._replace(valid=1)), renewed

    def _away(self, state: State, worker: Worker, place: int, holding: Holding) -> Move:
        """The database fails: the start does not count, and the slice takes nothing more."""
        counts = "outage-counts" in self._bugs
        starts = state.starts if counts else uncounted(self._setup, state.starts, [holding])
        after = _with(worker, place, holding._replace(at=FAILED if counts else BACK, versions=(), sends=()))
        return f"update {holding.update}: no database", False, after._replace(left=0), state._replace(starts=starts)

    def stopped(self, state: State, worker: Worker) -> tuple[Worker, tuple[int, ...]]:
        """The process is told to end: what it holds goes back, and no start of it counts."""
        starts = uncounted(self._setup, state.starts, worker.holdings)
        back = tuple(one._replace(at=BACK, versions=(), sends=()) for one in worker.holdings)
        return worker._replace(left=0, holdings=back), starts

    def _alone_wanted(self, worker: Worker) -> bool:
        return "no-solitude" not in self._bugs and any(one.suspect and one.at in _IN_HAND for one in worker.holdings)

    def _others_begun(self, state: State, others: tuple[Holding, ...]) -> bool:
        """Whoever is no suspect begins as soon as it is taken; who has lost its lease is waited for no more."""
        return "no-solitude" not in self._bugs and any(
            (one.at in _BEGUN or (one.at == START and not one.suspect and not self._setup.threads))
            and state.redis.owner[one.chat] == one.token
            for one in others
        )

    def _starts(self, state: State, worker: Worker, place: int, holding: Holding) -> Iterator[Move]:
        """Wait for one's turn in the process, load, and begin; or be given up."""
        if holding.suspect and self._others_begun(state, without(worker.holdings, place)):
            yield "waits too long to be alone", False, _with(worker, place, holding._replace(at=BACK)), state
            return
        if self._setup.threads and not holding.suspect and self._alone_wanted(worker):
            yield "stands aside", False, _with(worker, place, holding._replace(at=BACK)), state
            return
        if holding.attempt > self._setup.max_attempts:
            yield f"gives update {holding.update} up", False, _with(worker, place, holding._replace(at=BURY)), state
            return
        starts = state.starts
        if state.lost is None and state.database.inbox[holding.update] == NEW:
            if starts[holding.update] >= self._setup.max_attempts:
                raise Violation(f"ATTEMPTS: update {holding.update} starts more than {self._setup.max_attempts} times")
            starts = put(starts, holding.update, starts[holding.update] + 1)
        for loaded in self._commits.load(state.database, holding):
            label = f"loads update {holding.update}" + ("" if loaded.at == RUN else ", which is resolved")
            yield label, False, _with(worker, place, loaded), state._replace(starts=starts)

    def _runs(self, state: State, worker: Worker, place: int, holding: Holding) -> Iterator[Move]:
        """The handlers: they end in a statement of `Commits`, or otherwise."""
        kind = self._setup.updates[holding.update].kind
        yield from self._commits.write_early(state, worker, place)
        if kind == "kill":
            yield f"update {holding.update} kills the process", False, Worker(), state
            queue = tuple(sorted((*state.redis.queue, (worker.bot, worker.ticket))))
            again = state._replace(redis=state.redis._replace(queue=queue))
            yield f"update {holding.update} kills the process, ticket redelivered", False, Worker(), again
        raises_once = state.faults < self._setup.faults and "handler-error" in self._setup.kinds
        if kind == "fail" or (raises_once and kind == "ok"):
            at = FAILED if holding.attempt < self._setup.max_attempts else BURY
            raised = _with(worker, place, holding._replace(at=at, versions=(), sends=()))
            label = f"update {holding.update} raises"
            yield (label, False, raised, state) if kind == "fail" else (f"FAULT {label} once", True, raised, state)
        if "ack-before-commit" in self._bugs and kind == "ok":
            removed, _ = self._mailbox.remove(state, state.redis, holding)
            after = _with(worker, place, holding._replace(at=REMOVED))
            yield "removes before it commits", False, after, state._replace(redis=removed)

    def _done(self, state: State, worker: Worker, place: int, holding: Holding) -> Move:
        more = worker.left > 0 and not self._alone_wanted(worker) and "release-in-two-steps" not in self._bugs
        if "release-in-two-steps" in self._bugs:
            return self._done_in_two_steps(state, worker, place, holding)
        redis, following = self._mailbox.done(state, state.redis, holding, more=more)
        after = state._replace(redis=redis)
        if following is None:
            return f"done update {holding.update}, chat let go", False, _dropped(worker, place), after
        going_on = _with(worker, place, following)._replace(left=worker.left - 1)
        return f"done update {holding.update}, next {following.update}", False, going_on, after

    def _done_in_two_steps(self, state: State, worker: Worker, place: int, holding: Holding) -> Move:
        redis, is_owner = self._mailbox.remove(state, state.redis, holding)
        if is_owner and not redis.mailbox[holding.chat]:
            looked = _with(worker, place, holding._replace(at=LOOKED))
            return "done, mailbox looks empty", False, looked, state._replace(redis=redis)
        if is_owner:
            redis = self._mailbox.free(redis, holding.chat, READY)
        return f"done update {holding.update}", False, _dropped(worker, place), state._replace(redis=redis)


def held_tokens(state: State) -> set[int]:
    """The tokens in the hands of living processes."""
    return {holding.token for worker in state.workers for holding in worker.holdings}


def passes_lease(state: State, chat: int) -> State:
    """A lease passes, under whoever may hold it."""
    token = state.redis.owner[chat]
    redis: Redis = state.redis._replace(place=put(state.redis.place, chat, READY))
    return state._replace(redis=redis, workers=invalid(state, {token}))


def invalid(state: State, tokens: set[int]) -> tuple[Worker, ...]:
    """The processes, whose leases with these tokens have passed."""
    workers = (
        worker._replace(
            holdings=tuple(sorted(one._replace(valid=0) if one.token in tokens else one for one in worker.holdings))
        )
        for worker in state.workers
    )
    return tuple(sorted(workers))


def _with(worker: Worker, place: int, holding: Holding) -> Worker:
    return worker._replace(holdings=put(worker.holdings, place, holding))


def _dropped(worker: Worker, place: int) -> Worker:
    return worker._replace(holdings=without(worker.holdings, place))
