"""Values of a pickle as values that a bot may remember; what cannot be is left out, and said with its path.

Objects of classes become what `botyard.state` stores of such objects: the name of the class and the attributes. Whether
there is such a class is found out by the bot's own process, when it loads them, and nothing is lost if there is none.
"""

import inspect
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from enum import EnumMeta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import orjson
import telegram
import telegram.constants

from botyard.errors import InputError
from botyard.importing.foreign import Foreign, Global
from botyard.importing.pickles import Persistent
from botyard.importing.report import Report
from botyard.state.classes import Unreadable
from botyard.state.codec import TAG, Codec
from botyard.state.memory import Memory
from botyard.state.of_telegram import is_bot, is_telegram
from botyard.state.refusal import NotKept, as_key

_ATOMS: Final = frozenset({str, int, float, bool, type(None), bytes, bytearray})
_PLAIN: Final = _ATOMS - {str}
_DEEPEST: Final = 200
_LARGEST_ROW: Final = 8 * 1024 * 1024
_MOST_IN_A_ROW: Final = 200_000
_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NOT_THE_BOTS: Final = sys.stdlib_module_names | {"botyard", "tasks", "db"} - {"__main__"}
_KNOWN_BOT: Final = "a known bot replaced by PTB's PicklePersistence"
_UNKNOWN_BOT: Final = "an unknown bot replaced by PTB's PicklePersistence"
_BOT_OF_13: Final = "bot_instance_replaced_by_ptb_persistence"

CODE: Final = "a class or a function, which is code and not a value"
CALLED: Final = "made by code that is not run: {name}. Save what it is made of instead"
NAMELESS: Final = "an object of {name}, whose attributes have no names in the file"
MAIN: Final = (
    "an object of {name}, of the script itself. Say under which name Botyard knows it: --module __main__=mybot"
)
CLASSES: Final = "objects of {name}: the bot's code must have that class, under that name"
NO_VALUE: Final = "an object of {name}, which is no value"
MEMBERS: Final = "members of {name}: the bot's code must have that enumeration, under that name"
DEEP: Final = f"nested more than {_DEEPEST} levels deep, or containing itself"
LARGE: Final = "larger than a row of memory may be (8 MiB, or 200,000 values)"


