import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.state.codec import FORMAT, Codec, provisional_ids_in
from botyard.state.memory import Memory

BERLIN = ZoneInfo("Europe/Berlin")


def there_and_back(value: Any, codec: Codec | None = None) -> Any:
    """Through JSON whose keys come back in another order, as from a column of type jsonb."""
    codec = codec or Codec()
    stored = orjson.dumps(codec.dump(Memory({"it": value}), "user_data"), option=orjson.OPT_SORT_KEYS)
    again = codec.load(orjson.loads(stored))
    second = orjson.dumps(codec.dump(again, "user_data"), option=orjson.OPT_SORT_KEYS)
    assert second == stored, "what was not changed must look unchanged"
    return again.data["it"]


VALUES = [
    (1, "two", None),
    ((1, (2, ())), [(3,)]),
    {1, 2, 3},
    frozenset({"a", (1, frozenset({2}))}),
    {(1, 2): "pair", 5: "five", None: 0, "x": 1},
    {1: "int", "1": "text"},
    {True: "bool"},
    {1.5: "float", date(2026, 1, 1): "day"},
    {"!": "a key of the bot's own", "of": [1]},
    {"!": {"!": "datetime", "of": "x"}},
    deque([1, (2,)], maxlen=3),
    deque("ab"),
    b"\x00\xff",
    bytearray(b"abc"),
    datetime(2026, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001 - naive on purpose
    datetime(2026, 1, 2, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-1), "home")),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(microseconds=1))),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1, seconds=7))),
    datetime(2026, 7, 2, 12, tzinfo=BERLIN),
    datetime(1, 1, 1),  # noqa: DTZ001 - naive on purpose
    date(2026, 2, 3),
    time(1, 2, 3, 4),
    time(1, 2, tzinfo=BERLIN),
    timedelta(days=-3, microseconds=7),
    timedelta.max,
    UTC,
    timezone(timedelta(hours=2)),
    BERLIN,
    Decimal("1.10"),
    Decimal("-Infinity"),
    Fraction(1, 3),
    complex(1, -2.5),
    complex(float("inf"), -0.0),
    UUID(int=7),
    defaultdict(list, {"a": [1], 2: []}),
    defaultdict(None, {"a": 1}),
    defaultdict(int),
    OrderedDict([("b", 1), ("a", 2)]),
    Counter({"tea": 3, ("a", 1): 2, "less": -1}),
    range(0, 10, 3),
    slice(None, (1, 2), 3),
    Path("/tmp/a b"),
    PurePosixPath("a/b"),
    PureWindowsPath("c:/x"),
    re.compile(r"^\d+$", re.IGNORECASE),
    re.compile(rb"\x00"),
    SimpleNamespace(a=1, b=(2,)),
    MappingProxyType({"a": (1,)}),
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    float("inf"),
    float("-inf"),
    1e16,
    1e300,
    5e-324,
    "a\0b",
    "half \ud83d of a pair",
    "\ud800\0ü\\x00",
    {"a\0b": 1, "\ud800": 2},
    Ellipsis,
    int,
    Counter,
    there_and_back,
]


# Without the values themselves: some are shown with their addresses, which differ between processes.
@pytest.mark.parametrize("value", VALUES, ids=[f"{n}-{type(value).__name__}" for n, value in enumerate(VALUES)])
def test_a_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_what_equality_does_not_tell_comes_back_too() -> None:
    folded = there_and_back(datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1))
    assert (folded.fold, folded.utcoffset(), folded.tzinfo) == (1, timedelta(hours=1), BERLIN)
    assert there_and_back(time(1, fold=1)).fold == 1
    assert str(there_and_back(float("nan"))) == "nan"
    assert str(there_and_back(-0.0)) == "-0.0"
    assert there_and_back(datetime(2026, 1, 1, tzinfo=timezone(timedelta(0), "GMT"))).tzname() == "GMT"
    assert there_and_back(defaultdict(Decimal))["new"] == 0
    assert there_and_back(deque([1], maxlen=1)).maxlen == 1
    photo = BytesIO(b"\xff\x00photo")
    photo.seek(3)
    assert (there_and_back(photo).tell(), there_and_back(photo).getvalue()) == (3, b"\xff\x00photo")
    assert [type(key) for key in there_and_back({1: 0, "1": 0})] == [int, str]
    assert [type(key) for key in there_and_back({True: 0})] == [bool]


@pytest.mark.parametrize("number", [-0.0, 1e16, -1e300])
def test_a_number_that_a_column_of_type_jsonb_would_change_is_kept_as_a_text(number: float) -> None:
    assert Codec().dump(Memory({"it": number}), "u")["data"]["it"] == {"!": "float", "of": repr(number)}


def test_a_dictionary_whose_keys_are_no_texts_keeps_its_order() -> None:
    assert list(there_and_back({3: 0, 1: 0, 2: 0})) == [3, 1, 2]
    assert list(there_and_back(OrderedDict.fromkeys("cab"))) == ["c", "a", "b"]


