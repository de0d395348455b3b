"""The statements of ``botyard/delivery/outbox.py``: adopt, record and claim, what is due. Each happens whole."""

from __future__ import annotations

from tests.model.explorer import Violation, put
from tests.model.outbound_state import (
    AT_ONCE,
    DEAD,
    DROPPED,
    EXPIRED,
    FLOOD,
    FLYING,
    GIVEN_BACK,
    GONE,
    HOPELESS,
    LATE,
    LATER,
    MISSING,
    NEVER,
    NO_PERMIT,
    NOW,
    OK,
    OPEN,
    PUT_OFF,
    QUEUED,
    REFUSED,
    RETRY,
    SENDING,
    SENT,
    SOME_TIME,
    TROUBLE,
    UNCERTAIN,
    UNKNOWN,
    UNSENT,
    WAITING,
    Flight,
    Row,
    Setup,
)

Rows = tuple[Row, ...]
_END = {REFUSED: DEAD, GONE: DROPPED, HOPELESS: DEAD, LATE: EXPIRED}
_AGAIN = {FLOOD: (RETRY, LATER), NO_PERMIT: (QUEUED, LATER), GIVEN_BACK: (QUEUED, NOW)}


class Outbox:
    """What the statements make of the rows, with the planted bugs of a configuration."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._bugs = setup.bugs

    def adopt(self, rows: Rows, token: int) -> Rows:
        """Rows that a lost sender was sending were perhaps sent."""
        if "no-adoption" in self._bugs:
            return rows
        ended = []
        for number, row in enumerate(rows):
            if row.state != SENDING or row.owner == token:
                continue
            adopted = row._replace(due=NOW, owner=0, state=QUEUED)
            if "adopt-silently" not in self._bugs:
                state = QUEUED if self._may_repeat(number, row) else UNCERTAIN
                adopted = adopted._replace(uncertain=row.uncertain + 1, state=state)
                self._check_given_up(number, adopted)
            rows = put(rows, number, adopted)
            if adopted.state == UNCERTAIN:
                ended.append(number)
        return self._let_next(rows, ended)

    def record(self, rows: Rows, flights: tuple[Flight, ...]) -> Rows:
        """What became of attempts: the attempt's number is the row's fence, and "sent" stays true."""
        ended, unreachable = [], set()
        for flight in flights:
            number, row = flight.row, rows[flight.row]
            if row.attempt != flight.attempt and "record-unfenced" not in self._bugs:
                continue
            if flight.result == OK:
                if row.state not in (SENDING, QUEUED, UNCERTAIN):
                    continue
                recorded = row._replace(state=SENT, owner=0, due=NOW)
            elif row.state == SENDING or "record-unfenced" in self._bugs:
                recorded = self._recorded(rows, flight)
                if flight.result == GONE:
                    unreachable.add(self._setup.rows[number].chat)
            else:
                continue
            rows = put(rows, number, recorded)
            if recorded.state not in OPEN and self._setup.rows[number].chat not in unreachable:
                ended.append(number)
        return self._let_next(self._sweep(rows, unreachable), ended)

    def _recorded(self, rows: Rows, flight: Flight) -> Row:
        row = rows[flight.row]._replace(owner=0, due=NOW)
        if flight.result in _AGAIN:
            state, due = _AGAIN[flight.result]
            return row._replace(state=state, due=due)
        if flight.result == TROUBLE:
            row = row._replace(failures=row.failures + 1)
            count = row.attempt if "attempts-are-failures" in self._bugs else row.failures
            row = row._replace(state=DEAD) if count >= self._setup.most else row._replace(state=RETRY, due=LATER)
            if row.state == DEAD and row.failures < self._setup.most:
                raise Violation(f"PATIENCE: row {flight.row} is given up after {row.failures} failures")
            return row
        if flight.result == UNKNOWN:
            repeats = self._may_repeat(flight.row, row)
            row = row._replace(uncertain=row.uncertain + 1, state=RETRY if repeats else UNCERTAIN)
            self._check_given_up(flight.row, row)
            return row._replace(due=LATER) if repeats else row
        return row._replace(state=_END[flight.result])

    def _may_repeat(self, number: int, row: Row) -> bool:
        so_far = row.attempt if "attempts-are-repeats" in self._bugs else row.uncertain + 1
        return self._setup.rows[number].policy == "repeat" and so_far < self._setup.most

    def _check_given_up(self, number: int, row: Row) -> None:
        if self._setup.rows[number].policy == "repeat" and row.state == UNCERTAIN and row.uncertain < self._setup.most:
            raise Violation(f"REPEAT: row {number} is left uncertain after {row.uncertain} uncertain outcomes")

    def _sweep(self, rows: Rows, unreachable: set[int]) -> Rows:
        """What waits for a chat that cannot be reached is dropped; answers to queries (lane 0) reach people."""
        if not unreachable:
            return rows
        wanted = self._setup.rows
        return tuple(
            row._replace(state=DROPPED, due=NOW)
            if row.state in WAITING and wanted[number].chat in unreachable and wanted[number].lane
            else row
            for number, row in enumerate(rows)
        )

    def _let_next(self, rows: Rows, ended: list[int]) -> Rows:
        """What was put off until a row ended may be claimed: the next one of its lane, and what refers to it."""
        if "next-not-let" in self._bugs:
            return rows
        for number in ended:
            following = next((other for other in self._waiting(rows) if self._is_ahead(number, other)), None)
            for other in self._waiting(rows):
                if other == following or self._setup.rows[other].after == number:
                    rows = put(rows, other, rows[other]._replace(due=NOW)) if rows[other].due == PUT_OFF else rows
        return rows

    def _waiting(self, rows: Rows) -> list[int]:
        return [number for number, row in enumerate(rows) if row.state in WAITING]

    def _is_ahead(self, number: int, other: int) -> bool:
        """Whether the one goes before the other: both in one lane of one chat."""
        return number < other and self._setup.rows[number][:2] == self._setup.rows[other][:2]

    def behind(self, rows: Rows, number: int) -> bool:
        """Whether a row must wait for another one's end."""
        open_states = (QUEUED, SENDING) if "overtake-retry" in self._bugs else OPEN
        if any(rows[other].state in open_states and self._is_ahead(other, number) for other in range(number)):
            return True
        after = self._setup.rows[number].after
        return after >= 0 and rows[after].state in OPEN and "after-not-waited" not in self._bugs

    def claim(self, rows: Rows, token: int, limit: int) -> tuple[Rows, tuple[Flight, ...]]:
        """Make up to so many rows the sender's; what is found behind another row is put off."""
        due = [number for number in self._waiting(rows) if rows[number].due == NOW]
        due.sort(key=lambda number: (self._setup.rows[number].lane, number))
        behind = {number for number in due if self.behind(rows, number)}
        flights: list[Flight] = []
        for number in due:
            if number in behind:
                rows = put(rows, number, rows[number]._replace(due=PUT_OFF))
            elif len(flights) < limit:
                row = rows[number]
                claimed = row._replace(state=SENDING, attempt=row.attempt + 1, owner=token)
                if "sent-before-call" in self._bugs:
                    claimed = claimed._replace(state=SENT)
                rows = put(rows, number, claimed)
                flights.append(Flight(number, claimed.attempt, self._prepared(rows, number)))
        return rows, tuple(flights)

    def _prepared(self, rows: Rows, number: int) -> int:
        """Whether what it refers to was sent; the truth may come late, of what was left uncertain."""
        after = self._setup.rows[number].after
        if after < 0 or rows[after].state == SENT or "edit-anyway" in self._bugs:
            return FLYING
        if rows[after].state not in UNSENT:
            raise Violation(f"PATIENCE: row {number} is given up, and its message may still be sent")
        return HOPELESS

    def next_due(self, rows: Rows) -> int:
        """When there is a row to look at."""
        dues = {rows[number].due for number in self._waiting(rows)}
        return AT_ONCE if NOW in dues else SOME_TIME if LATER in dues else NEVER

    def asleep(self, rows: Rows) -> bool:
        """Whether the sweep would find something to send, or something that is being sent for too long."""
        return any(row.state == SENDING or (row.state in WAITING and row.due == NOW) for row in rows)

    def revived(self, rows: Rows) -> Rows:
        """Rows that were put off, and wait for nothing any more."""
        for number in self._waiting(rows):
            if rows[number].due == PUT_OFF and not self.behind(rows, number):
                rows = put(rows, number, rows[number]._replace(due=NOW))
        return rows

    def settled(self, rows: Rows) -> bool:
        """Whether every row has its end."""
        return all(row.state not in OPEN and row.state != MISSING for row in rows)
