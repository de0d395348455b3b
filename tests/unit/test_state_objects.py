from abc import ABC, abstractmethod
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from http import HTTPStatus
from ipaddress import IPv4Address, ip_network
from typing import Any, ClassVar, Generic, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlparse

import attrs
import orjson
import pydantic
import pytest

from botyard.state.codec import FORMAT, Codec
from botyard.state.memory import Memory
from tests.unit.test_state_codec import there_and_back

T = TypeVar("T")


class Colour(Enum):
    RED = 1
    BLUE = "b"
    CRIMSON = 1  # noqa: PIE796 - an alias


class Step(IntEnum):
    NAME = 0


class Word(StrEnum):
    YES = "y"


class Right(Flag):
    READ = auto()
    WRITE = auto()


class Bits(IntFlag):
    A = 1


class Point(NamedTuple):
    x: int
    y: Any = 0


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - bots have such


class Place(Pair):
    """With attributes of its own."""


@dataclass
class Line:
    title: str
    price: Any = 0
    tags: list[str] = field(default_factory=list)
    total: int = field(init=False, default=7)
    known: ClassVar[int] = 1


@dataclass(frozen=True)
class Frozen:
    line: Any
    number: int = 1


@dataclass(frozen=True, slots=True)
class Slim:
    a: Any
    b: tuple[int, ...] = ()


class Plain:
    def __init__(self, name: Any) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]


class Angry:
    """Whatever might run when it is made raises."""

    def __new__(cls, *_: Any) -> "Angry":  # noqa: PYI034
        raise AssertionError

    def __init__(self) -> None:
        raise AssertionError

    def _refuse(self, *_: Any) -> NoReturn:
        raise AssertionError

    __setstate__ = __reduce__ = __reduce_ex__ = __getstate__ = __setattr__ = __getattr__ = _refuse


class Slots:
    __slots__ = ("__private", "empty", "name")

    def __init__(self, name: Any) -> None:
        self.name = name
        self.__private = (name,)

    def both(self) -> Any:
        return self.name, self.__private


class Mixed(Slots):
    def __init__(self, name: Any) -> None:
        super().__init__(name)
        self.more = {1}


class Base(ABC, Generic[T]):
    @abstractmethod
    def price(self) -> T: ...


class Tea(Base[int]):
    def __init__(self) -> None:
        self.grams = 5

    def price(self) -> int:
        return self.grams * 2


class Words(list[Any]): ...