texts = st.text(st.characters(codec=None), max_size=8)
zones = st.none() | st.just(UTC) | st.just(BERLIN) | st.timedeltas(
    timedelta(hours=-23), timedelta(hours=23)
).map(timezone)  # fmt: skip
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=8)
    | st.datetimes(timezones=zones)
    | st.times(timezones=zones)
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.complex_numbers(allow_nan=False)
    | st.uuids()
)
hashable = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
anything = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(deque)
        | st.sets(hashable, max_size=3)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(hashable, inner, max_size=3).map(lambda made: defaultdict(list, made))
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items())) or same(
            {repr(key): item for key, item in left.items()}.keys(), {repr(key): 0 for key in right}.keys()
        )
    if isinstance(left, list | tuple | deque):
        return all(map(same, left, right))
    return True


@given(anything)
def test_whatever_is_built_of_these_comes_back(value: Any) -> None:
    assert same(there_and_back(value), value)


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(0, 9) | st.none()))
def test_a_plain_memory_is_stored_exactly_as_it_is(data: dict[str, Any]) -> None:
    data.pop("!", None)
    stored = Codec().dump(Memory(data), "user_data")
    assert stored == ({"data": data} if data else {})
    assert not data or stored["data"] is data


def test_a_row_that_was_written_before_is_read_as_it_stands() -> None:
    before = {"data": {"!": "datetime", "of": [{"!": 1}]}, "talks": {"order": [[[1, 2], {"!": "x"}]]}}
    memory = Codec().load(before)
    assert memory.data == before["data"]
    assert memory.talks == {"order": {(1, 2): {"!": "x"}}}


def test_states_and_their_keys_are_kept_like_values() -> None:
    talks = {"order": {(1, "inline\0"): (1, 2), (-5, 7): Decimal(3)}, "empty": {}}
    codec = Codec()
    stored = orjson.loads(orjson.dumps(codec.dump(Memory({}, talks), "chat_data")))
    back = codec.load(stored)
    assert back.talks == {"order": talks["order"]}
    assert back.data == {}


def test_equal_sets_are_stored_alike_in_whatever_order_they_were_made() -> None:
    names = [f"name {number}" for number in range(200)]
    first = Codec().dump(Memory({"s": set(names)}), "u")
    assert first == Codec().dump(Memory({"s": {*reversed(names)}}), "u")
    assert first["data"]["s"]["of"] == sorted(names)


def test_no_text_that_is_stored_holds_what_postgresql_refuses() -> None:
    stored = orjson.dumps(Codec().dump(Memory({"a\0": ["\0", {"\ud800": "\udfff"}]}, {"h": {(1, "\0"): "\0"}}), "u"))
    assert b"\\u0000" not in stored


@pytest.mark.parametrize("make", [lambda: {"a": 1}, lambda: {"a": (1, {"b": {2}})}])
def test_dumping_and_loading_change_neither_memory_nor_row(make: Callable[[], Any]) -> None:
    data = make()
    stored = Codec().dump(Memory(data), "u")
    copy = orjson.loads(orjson.dumps(stored))
    back = Codec().load(stored)
    back.data["new"] = 1
    assert data == make() or "new" in data
    assert FORMAT not in stored or stored == copy


class TestProvisionalIds:
    MARKED = -8_195

    def dump(self, data: Any, talks: Any = None) -> dict[str, Any]:
        stored: dict[str, Any] = orjson.loads(
            orjson.dumps(Codec().dump(Memory(data, talks or {}), "u", {self.MARKED, -8_196}))
        )
        return stored

    def test_a_provisional_id_is_marked_wherever_it_stands(self) -> None:
        data = {"a": self.MARKED, "b": [(self.MARKED,)], "c": {self.MARKED: 1, "d": {-8_196}}, "other": -1}
        talks = {"order": {(1, self.MARKED): self.MARKED}}
        stored = self.dump(data, talks)
        assert provisional_ids_in(stored) == {self.MARKED, -8_196}
        back = Codec().load(stored, {self.MARKED: 10, -8_196: 11})
        assert back.data == {"a": 10, "b": [(10,)], "c": {10: 1, "d": {11}}, "other": -1}
        assert back.talks == {"order": {(1, 10): 10}}

    def test_one_that_is_not_known_yet_stays_and_can_be_marked_again(self) -> None:
        stored = self.dump({"a": self.MARKED})
        back = Codec().load(stored, {})
        assert back.data == {"a": self.MARKED}
        assert Codec().dump(back, "u", provisional_ids_in(stored)) == stored

    def test_a_number_that_is_only_equal_to_none_of_them_stays_plain(self) -> None:
        stored = self.dump({"a": -1, "b": self.MARKED - 5, "c": float(self.MARKED)})
        assert FORMAT not in stored
        assert provisional_ids_in(stored) == set()


def test_data_of_another_class_than_a_dictionary_is_made_anew_when_nothing_is_stored() -> None:
    assert Codec().load({}, empty=SimpleNamespace).data == SimpleNamespace()
    memory = Memory(SimpleNamespace(visits=2))
    assert Codec().load(Codec().dump(memory, "u"), empty=SimpleNamespace).data == memory.data
    empty = Memory(Counter())
    assert type(Codec().load(Codec().dump(empty, "u"), empty=SimpleNamespace).data) is Counter
