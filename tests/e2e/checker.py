"""What the simulator's history says about the promises. Nothing else is looked at."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Chat = tuple[int, int]


@dataclass
class Verdict:
    """Broken promises, counted; each counter must be 0."""

    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    sent_twice: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, example: str) -> None:
        """Count one."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < 10:
            self.examples.append(f"{what}: {example}")


def check(history: Iterable[dict[str, Any]]) -> Verdict:
    """Hold the answers of ``counter`` bots against what people wrote.

    The i-th message of a chat must be answered with ``i <text>``: a lower number is a lost effect, a higher one a
    doubled effect. Answers must arrive in that order; the same answer again is a second send.
    """
    written: dict[Chat, list[str]] = defaultdict(list)
    answers: dict[Chat, list[str]] = defaultdict(list)
    acknowledged: set[int] = set()
    for event in history:
        if event["kind"] == "update" and "message" in event["update"]:
            written[event["bot_id"], event["chat_id"]].append(event["update"]["message"]["text"])
        elif event["kind"] == "delivery" and event["status"] == 200:
            acknowledged.add(event["update_id"])
        elif event["kind"] == "call" and event["method"] == "sendMessage" and event["ok"]:
            answers[event["bot_id"], event["chat_id"]].append(event["params"]["text"])
    verdict = Verdict(accepted=len(acknowledged))
    for chat, texts in written.items():
        _check_chat(verdict, chat, texts, answers[chat])
    return verdict


def _check_chat(verdict: Verdict, chat: Chat, texts: list[str], answers: list[str]) -> None:
    first_seen: list[str] = []
    for answer in answers:
        if answer in first_seen:
            verdict.note("sent_twice", f"{chat}: {answer}")
        else:
            first_seen.append(answer)
    numbers = {answer.partition(" ")[2]: int(answer.partition(" ")[0]) for answer in first_seen}
    for number, text in enumerate(texts, start=1):
        if text not in numbers:
            verdict.note("lost", f"{chat}: {text}")
        elif numbers[text] != number:
            verdict.note(
                "doubled" if numbers[text] > number else "lost", f"{chat}: {numbers[text]} for {number} {text}"
            )
    order = [int(answer.partition(" ")[0]) for answer in first_seen]
    if order != sorted(order):
        verdict.note("reordered", f"{chat}: {order}")


def answered(history: Iterable[dict[str, Any]]) -> int:
    """How many different answers have arrived."""
    return len({
        (event["bot_id"], event["chat_id"], event["params"]["text"])
        for event in history
        if event["kind"] == "call" and event["method"] == "sendMessage" and event["ok"]
    })  # fmt: skip
