"""What the simulator's history says of one run of a campaign. Nothing else is looked at, but for the counts of rows."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tests.e2e.checker import Verdict, check

NEWS = "news "


@dataclass(slots=True)
class Figures:
    """One run of a row.

    Args:
        row: its number in docs/promises.md.
        fault: in words.
        seed: of what was left to chance.
    """

    row: int
    fault: str
    seed: int
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    sent_twice: int = 0
    uncertain: int = 0
    refused: int = 0
    """Calls that were answered with 429."""
    dead: int = 0
    """Dead letters."""
    unanswered: int = 0
    """What people wrote and nobody answered. Each one shifts the numbers of its chat: so many more are ``lost``."""
    drain_s: float = 0.0
    """From the end of the fault until everything was answered."""
    p99_s: float = 0.0
    """Of the waits of people whose bot had no part in the fault."""
    took_s: float = 0.0
    """The run as a whole, with the start of its system if it was the first there."""
    more: dict[str, float] = field(default_factory=dict)
    """What else this row measures."""
    broken: list[str] = field(default_factory=list)
    """What did not hold, in sentences."""
    late: list[str] = field(default_factory=list)
    """Which times were longer than they may be: that says something on a quiet machine only."""

    def judge(self, *, lost: int = 0, dead: int = 0, refused: int | None = 0) -> Self:
        """Hold the figures against the promises.

        Args:
            lost: so many unanswered ones are right.
            dead: so many dead letters are right.
            refused: so many answers with 429 are right; none: any number.
        """
        if self.unanswered > lost:
            self.broken.append(f"{self.unanswered} unanswered")
        for name in ("doubled", "reordered", *(() if self.unanswered and lost else ("lost",))):
            if getattr(self, name):
                self.broken.append(f"{getattr(self, name)} {name}")
        if self.sent_twice > self.uncertain:
            self.broken.append(f"{self.sent_twice} sent twice, {self.uncertain} uncertain")
        if self.dead != dead:
            self.broken.append(f"{self.dead} dead letters instead of {dead}")
        if refused is not None and self.refused != refused:
            self.broken.append(f"{self.refused} answers with 429")
        return self

    def bound(self, name: str, value: float, most: float) -> None:
        """Note a count that has a bound of its own."""
        self.more[name] = round(value, 3)
        if value > most:
            self.broken.append(f"{name} is {value:.3g}, more than {most:g}")

    def in_time(self, name: str, seconds: float, most: float) -> None:
        """Note a time that has a bound of its own."""
        self.more[name] = round(seconds, 1)
        if seconds > most:
            self.late.append(f"{name} took {seconds:.1f} s, more than {most:g}")

    def line(self) -> str:
        """For the table."""
        counts = " ".join(
            f"{getattr(self, name):6}"
            for name in ("accepted", "lost", "doubled", "reordered", "sent_twice", "uncertain", "refused", "dead")
        )
        more = ", ".join(f"{name} {value:g}" for name, value in self.more.items())
        verdict = f"  BROKEN: {'; '.join(self.broken)}" if self.broken else ""
        verdict += f"  LATE: {'; '.join(self.late)}" if self.late else ""
        times = f"{self.drain_s:7.1f} {self.p99_s:6.2f}"
        return f"{self.row:3} {self.fault[:46]:46} {self.seed:4} {counts} {times}  {more}{verdict}"

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


def read(figures: Figures, history: list[dict[str, Any]], bots: Collection[int], unmoved: Collection[int]) -> Verdict:
    """Fill in what the history says.

    Args:
        figures: of this run.
        history: the simulator's, of this run.
        bots: whom people wrote to, by Telegram's ids; what is said of others is passed over.
        unmoved: those of them that have no part in the fault.
    """
    # Groups are written to by single rows, which look after them.
    talk = [one for one in history if one.get("bot_id") in bots and (one.get("chat_id") or 1) > 0 and not _is_news(one)]
    verdict = check(talk)
    figures.unanswered = sum(text not in said for text, said in _answers(talk))
    for name in ("accepted", "lost", "doubled", "reordered", "sent_twice"):
        setattr(figures, name, getattr(verdict, name))
    figures.refused = sum(one["kind"] == "call" and one.get("error_code") == 429 for one in history)
    news = Counter((one["chat_id"], one["params"]["text"]) for one in history if _is_news(one) and one["ok"])
    figures.sent_twice += sum(news.values()) - len(news)
    figures.more["news"] = len(news)
    waits = waits_of(talk, unmoved)
    figures.p99_s = round(statistics.quantiles(waits, n=100)[98], 3) if len(waits) > 1 else 0.0
    return verdict


def waits_of(history: Iterable[dict[str, Any]], bots: Collection[int]) -> list[float]:
    """Seconds from what people wrote to these bots until the answer to it arrived."""
    wrote: dict[tuple[int, int, str], float] = {}
    waits = []
    for event in history:
        if event.get("bot_id") not in bots:
            continue
        if event["kind"] == "update" and "message" in event["update"]:
            wrote[event["bot_id"], event["chat_id"], event["update"]["message"]["text"]] = event["at"]
        elif event["kind"] == "call" and event["method"] == "sendMessage" and event["ok"]:
            text = event["params"]["text"].partition(" ")[2]
            begun = wrote.pop((event["bot_id"], event["chat_id"], text), None)
            if begun is not None:
                waits.append(event["at"] - begun)
    return waits


def _answers(talk: list[dict[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    """What was written, each with what was answered in its chat."""
    said: dict[tuple[int, int], set[str]] = defaultdict(set)
    for one in talk:
        if one["kind"] == "call" and one["method"] == "sendMessage" and one["ok"]:
            said[one["bot_id"], one["chat_id"]].add(one["params"]["text"].partition(" ")[2])
    for one in talk:
        if one["kind"] == "update" and "message" in one["update"]:
            yield one["update"]["message"]["text"], said[one["bot_id"], one["chat_id"]]


def _is_news(event: dict[str, Any]) -> bool:
    return (
        event["kind"] == "call"
        and event["method"] == "sendMessage"
        and str(event["params"].get("text", "")).startswith(NEWS)
    )
