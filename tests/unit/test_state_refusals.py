import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import telegram.ext

from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.state.refusal import NotKept


class Item:
    def __init__(self, lock: Any) -> None:
        self.name = "tea"
        self.lock = lock


class Cart:
    def __init__(self, lock: Any) -> None:
        self.items = [Item(lock)]


class Counted(dict[str, Any]):
    pass


class Local(threading.local):
    pass


class Own(telegram.ext.CallbackContext[Any, Any, Any, Any]):
    pass


def generator() -> Iterator[int]:
    yield 1


async def nothing() -> None:
    pass


def refusal(value: Any) -> NotKept:
    with pytest.raises(NotKept) as refused:
        Codec().dump(Memory({"it": value}), "user_data")
    return refused.value


def inner_class() -> Any:
    class Hidden:
        pass

    return Hidden()


def inner_function() -> Any:
    def hidden() -> None:
        pass

    return hidden


LIVING: list[tuple[Callable[[], Any], str]] = [
    (threading.Lock, "user_data['it'] is a lock, which cannot be kept"),
    (lambda: Cart(threading.Lock()), "user_data['it'].items[0].lock is a lock, which cannot be kept"),
    (lambda: {"a": (1, {2: object()})}, "user_data['it']['a'][1][2] is an object"),
    (lambda: {inner_class(): 1}, "the key <Hidden> of user_data['it'] is a Hidden, whose class cannot be found again"),
    (
        lambda: {frozenset({inner_function()})},
        "an element of an element of user_data['it'] is a function, which cannot",
    ),
    (lambda: SimpleNamespace(x=[threading.Lock()]), "user_data['it'].x[0] is a lock"),
    (lambda: Counted(a=threading.Lock()), "user_data['it']['a'] is a lock"),
    (lambda: lambda: 1, "cannot be found again under its name tests.unit.test_state_refusals:<lambda>"),
    (lambda: partial(generator), "user_data['it'] is a partial"),
    (lambda: Cart(1).__init__, "user_data['it'] is a method"),  # type: ignore[misc]
    (lambda: "".join, "user_data['it'] is a builtin_function_or_method"),
    (generator, "user_data['it'] is a generator"),
    (lambda: contextlib, "user_data['it'] is a module"),
    (asyncio.Lock, "user_data['it'] is a Lock"),
    (asyncio.Event, "user_data['it'] is an Event"),
    (threading.Event, "user_data['it'] is an Event"),
    (lambda: threading.Thread(target=print), "user_data['it'] is a Thread"),
    (Local, "user_data['it'] is a Local"),
    (lambda: memoryview(b"x"), "user_data['it'] is a memoryview"),
    (lambda: ValueError("x"), "user_data['it'] is a ValueError"),
    ({}.keys, "user_data['it'] is a dict_keys"),
    (telegram.ext.ApplicationBuilder, "user_data['it'] is an ApplicationBuilder"),
    (lambda: Own.__new__(Own), "user_data['it'] is an Own"),
]


@pytest.mark.parametrize(("make", "words"), LIVING)
def test_what_cannot_be_kept_is_refused_with_its_path_and_a_remedy(make: Callable[[], Any], words: str) -> None:
    error = refusal(make())
    assert words in str(error)
    assert error.remedy


def test_open_things_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file, socket.socket() as connection:
        assert "is a BufferedWriter" in str(refusal(file))
        assert "is a socket" in str(refusal(connection))
    closed = BytesIO()
    closed.close()
    assert "user_data['it'] is a BytesIO, closed" in str(refusal(closed))


async def test_a_task_and_a_coroutine_are_refused() -> None:
    coroutine = nothing()
    assert "is a coroutine" in str(refusal(coroutine))
    task = asyncio.create_task(coroutine)
    assert "is a Task" in str(refusal(task))
    await task


def test_the_state_and_the_key_of_a_conversation_are_named() -> None:
    with pytest.raises(NotKept, match=r"^state of order is an object"):
        Codec().dump(Memory({}, {"order": {(1,): object()}}), "chat_data")
    with pytest.raises(NotKept, match=r"^the key of the state of order is an object"):
        Codec().dump(Memory({}, {"order": {(object(),): 1}}), "chat_data")


def test_what_contains_itself_is_named_with_both_ends_of_the_circle() -> None:
    person: dict[str, Any] = {}
    person["friends"] = [{"of": person}]
    assert str(refusal(person)).startswith(
        "user_data['it']['friends'][0]['of'] is a dict, the same one as user_data['it']: what contains itself"
    )
    parent = Item(None)
    parent.lock = Item(parent)
    assert "user_data['it'].lock.lock is an Item, the same one as user_data['it']" in str(refusal(parent))
    row: list[Any] = []
    row.append((row,))
    assert "user_data['it'][0][0] is a list, the same one as user_data['it']" in str(refusal(row))


def deep(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = None
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: {"a": value},
        lambda value: (value,),
        lambda value: {1: value},
        Item,
        lambda value: SimpleNamespace(a=value),
    ],
)
def test_what_is_nested_too_deep_is_refused_and_never_a_recursion_error(wrap: Callable[[Any], Any]) -> None:
    assert "too deep" in (words := str(refusal(deep(5_000, wrap)))) or "levels deep" in words
    codec = Codec()
    accepted = 0
    for levels in range(1, 240):
        try:
            stored = codec.dump(Memory({"it": deep(levels, wrap)}), "u")
        except NotKept:
            break
        # A row of a batch stands around it, and JSON that is nested deeper than 254 levels cannot be written.
        read = orjson.loads(orjson.dumps([{"guards": [{"state": stored}]}]))[0]["guards"][0]["state"]
        assert codec.dump(codec.load(read), "u") == stored
        accepted = levels
    assert accepted >= 70


def test_a_stack_that_is_nearly_full_ends_in_a_refusal_too() -> None:
    value = deep(230, lambda inner: [inner])
    there_and_back = Codec().dump(Memory({"it": value}), "u")
    assert there_and_back["data"]["it"] == value

    def further(frames: int) -> NotKept:
        return further(frames - 1) if frames else refusal(value)

    assert "nested too deep" in str(further(sys.getrecursionlimit() - 350))


def test_a_value_that_is_met_twice_is_no_circle() -> None:
    shared = [1, 2]
    stored = Codec().dump(Memory({"a": shared, "b": (shared, shared)}), "u")
    assert Codec().load(stored).data == {"a": [1, 2], "b": ([1, 2], [1, 2])}