class Dropped(Exception):
    """A value cannot be brought along.

    Args:
        why: what it is, in words that are the same for all of its sort.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Settler:
    """Makes rows of memory of what was read.

    Args:
        report: is told what is left out.
        modules: other names of modules, as ``__main__`` for a script's.
        most: how many values there may be altogether: what refers to one thing again and again is larger than its file.
    """

    def __init__(self, report: Report, modules: Mapping[str, str] | None = None, most: int = 50_000_000) -> None:
        self._report = report
        self._modules = dict(modules or {})
        self._left = most
        self._row = 0
        self._path: list[str | tuple[Any]] = []
        self._codec = Codec()

    def row(
        self, data: Any, name: str, talks: Mapping[str, Mapping[tuple[Any, ...], Any]] | None = None
    ) -> bytes | None:
        """What is to be stored of a chat, a person or the bot; nothing if there is nothing to remember.

        Args:
            data: its ``user_data``, ``chat_data`` or ``bot_data``.
            name: what paths begin with, as ``user_data[5]``.
            talks: the states of conversations, by handler and key.
        """
        self._row, self._path = 0, [name]
        try:
            memory = Memory(self.settle(data))
            for handler, states in (talks or {}).items():
                memory.talks[handler] = self._states(handler, states)
            stored = orjson.dumps(self._codec.dump(memory, name))
        except Dropped as dropped:
            self._report.skip(dropped.why, name)
            return None
        except RecursionError:
            self._report.skip(DEEP, name)
            return None
        except NotKept as refusal:
            self._report.skip(f"{refusal.type_name}: {refusal.problem}", refusal.path)
            return None
        if len(stored) > _LARGEST_ROW:
            self._report.skip(LARGE, name)
            return None
        return None if stored == b"{}" else stored

    def _states(self, handler: str, states: Mapping[tuple[Any, ...], Any]) -> dict[tuple[Any, ...], Any]:
        kept = {}
        for key, state in states.items():
            self._path = [f"conversations[{handler!r}]", (key,)]
            try:
                kept[key] = self.settle(state)
            except Dropped as dropped:
                self._skip(dropped)
        return kept

    def settle(self, value: Any, depth: int = 0) -> Any:
        """The value, without what cannot be kept.

        Raises:
            Dropped: it is itself such a thing.
            InputError: the file holds far more than its size.
        """
        kind = type(value)
        if kind in _ATOMS:
            return _bot_of_13() if kind is str and value == _BOT_OF_13 else value
        self._count(value, depth)
        if kind is dict:
            return self.mapping(value, depth, dict)
        if kind is list:
            return self.sequence(value, depth)
        settle = _SETTLED.get(kind)
        return value if settle is None else settle(self, value, depth)

    def _count(self, value: Any, depth: int) -> None:
        size = 1 + (len(value) if hasattr(value, "__len__") else 0)
        self._row += size
        self._left -= size
        if self._left < 0:
            raise InputError(
                "file", "unfolds to far more than its own size.", "No bot saves that; it was made on purpose."
            )
        if self._row > _MOST_IN_A_ROW:
            raise Dropped(LARGE)
        if depth > _DEEPEST:
            raise Dropped(DEEP)

    def mapping(self, value: Mapping[Any, Any], depth: int, make: Callable[[], Any]) -> Any:
        """A mapping of the kind that ``make`` makes, without what is left out."""
        kept = make()
        for key, item in value.items():
            if type(item) in _PLAIN and type(key) in _ATOMS:
                kept[key] = item
                continue
            self._path.append((key,))
            try:
                kept[key if type(key) in _ATOMS else self.settle(key, depth + 1)] = self.settle(item, depth + 1)
            except Dropped as dropped:
                if dropped.why is LARGE or (dropped.why is DEEP and depth):
                    raise
                self._skip(dropped)
            finally:
                self._path.pop()
        return kept

    def sequence(self, values: Iterable[Any], depth: int, *, in_order: bool = True) -> list[Any]:
        """Each value; where the order counts None stands for one that is left out, so that the others keep places."""
        kept = []
        for index, item in enumerate(values):
            if type(item) in _PLAIN:
                kept.append(item)
                continue
            self._path.append((index,))
            try:
                kept.append(self.settle(item, depth + 1))
            except Dropped as dropped:
                if dropped.why is LARGE or (dropped.why is DEEP and depth):
                    raise
                self._skip(dropped)
                if in_order:
                    kept.append(None)
            finally:
                self._path.pop()
        return kept

    def _where(self) -> str:
        """The place in the row that is looked at."""
        return "".join(place if isinstance(place, str) else f"[{as_key(place[0])}]" for place in self._path)

    def _skip(self, dropped: Dropped) -> None:
        self._report.skip(dropped.why, self._where())

    def foreign(self, value: Foreign, depth: int) -> Any:
        """An object that was not made, as what is stored of it.

        Raises:
            Dropped: that cannot be told.
        """
        kind = value.kind or value.made_by
        if kind == Global("re", "_compile"):
            return self._pattern(*value.arguments)
        if value.made_by == Global("builtins", "getattr"):
            return self._stored(kind, {"=": value.arguments[0]}, depth)
        if value.made_by.name == "_reconstruct_to" and value.made_by.module.startswith("telegram."):
            kind, *states = value.arguments
            return self._telegram(kind, states, depth)
        if isinstance(kind, Global) and telegram_class(kind) is not None:
            return self._telegram(kind, [self._attributes(value, kind)], depth)
        if kind in _BY_STATE:
            return _BY_STATE[kind](self.mapping(self._attributes(value, kind), depth + 1, dict))
        if value.kind is None:
            return self._member(value)
        if value.arguments:
            raise Dropped(NAMELESS.format(name=kind))
        return self._stored(kind, _content(value) | self._attributes(value, kind), depth)

    def _member(self, value: Foreign) -> Unreadable:
        """A class that was called with one plain value: a member of an enumeration, if it is one."""
        kind = value.made_by
        plain = len(value.arguments) == 1 and type(value.arguments[0]) in _ATOMS
        if not plain or value.states or value.items or value.elements or not kind.name.rpartition(".")[2][:1].isupper():
            raise Dropped(CALLED.format(name=value.called))
        if kind.module == "telegram.constants":
            return _constant(kind, value.arguments[0])
        module = self._module_of(kind)
        self._report.note(MEMBERS.format(name=f"{module}:{kind.name}"), self._where())
        kept = self._codec.dump(Memory([value.arguments[0]]), "value")["data"][0]
        return Unreadable({TAG: "member", "of": f"{module}:{kind.name}", "value": kept}, "its class is the bot's own")

    def _module_of(self, kind: Global) -> str:
        """The name of a class' module, as Botyard knows it."""
        module = self._modules.get(kind.module, kind.module)
        if module == "__main__":
            raise Dropped(MAIN.format(name=kind.name))
        if not _NAME.fullmatch(module) or not _NAME.fullmatch(kind.name):
            raise Dropped(NAMELESS.format(name=kind))
        if module.partition(".")[0] in _NOT_THE_BOTS:
            # What such objects do when they are used, or thrown away, is not what a bot has remembered.
            raise Dropped(NO_VALUE.format(name=kind))
        return module

    def _pattern(self, pattern: Any, flags: Any) -> Unreadable:
        """A pattern, which the bot compiles when it loads it."""
        if not isinstance(pattern, str | bytes) or not isinstance(flags, int):
            raise Dropped(CALLED.format(name="re._compile"))
        kept = self._codec.dump(Memory([pattern]), "pattern")["data"][0]
        return Unreadable({TAG: "pattern", "of": kept, "flags": flags}, "it is compiled by the bot")

    def _attributes(self, value: Foreign, kind: Global) -> dict[str, Any]:
        """What ``__dict__`` and the slots of an object would have held."""
        found: dict[str, Any] = {}
        for state in value.states:
            for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
                if part is None:
                    continue
                if not isinstance(part, dict) or not all(isinstance(name, str) for name in part):
                    raise Dropped(NAMELESS.format(name=kind))
                found |= part
        return found

    def _telegram(self, kind: Any, states: list[Any], depth: int) -> Any:
        of_telegram = telegram_class(kind) if isinstance(kind, Global) else None
        if of_telegram is None or len(states) != 1 or not isinstance(states[0], dict):
            raise Dropped(NAMELESS.format(name=kind))
        found = states[0]
        content = {
            name: found.get(name, found.get(f"_{name}"))
            for name in _parameters(of_telegram)
            if found.get(name, found.get(f"_{name}")) not in (None, (), {})
        }
        return self._stored(Global("telegram", of_telegram.__name__), content, depth)

    def _stored(self, kind: Global, content: dict[str, Any], depth: int) -> Unreadable:
        """What the database holds of an object of a class."""
        module = self._module_of(kind)
        called = f"{module}:{kind.name}"
        if TAG in content:
            raise Dropped(NAMELESS.format(name=kind))
        kept = self.mapping(content, depth + 1, dict)
        if module.partition(".")[0] != "telegram":
            self._report.note(CLASSES.format(name=called), self._where())
        stored = self._codec.dump(Memory([kept]), self._where())
        inner: dict[str, Any] = stored["data"][0]
        if TAG in inner:
            # Its attributes have names that would not be found again.
            raise Dropped(NAMELESS.format(name=kind))
        return Unreadable({TAG: called, **inner}, "its class is the bot's own")


