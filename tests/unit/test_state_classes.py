import builtins
import importlib
import marshal
import pickle
import subprocess
import sys
from types import ModuleType
from typing import Any, NoReturn

import orjson
import pytest

from botyard.state.classes import Unreadable
from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.state.refusal import NotKept
from botyard.state.registry import Keeping, keep_as
from tests.unit.test_state_codec import there_and_back
from tests.unit.test_state_objects import Colour, Euro, Line, Plain, Point, Slim, Tally, price_of, stored

OBJECTS = Line.__module__


def load_script(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, name, "exec"), vars(module))  # noqa: S102 - as a bot's script is loaded
    return module


SCRIPT = "class Cart:\n    def __init__(self): self.items = ['tea']\n\ndef step(): pass\n"


def test_a_class_of_a_script_is_found_when_it_is_loaded_under_another_name() -> None:
    first = load_script("script_1", SCRIPT)
    row = stored({"cart": first.Cart(), "next": first.step}, Codec({"shop.py": first}))
    assert row["data"]["it"]["cart"] == {"!": "shop.py:Cart", "items": ["tea"]}
    second = load_script("script_2", SCRIPT)
    back = Codec({"shop.py": second}).load(row).data["it"]
    assert type(back["cart"]) is second.Cart
    assert back["next"] is second.step
    assert back["cart"].items == ["tea"]


def test_a_class_that_is_not_found_loses_nothing_and_says_so_when_it_is_used() -> None:
    script = load_script("script_1", SCRIPT)
    row = stored({"carts": [script.Cart(), (script.Cart(),)], "n": 1}, Codec({"shop.py": script}))
    codec = Codec({"shop.py": load_script("script_2", "")})
    memory = codec.load(row)
    assert orjson.loads(orjson.dumps(codec.dump(memory, "u"))) == row
    lost = memory.data["it"]["carts"][0]
    assert isinstance(lost, Unreadable)
    assert lost
    assert lost == memory.data["it"]["carts"][1][0]
    with pytest.raises(AttributeError, match=r"items: this value was kept as shop\.py:Cart.*Bring the class back"):
        _ = lost.items
    with pytest.raises(AttributeError, match=r"shop\.py:Cart"):
        lost.items = 1
    with pytest.raises(TypeError, match=r"shop\.py:Cart"):
        lost["items"]
    assert Codec({"shop.py": script}).load(row).data["it"]["carts"][0].items == ["tea"]


def test_a_class_that_was_renamed_is_found_under_its_old_name_if_that_is_left_for_it() -> None:
    first = load_script("s1", SCRIPT)
    row = stored(first.Cart(), Codec({"shop.py": first}))
    second = load_script("s2", SCRIPT.replace("Cart", "Basket") + "\nCart = Basket\n")
    codec = Codec({"shop.py": second})
    memory = codec.load(row)
    assert type(memory.data["it"]) is second.Basket
    assert codec.dump(memory, "u")["data"]["it"] == {"!": "shop.py:Basket", "items": ["tea"]}


def test_a_module_that_would_import_what_it_is_asked_for_is_not_asked() -> None:
    lazy = load_script("lazy", "def __getattr__(name): raise AssertionError\n")
    memory = Codec({"lazy": lazy}).load({"data": {"!": "lazy:Thing"}, "format": 1})
    assert "there is no class or function lazy:Thing" in repr(memory.data)


@pytest.mark.parametrize(
    "tagged",
    [
        {"!": "no.such:Class"},
        {"!": "of a later version", "of": 1},
        {"!": 5},
        {"!": "datetime", "of": "no date"},
        {"!": "ZoneInfo", "of": "No/Where"},
        {"!": "set", "of": [{}]},
        {"!": f"{OBJECTS}:Colour", "=": "GREEN"},
        {"!": f"{OBJECTS}:Point"},
        {"!": f"{OBJECTS}:price_of"},
        {"!": "as", "name": "never registered", "of": 1},
        {"!": "named", "of": f"{OBJECTS}:T"},
        {"!": "subprocess:Popen", "pid": 1},
        {"!": "threading:Thread"},
        {"!": "builtins:object"},
        {"!": "telegram:Message", "text": "no id"},
    ],
    ids=str,
)
def test_whatever_cannot_be_made_is_written_back_as_it_was(tagged: dict[str, Any]) -> None:
    row = {"data": {"it": tagged}, "format": 1}
    memory = Codec().load(row)
    assert isinstance(memory.data["it"], Unreadable)
    assert repr(tagged["!"]).strip("'") in repr(memory.data["it"])
    assert Codec().dump(memory, "u") == row