class Table(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        raise AssertionError


class Ordered(OrderedDict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        raise AssertionError


class Lists(defaultdict[Any, Any]): ...


class Ring(deque[Any]): ...


class Tally(Counter[Any]): ...


class Names(set[Any]): ...


class Fixed(frozenset[Any]): ...


class Three(tuple[Any, ...]):
    __slots__ = ()


class Text(str):  # noqa: SLOT000 - as bots write it
    def __str__(self) -> str:
        raise AssertionError


class Euro(int): ...


class Ratio(float): ...


class Raw(bytes): ...


@attrs.define
class Attrs:
    a: Any
    b: list[int] = attrs.Factory(list)


@attrs.frozen
class FrozenAttrs:
    a: Any


class Model(pydantic.BaseModel):
    a: int
    b: dict[str, Point] = {}


class Meta(type): ...


class Made(metaclass=Meta):
    class Inner:
        def __init__(self) -> None:
            self.x = 1


def price_of(_: Any) -> int:
    return 1


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Colour.CRIMSON,
        Step.NAME,
        Word.YES,
        Right.READ | Right.WRITE,
        Right(0),
        Bits.A,
        HTTPStatus.NOT_FOUND,
        {Colour.RED: {Step.NAME}},
        Point(1, (2,)),
        Pair(Colour.RED, None),
        urlparse("http://a.example/b?c"),
        Line("tea", Point(1), ["a"]),
        Frozen(Frozen(Colour.BLUE), 2),
        {Frozen(1), Frozen((2,))},
        {Slim(1): Slim({2}, (3,))},
        Plain([Plain(Line("x"))]),
        Words([1, (2,)]),
        Ring([1, 2], maxlen=5),
        Tally({"a": 2}),
        Names({1, "a"}),
        Fixed({1}),
        Three((1, 2)),
        Euro(2**70),
        Ratio(1.5),
        Ratio("inf"),
        Raw(b"\xff"),
        Attrs((1,), [2]),
        FrozenAttrs({1}),
        Model(a=1, b={"p": Point(1)}),
        IPv4Address("127.0.0.1"),
        ip_network("10.0.0.0/8"),
        Made,
        Plain,
        price_of,
        dict.__class__,
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_comes_back_equal_and_of_the_same_class(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


def test_what_equality_does_not_tell_of_an_object_comes_back_too() -> None:
    assert there_and_back(Slots("x")).both() == ("x", ("x",))
    assert not hasattr(there_and_back(Slots("x")), "empty")
    mixed = there_and_back(Mixed((1,)))
    assert (mixed.both(), mixed.more) == (((1,), ((1,),)), {1})
    assert there_and_back(Tea()).price() == 10
    assert there_and_back(Made.Inner()).x == 1
    assert there_and_back(Line("x")).total == 7
    words = Words([1])
    words.note = (1,)  # type: ignore[attr-defined]
    assert there_and_back(words).note == (1,)
    place = Place(1, 2)
    place.note = "here"  # type: ignore[attr-defined]
    assert (there_and_back(place), there_and_back(place).note) == (place, "here")
    lists = there_and_back(Lists(list, {"a": [1]}))
    assert (lists["a"], lists["new"], type(lists)) == ([1], [], Lists)
    assert there_and_back(Ring([1], maxlen=1)).maxlen == 1
    text = there_and_back(Text("a\0b"))
    assert (str.__str__(text), type(text)) == ("a\0b", Text)


def test_no_code_of_a_class_runs_to_make_its_object() -> None:
    angry = object.__new__(Angry)
    vars(angry)["calm"] = (False,)
    assert vars(there_and_back(angry)) == {"calm": (False,)}
    table = Table({"a": (1,)})
    assert there_and_back(table) == table
    ordered = Ordered()
    OrderedDict.__setitem__(ordered, "a", (1,))
    assert there_and_back(ordered) == ordered


def stored(value: Any, codec: Codec | None = None) -> Any:
    return orjson.loads(orjson.dumps((codec or Codec()).dump(Memory({"it": value}), "u")))


def test_an_object_reads_well_in_the_database() -> None:
    assert stored(Line("tea", Point(1)))["data"]["it"] == {
        "!": f"{__name__}:Line",
        "title": "tea",
        "price": {"!": f"{__name__}:Point", "x": 1, "y": 0},
        "tags": [],
    }
    assert stored(Colour.CRIMSON)["data"]["it"] == {"!": f"{__name__}:Colour", "=": "RED"}


def test_a_new_field_of_a_dataclass_gets_its_default_and_one_that_went_stays_as_an_attribute() -> None:
    row = stored({"line": Line("tea"), "slim": Slim(1), "point": Point(1, 2)})
    it = row["data"]["it"]
    for name in ("price", "tags"):
        del it["line"][name]
    it["line"]["old"] = {"!": "tuple", "of": [1]}
    del it["slim"]["b"]
    it["slim"]["gone"] = 1
    del it["point"]["y"]
    it["point"]["z"] = 1
    back = Codec().load(row).data["it"]
    assert back == {"line": Line("tea"), "slim": Slim(1), "point": Point(1)}
    assert back["line"].old == (1,)


def imported(of: str, value: Any) -> tuple[Any, Any]:
    """A member of an enumeration as an import stores it: what is read, and what is stored of that again."""
    codec = Codec()
    stored = {FORMAT: 1, "data": {"it": {"!": "member", "of": of, "value": value}}}
    read = codec.load(stored)
    return read.data["it"], codec.dump(read, "user_data")["data"]["it"]


@pytest.mark.parametrize(("value", "member"), [(1, Colour.RED), ("b", Colour.BLUE)])
def test_a_member_of_an_enumeration_that_was_imported_is_found_by_its_value(value: Any, member: Colour) -> None:
    assert imported(f"{Colour.__module__}:{Colour.__qualname__}", value)[0] is member


@pytest.mark.parametrize("of", [f"{Colour.__module__}:{Colour.__qualname__}", f"{Point.__module__}:Point", "gone:Away"])
def test_what_is_no_member_of_an_enumeration_is_kept_as_it_is(of: str) -> None:
    assert imported(of, 7)[1] == {"!": "member", "of": of, "value": 7}