def _constant(kind: Global, value: Any) -> Unreadable:
    found = vars(telegram.constants).get(kind.name)
    if not isinstance(found, EnumMeta) or value not in found._value2member_map_:
        raise Dropped(CALLED.format(name=kind))
    member: Any = found._value2member_map_[value]
    return Unreadable({TAG: str(kind), "=": member.name}, "it is a constant of Telegram's")


def _content(value: Foreign) -> dict[str, Any]:
    """What an object is beside its attributes, if it extends one of Python's own types."""
    if value.items:
        return {"=": dict(value.items)}
    if value.elements:
        return {"=": value.elements}
    return {} if value.base is None else {"=": value.base}


def _persistent(_: Settler, value: Persistent, __: int) -> Any:
    if value.pid == _KNOWN_BOT:
        return _bot_of_13()
    if value.pid == _UNKNOWN_BOT:
        return None
    raise Dropped("something that stands outside the file")


def _bot_of_13() -> Unreadable:
    """The bot itself is whoever reads."""
    return Unreadable({TAG: "bot"}, "it is the bot")


def _code(_: Settler, __: Any, ___: int) -> Any:
    raise Dropped(CODE)


def _default_dict(settler: Settler, value: Any, depth: int) -> Any:
    return settler.mapping(value, depth, lambda: defaultdict(value.default_factory))


def _set(kind: Any) -> Callable[[Settler, Any, int], Any]:
    return lambda settler, value, depth: kind(settler.sequence(value, depth, in_order=False))


@lru_cache(maxsize=1000)
def telegram_class(kind: Global) -> type | None:
    """The class of python-telegram-bot that is meant: older versions had their modules elsewhere."""
    found = vars(telegram).get(kind.name) if kind.module.partition(".")[0] == "telegram" else None
    return found if isinstance(found, type) and is_telegram(found) and not is_bot(found) else None


@lru_cache(maxsize=1000)
def _parameters(kind: type) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(kind).parameters if name != "bot")


_SETTLED: Final[dict[type, Callable[[Settler, Any, int], Any]]] = {
    tuple: lambda settler, value, depth: tuple(settler.sequence(value, depth)),
    set: _set(set),
    frozenset: _set(frozenset),
    deque: lambda settler, value, depth: deque(settler.sequence(value, depth), value.maxlen),
    OrderedDict: lambda settler, value, depth: settler.mapping(value, depth, OrderedDict),
    Counter: lambda settler, value, depth: settler.mapping(value, depth, Counter),
    defaultdict: _default_dict,
    Foreign: lambda settler, value, depth: settler.foreign(value, depth),
    Persistent: _persistent,
    Global: _code,
}
_BY_STATE: Final[dict[Global, Callable[[dict[str, Any]], Any]]] = {
    Global("uuid", "UUID"): lambda state: UUID(int=state["int"]),
    Global("types", "SimpleNamespace"): lambda state: SimpleNamespace(**state),
}
