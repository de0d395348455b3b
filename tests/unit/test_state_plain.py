import pickle
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.state.refusal import NotKept

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
    stored = orjson.loads(orjson.dumps(Codec().dump(Memory(data, talks), "user_data")))
    back = Codec().load(stored)
    assert back.data == data
    assert back.talks == {name: states for name, states in talks.items() if states}


def test_an_empty_memory_stores_nothing() -> None:
    assert Codec().dump(Memory({}, {"order": {}}), "chat_data") == {}


def test_what_cannot_be_kept_is_refused_with_its_path() -> None:
    with pytest.raises(NotKept, match=r"user_data\['cart'\]\[1\]\['item'\] is an object, which cannot be kept"):
        Codec().dump(Memory({"cart": [1, {"item": object()}]}), "user_data")


def test_what_is_not_plain_comes_back_for_callers_that_know_no_bot() -> None:
    memory = Memory({"when": datetime(2026, 1, 1, tzinfo=UTC), "seen": {2}}, {"order": {(1, 2): (1,)}})
    assert Codec().load(orjson.loads(orjson.dumps(Codec().dump(memory, "user_data")))) == memory


def test_the_refusal_pickles() -> None:
    error = pickle.loads(pickle.dumps(NotKept("user_data['x']", "set")))  # noqa: S301 - our own bytes
    assert (error.path, error.type_name) == ("user_data['x']", "set")
