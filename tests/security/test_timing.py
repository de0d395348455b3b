"""How long an answer takes tells nothing: no comparison of secrets ends early, and nobody's name is worth a look."""

import ast
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest

from botyard.accounts import sign_ins, tries
from botyard.accounts.bearer import digest_of, fresh_key, is_same
from botyard.accounts.sign_ins import WrongPassword
from tests.integration.api.people import add_person
from tests.services import Services

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"(digest|signature|secret|password|password_hash|secret_hash|mac|token|bearer)$")
# Nobody shows these from outside: what is compared is ours on both sides.
OURS_ON_BOTH_SIDES = {
    "platform/botyard/bots/registry.py": "whether a bot's stored token is still the one that was loaded",
    "platform/botyard/journal.py": "whether a call is the one that was noted",
    "platform/botyard/processing/people.py": "whether a person's data were written already",
}
SHUFFLES = 2000
ROUNDS = 3
NOISE = 0.01


def measured(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_chance(one: list[float], other: list[float]) -> float:
    """How often chance alone makes the medians of the same times differ as much."""
    seen = abs(median(one) - median(other))
    times, half = one + other, len(one)
    more = 0
    for _ in range(SHUFFLES):
        random.shuffle(times)
        more += abs(median(times[:half]) - median(times[half:])) >= seen
    return more / SHUFFLES


def is_noise(one: Callable[[], object], other: Callable[[], object], samples: int) -> bool:
    """Whether the two take the same time, as far as can be measured; taken in turn, for the machine has moods."""
    for _ in range(ROUNDS):
        pairs = [(measured(one), measured(other)) for _ in range(samples)]
        if by_chance([first for first, _ in pairs], [second for _, second in pairs]) > NOISE:
            return True
    return False


def test_the_measure_sees_a_difference_where_there_is_one() -> None:
    assert not is_noise(lambda: time.sleep(0.002), lambda: time.sleep(0.01), 25)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    del clean
    monkeypatch.setattr(tries, "FREE", 1000)
    add_person("anna")

    def guess(name: str) -> None:
        with pytest.raises(WrongPassword):
            sign_ins.sign_in(name, "not the right one", address="192.0.2.1", device=None)

    guess("anna")
    assert is_noise(lambda: guess("anna"), lambda: guess("bert"), 15)


def test_a_key_that_is_wrong_at_its_beginning_takes_as_long_as_one_that_is_wrong_at_its_end() -> None:
    right = digest_of(fresh_key().key) * 2000
    early, late = b"\x00" + right[1:], right[:-1] + b"\x00"

    def compared(other: bytes) -> Callable[[], object]:
        return lambda: [is_same(right, other) for _ in range(20)]

    assert is_noise(compared(early), compared(late), 200)


def compared_secrets(path: Path) -> Iterator[str]:
    """Where a secret is compared with ``==``: not in SQL, where a digest is looked up."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        for side in sides:
            name = getattr(side, "attr", getattr(side, "id", ""))
            of_a_table = ast.unparse(side)[:1].isupper()
            if SECRET.search(name) and not of_a_table:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"


def test_no_secret_is_compared_in_a_way_that_ends_early() -> None:
    found = [one for path in sorted((ROOT / "platform/botyard").rglob("*.py")) for one in compared_secrets(path)]
    assert {one.partition(":")[0] for one in found} <= set(OURS_ON_BOTH_SIDES), found
