import pickle
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.telegram.memory import NotPlain, dump, load
from botyard.telegram.run import Memory

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
keys = st.tuples(st.integers(-(2**62), 2**62), st.integers(1, 2**62) | texts) | st.tuples(st.integers(1, 2**62))


@given(
    st.dictionaries(texts, plain, max_size=4),
    st.dictionaries(texts, st.dictionaries(keys, plain, max_size=3), max_size=3),
)
def test_memory_comes_back_as_it_was(data: dict[Any, Any], talks: dict[str, dict[tuple[Any, ...], Any]]) -> None:
    stored = orjson.loads(orjson.dumps(dump(Memory(data, talks), "user_data")))
    back = load(stored)
    assert back.data == data
    assert back.talks == {name: states for name, states in talks.items() if states}


def test_an_empty_memory_stores_nothing() -> None:
    assert dump(Memory({}, {"order": {}}), "chat_data") == {}


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "user_data['when'] is a datetime"),
        ({"cart": [1, {"item": {2}}]}, "user_data['cart'][1]['item'] is a set"),
        ({"pair": (1, 2)}, "user_data['pair'] is a tuple"),
        ({"colour": Colour.RED}, "user_data['colour'] is a Colour"),
        ({"raw": b"x"}, "user_data['raw'] is a bytes"),
        ({"deep": {5: "x"}}, "the key 5 of user_data['deep'] is a int"),
        ({7: 1}, "the key 7 of user_data is a int"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_path(data: dict[Any, Any], words: str) -> None:
    with pytest.raises(NotPlain) as refused:
        dump(Memory(data), "user_data")
    assert words in str(refused.value)
    assert "Keep strings" in str(refused.value)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_does_not_know_is_refused_and_does_not_become_null(number: float) -> None:
    with pytest.raises(NotPlain, match=r"chat_data\['x'\]"):
        dump(Memory({"x": number}), "chat_data")


def test_a_state_that_cannot_be_kept_names_its_conversation() -> None:
    with pytest.raises(NotPlain, match="state of order is a object"):
        dump(Memory({}, {"order": {(1, 2): object()}}), "chat_data")


def test_the_refusal_pickles() -> None:
    error = pickle.loads(pickle.dumps(NotPlain("user_data['x']", "set")))  # noqa: S301 - our own bytes
    assert (error.path, error.type_name) == ("user_data['x']", "set")
