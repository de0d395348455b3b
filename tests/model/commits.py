"""The statements of ``botyard/processing/statements.py``, each a transaction of its own: LOAD, WRITE_EARLY, COMMIT."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.model.explorer import Violation, put
from tests.model.inbound_state import (
    BACK,
    BURY,
    DEAD,
    DONE,
    FAILED,
    NEW,
    REMOVED,
    RESOLVED,
    RUN,
    VARIANTS,
    Database,
    Holding,
    Send,
    Setup,
    State,
    Worker,
    uncounted,
)

Move = tuple[str, bool, Worker, State]
"""What a process does, whether that is a fault, what becomes of the process, and of everything else."""
_MOST_IN_A_STATEMENT = 2


class Commits:
    """What the database does for the processes, with the planted bugs of a configuration."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._bugs = setup.bugs

    def load(self, database: Database, holding: Holding) -> Iterator[Holding]:
        """A run with the memory as it is now and with what earlier runs have sent; one for each thing it may send."""
        number = holding.update
        if database.inbox[number] != NEW:
            yield holding._replace(at=RESOLVED, versions=(), sends=())
            return
        versions = tuple(len(database.memory[key]) for key in self._setup.keys_of(number))
        earlier = () if "early-forgotten" in self._bugs else database.outbox[number]
        for contents in VARIANTS[self._setup.updates[number].sends]:
            sends = _numbered(contents, earlier)
            if "early-numbered-anew" in self._bugs:
                behind = max((n for n, _ in database.outbox[number]), default=0)
                sends = tuple(Send(behind + place + 1, content, 0) for place, content in enumerate(contents))
            yield holding._replace(at=RUN, versions=versions, sends=sends)

    def write_early(self, state: State, worker: Worker, place: int) -> Iterator[Move]:
        """Put the first unwritten send of a run that goes on into the outbox; not if its update is resolved."""
        holding = worker.holdings[place]
        unwritten = [index for index, send in enumerate(holding.sends) if not send.written]
        if not unwritten or state.away:
            return
        number, send = holding.update, holding.sends[unwritten[0]]
        database = state.database
        stands = any(n == send.n for n, _ in database.outbox[number])
        told = 1
        if database.inbox[number] != NEW and "early-unfenced" not in self._bugs:
            label = "is resolved, nothing is written early"
        elif stands:
            # Not known as written, so the commit finds that another run was here.
            label, told = "finds its number taken", int("conflict-ignored" in self._bugs)
        else:
            label = "is written early"
            if database.inbox[number] != NEW:
                raise Violation(f"LATE: a send of update {number} is written after the update was resolved")
            database = self._insert(database, number, (send,))
        sends = put(holding.sends, unwritten[0], send._replace(written=told))
        if sends == holding.sends:
            return
        after = worker._replace(holdings=put(worker.holdings, place, holding._replace(sends=sends)))
        yield f"send {send.n} of update {number} {label}", False, after, state._replace(database=database)

    def statements(self, state: State, worker: Worker) -> Iterator[Move]:
        """Every statement that may be made of what waits in a process; at most two updates suffice to meet."""
        waiting = [place for place, holding in enumerate(worker.holdings) if self._waits(holding)]
        for size in range(1, _MOST_IN_A_STATEMENT + 1):
            for places in combinations(waiting, size):
                yield from self._statement(state, worker, places)

    def _waits(self, holding: Holding) -> bool:
        kind = self._setup.updates[holding.update].kind
        ended = REMOVED if "ack-before-commit" in self._bugs else RUN
        return holding.at == BURY or (holding.at == ended and kind in ("ok", "bad"))

    def _statement(self, state: State, worker: Worker, places: tuple[int, ...]) -> Iterator[Move]:
        holdings = [worker.holdings[place] for place in places]
        names = "+".join(f"{'dead letter ' if one.at == BURY else ''}{one.update}" for one in holdings)
        if not self._may_share(holdings):
            return
        if any(one.at != BURY and self._setup.updates[one.update].kind == "bad" for one in holdings):
            # The database refuses the whole statement. It is halved, so only what is alone is told so.
            if len(places) == 1 or "refused-together" in self._bugs:
                yield f"commit of {names} is refused", False, self._tell(worker, places, [FAILED] * len(places)), state
            return
        database, starts, verdicts = self._write(state, holdings)
        after = state._replace(database=database, starts=starts)
        for told in self._told(worker, places, verdicts, database):
            yield f"commits {names}", False, told, after
        if state.faults < self._setup.faults and "commit-unknown" in self._setup.kinds:
            back = self._tell(worker, places, [BACK] * len(places), left=0)
            after = after._replace(starts=uncounted(self._setup, starts, holdings))
            yield f"FAULT commits {names}, the answer is lost", True, back, after
            ended = [RESOLVED if "unknown-is-done" in self._bugs else BACK] * len(places)
            untold = self._tell(worker, places, ended, left=0)
            before = state._replace(starts=uncounted(self._setup, state.starts, holdings))
            yield f"FAULT commit of {names} fails, the answer is lost", True, untold, before

    def _may_share(self, holdings: list[Holding]) -> bool:
        """No memory twice in a statement, both would see its old version; and no update twice."""
        if len(holdings) == 1:
            return True
        if len({one.update for one in holdings}) < len(holdings) and "update-twice" not in self._bugs:
            return False
        keys = [key for one in holdings if one.at != BURY for key in self._setup.keys_of(one.update)]
        return len(keys) == len(set(keys)) or "memory-twice" in self._bugs

    def _write(self, state: State, holdings: list[Holding]) -> tuple[Database, tuple[int, ...], list[int]]:
        """The statement's effects: each update stands or falls by itself, by what was there before the statement."""
        before, after, starts = state.database, state.database, state.starts
        verdicts = []
        for holding in sorted(holdings, key=lambda one: one.update):
            verdict = self._verdict(before, holding)
            if verdict == "written":
                if holding.at == BURY:
                    after = self._bury(after, holding)
                else:
                    after = self._take_effect(state, before, after, holding)
                starts = put(starts, holding.update, 0)
            verdicts.append(-1 if verdict == "stale" else FAILED if verdict == "fenced" else RESOLVED)
        if "one-verdict" in self._bugs and RESOLVED in verdicts:
            verdicts = [RESOLVED] * len(verdicts)
        return after, starts, verdicts

    def _verdict(self, before: Database, holding: Holding) -> str:
        number, is_grave = holding.update, holding.at == BURY
        if not is_grave and not self._bugs & {"no-version-check", "redis-fence"}:
            now = tuple(len(before.memory[key]) for key in self._setup.keys_of(number))
            taken = {n for n, _ in before.outbox[number]}
            mistaken = any(send.n in taken for send in holding.sends if not send.written)
            if now != holding.versions or (mistaken and "conflict-ignored" not in self._bugs):
                return "stale"
        elsewhere = "dead-elsewhere" in self._bugs and before.inbox[number] == DEAD and not is_grave
        if before.inbox[number] != NEW and not elsewhere and "no-inbox-key" not in self._bugs:
            return "known"
        if "redis-fence" in self._bugs and not is_grave and holding.fence < before.fence[holding.chat]:
            return "fenced"
        return "written"

    def _take_effect(self, state: State, before: Database, after: Database, holding: Holding) -> Database:
        number, chat = holding.update, holding.chat
        if after.inbox[number] != NEW:
            raise Violation(f"ONCE: update {number} takes effect twice, or after its dead letter")
        arrived, lost = state.redis.arrived[chat], state.lost or ()
        if number in arrived and number not in lost:
            for earlier in arrived[: arrived.index(number)]:
                if before.inbox[earlier] == NEW and earlier not in lost:
                    raise Violation(f"ORDER: update {number} takes effect before {earlier}, which came earlier")
        memory, history = after.memory, after.history
        keys = () if self._setup.updates[number].quiet else self._setup.keys_of(number)
        for key, version in zip(keys, holding.versions):  # noqa: B905 - PyPy is a Python 3.9
            memory = put(memory, key, (*before.memory[key][:version], number))
            history = put(history, key, (*history[key], number))
        after = after._replace(inbox=put(after.inbox, number, DONE), memory=memory, history=history)
        if "redis-fence" in self._bugs:
            after = after._replace(fence=put(after.fence, chat, holding.fence))
        after = self._insert(after, number, tuple(send for send in holding.sends if not send.written))
        if not {(send.n, send.content) for send in holding.sends} <= set(after.outbox[number]):
            raise Violation(f"SENDS: update {number} is done, and something that it sent is not in the outbox")
        return after

    def _insert(self, database: Database, number: int, sends: tuple[Send, ...]) -> Database:
        """Rows of the outbox, ON CONFLICT DO NOTHING."""
        rows = database.outbox[number]
        for send in sends:
            if all(n != send.n for n, _ in rows):
                rows = (*rows, (send.n, send.content))
        if self._setup.updates[number].sends == "same" and len({content for _, content in rows}) < len(rows):
            raise Violation(f"REPEATED: a send of update {number} stands in the outbox twice")
        return database._replace(outbox=put(database.outbox, number, rows))

    def _bury(self, after: Database, holding: Holding) -> Database:
        number = holding.update
        if after.inbox[number] != NEW:
            raise Violation(f"ONCE: update {number} becomes a dead letter, and had its end")
        if self._setup.updates[number].kind == "ok" and self._setup.faults < self._setup.max_attempts:
            raise Violation(f"HEALTHY: update {number} becomes a dead letter without fault of its own")
        return after._replace(inbox=put(after.inbox, number, DEAD))

    def _told(
        self, worker: Worker, places: tuple[int, ...], verdicts: list[int], database: Database
    ) -> Iterator[Worker]:
        """What the processes make of the verdicts; whoever is stale loads again and runs again, uncounted."""
        by_update = sorted(places, key=lambda place: worker.holdings[place].update)
        results = [worker]
        for index, place in enumerate(by_update):
            holding = worker.holdings[place]
            if verdicts[index] == FAILED and holding.attempt >= self._setup.max_attempts:
                new = [holding._replace(at=BURY)]
            elif verdicts[index] >= 0:
                new = [holding._replace(at=verdicts[index], versions=(), sends=())]
            else:
                new = list(self.load(database, holding))
            results = [one._replace(holdings=put(one.holdings, place, holding)) for one in results for holding in new]
        yield from results

    def _tell(self, worker: Worker, places: tuple[int, ...], ends: list[int], left: int | None = None) -> Worker:
        holdings = worker.holdings
        for place, end in zip(places, ends):  # noqa: B905 - as above
            holding = holdings[place]
            if end == FAILED and holding.attempt >= self._setup.max_attempts:
                end = BURY  # noqa: PLW2901
            holdings = put(holdings, place, holding._replace(at=end, versions=(), sends=()))
        return worker._replace(holdings=holdings, left=worker.left if left is None else left)


def _numbered(contents: tuple[int, ...], earlier: tuple[tuple[int, int], ...]) -> tuple[Send, ...]:
    """As `UpdateRun.queue`: what stands there already is not written again; what is otherwise comes behind it."""
    known = dict(earlier)
    following, sends = 1, []
    for content in contents:
        n, written = following, 0
        if known.get(n) == content:
            written = 1
        elif n in known:
            n = max(known) + 1
        sends.append(Send(n, content, written))
        following = n + 1
    return tuple(sends)
