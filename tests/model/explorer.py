"""Every state that a model can reach: none may break an invariant, and each must still be able to come to the end.

Breadth first, with whole states, so the way to a violation is a shortest one. Then backwards from the ends over the
steps that are no faults: what is not met there is stuck, although the faults have stopped. The graph is finite, so
whoever can always reach the end does reach it, if every step that stays possible is made one day.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)
Value = TypeVar("Value")
Step = tuple[str, bool, State]
"""What happens, whether that is a fault, and what it leads to."""

MOST_STATES = 6_000_000
_NEXT = "(the next step)"


class Violation(Exception):
    """An invariant is broken; the message begins with the invariant's name."""


class Model(Protocol[State]):
    """What is explored."""

    def initial(self) -> State:
        """Where everything begins."""

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Whatever may happen next; raises `Violation` for a step that must not be possible."""

    def check(self, state: State) -> None:
        """Raise `Violation` for a state that must not be possible."""

    def done(self, state: State) -> bool:
        """Whether everything has come to its end."""


@dataclass(frozen=True)
class Result:
    """What was found."""

    states: int
    edges: int
    depth: int
    seconds: float
    problem: str = ""
    """The violation, or nothing."""
    trace: tuple[str, ...] = ()
    """The shortest way to it."""

    @property
    def invariant(self) -> str:
        """The name of the broken one."""
        return self.problem.partition(":")[0]


def put(items: tuple[Value, ...], index: int, item: Value) -> tuple[Value, ...]:
    """The same with another item at an index."""
    return (*items[:index], item, *items[index + 1 :])


def without(items: tuple[Value, ...], index: int) -> tuple[Value, ...]:
    """The same without the item at an index."""
    return items[:index] + items[index + 1 :]


def fresh(used: set[int]) -> int:
    """The smallest id that is not in use: stands for a random one, and keeps the states few."""
    candidate = 1
    while candidate in used:
        candidate += 1
    return candidate


def explore(model: Model[State], limit: int = MOST_STATES) -> Result:
    """Look at every reachable state.

    Args:
        model: what is explored.
        limit: states after which nothing is proved.
    """
    return _Search(model, limit).run()


@dataclass
class _Search(Generic[State]):
    model: Model[State]
    limit: int
    order: list[State] = field(default_factory=list)
    index: dict[State, int] = field(default_factory=dict)
    parent: array[int] = field(default_factory=lambda: array("i"))
    sources: array[int] = field(default_factory=lambda: array("i"))
    targets: array[int] = field(default_factory=lambda: array("i"))
    edges: int = 0
    depth: int = 0
    doing: str = ""
    began: float = field(default_factory=time.perf_counter)

    def run(self) -> Result:
        self._number(self.model.initial(), -1)
        at = 0
        level_end = 1
        while at < len(self.order):
            if at == level_end:
                self.depth, level_end = self.depth + 1, len(self.order)
            self.doing = _NEXT
            try:
                for label, is_fault, new in self.model.steps(self.order[at]):
                    self.doing = label
                    self._note(at, new, is_fault=is_fault)
                    self.doing = _NEXT
            except Violation as violation:
                return self._result(str(violation), at, self.doing)
            if len(self.order) > self.limit:
                return self._result(f"LIMIT: more than {self.limit} states, nothing is proved", at, "")
            at += 1
        stuck = self._stuck()
        if stuck is not None:
            return self._result("LIVE: stuck for ever, although the faults stopped", stuck, "(no way to the end)")
        return self._result("", 0, "")

    def _number(self, state: State, parent: int) -> int:
        self.index[state] = number = len(self.order)
        self.order.append(state)
        self.parent.append(parent)
        return number

    def _note(self, at: int, new: State, *, is_fault: bool) -> None:
        self.edges += 1
        number = self.index.get(new)
        if number is None:
            self.model.check(new)
            number = self._number(new, at)
        if not is_fault and number != at:
            self.sources.append(at)
            self.targets.append(number)

    def _stuck(self) -> int | None:
        """The first state from which no fault-free way leads to an end."""
        first, predecessors = self._rows_of_predecessors()
        reached = bytearray(len(self.order))
        stack = [number for number, state in enumerate(self.order) if self.model.done(state)]
        for number in stack:
            reached[number] = 1
        while stack:
            number = stack.pop()
            for place in range(first[number], first[number + 1]):
                before = predecessors[place]
                if not reached[before]:
                    reached[before] = 1
                    stack.append(before)
        found = reached.find(0)
        return None if found < 0 else found

    def _rows_of_predecessors(self) -> tuple[Sequence[int], Sequence[int]]:
        """Compressed rows: those of a state stand from ``first[state]`` to ``first[state + 1]``."""
        count = len(self.order)
        first = array("q", [0]) * (count + 2)
        for target in self.targets:
            first[target + 2] += 1
        for number in range(2, count + 2):
            first[number] += first[number - 1]
        predecessors = array("i", [0]) * len(self.targets)
        for place, target in enumerate(self.targets):
            predecessors[first[target + 1]] = self.sources[place]
            first[target + 1] += 1
        return first, predecessors

    def _result(self, problem: str, at: int, last: str) -> Result:
        seconds = time.perf_counter() - self.began
        trace = (*self._way_to(at), last) if problem else ()
        return Result(len(self.order), self.edges, self.depth, seconds, problem, trace)

    def _way_to(self, at: int) -> list[str]:
        """The labels are made anew: to keep them would cost more memory than the states."""
        way = []
        while self.parent[at] >= 0:
            before, wanted = self.order[self.parent[at]], self.order[at]
            way.append(next(label for label, _, new in self.model.steps(before) if new == wanted))
            at = self.parent[at]
        return way[::-1]