def test_nothing_is_unpickled_evaluated_or_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": Line("x", Point(1)), "b": Colour.RED, "c": Slim({1}), "d": Tally("ab"), "e": Plain(price_of)}
    row = stored(value)
    row["data"]["lost"] = {"!": "antigravity:Class"}
    assert "antigravity" not in sys.modules

    called = []

    def refuse(*arguments: Any, **_: Any) -> NoReturn:
        called.append(arguments)
        raise AssertionError

    codec, memory = Codec(), Memory({"it": value})
    with monkeypatch.context() as patched:
        patched.setattr(pickle, "loads", refuse)
        patched.setattr(pickle, "Unpickler", refuse)
        patched.setattr(marshal, "loads", refuse)
        patched.setattr(importlib, "import_module", refuse)
        for name in ("eval", "exec", "__import__"):
            # Not by setattr, which imports.
            patched.setitem(vars(builtins), name, refuse)
        back = codec.load(row)
        codec.dump(memory, "u")
    assert called == []
    assert back.data["it"] == value
    assert isinstance(back.data["lost"], Unreadable)
    assert "antigravity" not in sys.modules


class Handle:
    def __init__(self, number: int) -> None:
        self.number = number
        self.open = generator()


def generator() -> Any:
    yield 1


class Angle:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


keep_as("handle", Handle, dump=lambda handle: (handle.number,), load=lambda kept: Handle(*kept))


def test_a_registered_class_is_kept_as_the_bot_says() -> None:
    assert stored(Handle(5))["data"]["it"] == {"!": "as", "name": "handle", "of": {"!": "tuple", "of": [5]}}
    assert there_and_back({"h": [Handle(5)]})["h"][0].number == 5


def test_what_was_stored_before_its_class_was_registered_is_still_read() -> None:
    row = stored(Angle(1.5))
    keep_as("angle", Angle, dump=lambda angle: angle.degrees, load=Angle)
    codec = Codec()
    memory = codec.load(row)
    assert memory.data["it"].degrees == 1.5
    assert codec.dump(memory, "u")["data"]["it"]["!"] == "as"


def test_registering_needs_nothing_that_is_heavy_to_load() -> None:
    code = "import sys; from botyard.state.registry import keep_as; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"telegram", "sqlalchemy", "celery", "orjson", "redis"} & set(ran.stdout.split()) == set()


def test_two_bots_may_register_different_classes_under_one_name() -> None:
    source = """
from botyard.state.registry import keep_as
class Money:
    def __init__(self, amount): self.amount = amount
keep_as("money", Money, dump=lambda money: money.amount, load=Money)
"""
    one, two = load_script("bot_one", source), load_script("bot_two", source)
    row = stored(one.Money(5), Codec({"one.py": one}))
    assert type(Codec({"one.py": one}).load(row).data["it"]) is one.Money
    assert type(Codec({"two.py": two}).load(row).data["it"]) is two.Money
    assert isinstance(Codec().load(row).data["it"], Unreadable)


def test_the_platform_keeps_its_own_objects_in_a_form_of_its_own() -> None:
    own = [Keeping("job", Handle, lambda handle: handle.number, lambda number: f"job {number}")]
    codec = Codec(own=own)
    assert codec.load(stored(Handle(7), codec)).data["it"] == "job 7"


def test_a_registered_function_that_raises_is_named() -> None:
    codec = Codec(own=[Keeping("handle", Handle, lambda _: 1 // 0, Handle)])
    with pytest.raises(NotKept, match="registered as 'handle' raised ZeroDivisionError"):
        codec.dump(Memory({"it": Handle(1)}), "u")


def test_a_provisional_id_is_found_inside_objects() -> None:
    row = orjson.loads(orjson.dumps(Codec().dump(Memory({"it": [Line("x", -5), Point(-5), Euro(-5)]}), "u", {-5})))
    assert Codec().load(row, {-5: 8}).data["it"] == [Line("x", 8), Point(8), Euro(8)]
