"""How objects of classes are kept: by the class's name and their attributes. None of their code runs to make them."""

import contextlib
import dataclasses
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from enum import Enum, Flag
from typing import TYPE_CHECKING, Any, Final, Protocol

from botyard.state.classes import Names, remedy_for
from botyard.state.of_telegram import TelegramShape, dump_bot, is_bot, is_telegram
from botyard.state.refusal import Refused
from botyard.state.registry import Keeping, of_class
from botyard.state.values import BY_TAG, Write, dump_name

if TYPE_CHECKING:
    from botyard.state.codec import Decoder, Encoder

# What lives in this process: an object of theirs that was kept would be a husk.
_LIVING: Final = frozenset({
    "asyncio", "concurrent", "contextvars", "io", "logging", "multiprocessing", "queue", "sched", "selectors", "socket",
    "socketserver", "ssl", "subprocess", "tempfile", "threading", "weakref",
})  # fmt: skip
_TAG: Final = "!"
_VALUE: Final = "="
_HEAP: Final = 1 << 9
_MANAGED_DICT: Final = 1 << 4
_POINTER: Final = 8
_FIXED: Final = (int, float, str, bytes, tuple, frozenset)
_BASES: Final = (defaultdict, OrderedDict, deque, dict, list, set, *_FIXED)


class Shape(Protocol):
    """How the objects of one class are kept under its name."""

    def dump(self, to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        """What is stored of an object."""

    def load(self, of: "Decoder", stored: dict[str, Any]) -> Any:
        """The object again."""


def writer_of(kind: type, names: Names, own: Iterable[Keeping]) -> Write:
    """What writes the objects of a class.

    Args:
        kind: the class.
        names: finds the bot's classes.
        own: what is registered by the platform.

    Raises:
        Refused: they cannot be kept.
    """
    keeping = next((one for one in own if one.kept is kind), None) or of_class(kind, names.own)
    if keeping is not None:
        return _as_registered(keeping)
    if is_bot(kind):
        return dump_bot
    if issubclass(kind, type):
        return dump_name
    return shape_of(kind, names).dump


def shape_of(kind: type, names: Names) -> Shape:
    """How the objects of a class are kept under its name.

    Raises:
        Refused: they cannot be.
    """
    if issubclass(kind, Enum):
        return EnumShape(kind, names.name_of(kind))
    if any(_is_living(base) for base in kind.__mro__):
        raise Refused(kind, remedy=remedy_for(kind))
    if is_telegram(kind):
        return TelegramShape(kind)
    base = next((base for base in _BASES if issubclass(kind, base)), object)
    if not _is_made_of_attributes(kind, base):
        raise Refused(kind, remedy=remedy_for(kind))
    if base is tuple and hasattr(kind, "_fields") and not kind.__dictoffset__:
        return NamedTupleShape(kind, names.name_of(kind))
    return ObjectShape(kind, names.name_of(kind), base)


def _as_registered(keeping: Keeping) -> Write:
    def write(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        try:
            kept = keeping.dump(value)
        # It is the bot's code, and may raise anything.
        except Exception as error:
            problem = f"and what is registered as {keeping.name!r} raised {type(error).__name__}: {error}"
            raise Refused(value, problem, "Mend its dump function.") from error
        return to.tag("as", name=keeping.name, of=to.part(kept, depth + 1, value, "what is kept of ", ""))

    return write


def _is_living(base: type) -> bool:
    module = base.__module__
    return module.partition(".")[0] in _LIVING or module.startswith(("telegram.ext.", "telegram.request."))


def _slots(kind: type) -> list[str]:
    """The attributes that a class and its bases keep in slots, as their objects know them."""
    found = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__")
            if name not in ("__dict__", "__weakref__"):
                found.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return found


def _is_made_of_attributes(kind: Any, base: Any) -> bool:
    """Whether its objects hold nothing but attributes beside what the base holds: nothing that only C code can see."""
    room = _POINTER * (len(_slots(kind)) - len(_slots(base)))
    if kind.__weakrefoffset__ > 0 and not base.__weakrefoffset__:
        room += _POINTER
    if kind.__dictoffset__ and not base.__dictoffset__ and not kind.__flags__ & _MANAGED_DICT:
        room += _POINTER
    fits = kind.__basicsize__ - base.__basicsize__ <= room and kind.__itemsize__ == base.__itemsize__
    return bool(kind.__flags__ & _HEAP) and fits


class EnumShape:
    """Members by their names, flags by their values.

    Args:
        kind: the class.
        tag: its stable name.
    """

    def __init__(self, kind: type[Enum], tag: str) -> None:
        self._kind = kind
        self._tag = tag

    def dump(self, to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        """The member's name, or the flags' number."""
        return to.tag(self._tag, **{_VALUE: to.encode(value.value if isinstance(value, Flag) else value.name, depth)})

    def load(self, of: "Decoder", stored: dict[str, Any]) -> Any:
        """The member."""
        kept = of.decode(stored[_VALUE])
        return self._kind(kept) if issubclass(self._kind, Flag) else self._kind.__members__[kept]


class NamedTupleShape:
    """Named tuples, by the names of their fields.

    Args:
        kind: the class.
        tag: its stable name.
    """

    def __init__(self, kind: Any, tag: str) -> None:
        self._kind = kind
        self._tag = tag

    def dump(self, to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        """Its fields."""
        fields = zip(self._kind._fields, tuple.__iter__(value), strict=True)
        return to.tag(self._tag, **{name: to.part(item, depth + 2, value, "", f".{name}") for name, item in fields})

    def load(self, of: "Decoder", stored: dict[str, Any]) -> Any:
        """The tuple; a field that is new gets its default, one that is gone is dropped."""
        content = self._kind._field_defaults | of.attributes(stored)
        return tuple.__new__(self._kind, [content[name] for name in self._kind._fields])


class ObjectShape:
    """Objects by their attributes, whether these stand in slots or not.

    Args:
        kind: the class.
        tag: its stable name.
        base: the type of Python's own that it extends, or ``object``.
    """

    def __init__(self, kind: Any, tag: str, base: Any) -> None:
        self._kind = kind
        self._tag = tag
        self._base = base
        self._slots = _slots(kind)
        self._fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()

    def dump(self, to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        """Its attributes, and what it is beside them."""
        content = {}
        if self._base is not object:
            content[_VALUE] = to.part(_plain_of(value, self._base), depth + 1, value, "", "")
        for name, item in self._attributes(value).items():
            if name in (_TAG, _VALUE) or to.encode(name, depth) is not name:
                raise Refused(
                    value, f"with an attribute called {name!r}, which cannot be kept", "Give it another name."
                )
            content[name] = to.part(item, depth + 2, value, "", f".{name}")
        return to.tag(self._tag, **content)

    def load(self, of: "Decoder", stored: dict[str, Any]) -> Any:
        """The object. A field of a dataclass that is new gets its default."""
        content = of.attributes(stored)
        made = (
            object.__new__(self._kind) if self._base is object else _made(self._kind, self._base, content.pop(_VALUE))
        )
        for field in self._fields:
            if field.name not in content:
                content |= _default_of(field, self._slots)
        for name in self._slots:
            if name in content:
                object.__setattr__(made, name, content.pop(name))
        # What is left in a class that has but slots was removed from it.
        if self._kind.__dictoffset__:
            object.__getattribute__(made, "__dict__").update(content)
        return made

    def _attributes(self, value: Any) -> dict[str, Any]:
        found = {}
        for name in self._slots:
            # Past any code of the bot's; a slot may be empty.
            with contextlib.suppress(AttributeError):
                found[name] = object.__getattribute__(value, name)
        if self._kind.__dictoffset__:
            found |= object.__getattribute__(value, "__dict__")
        return found


def _default_of(field: "dataclasses.Field[Any]", slots: list[str]) -> dict[str, Any]:
    """What a dataclass gives to a field that is new, unless the class itself answers for it."""
    if field.default_factory is not dataclasses.MISSING:
        return {field.name: field.default_factory()}
    if field.default is not dataclasses.MISSING and field.name in slots:
        return {field.name: field.default}
    return {}


def _plain_of(value: Any, base: Any) -> Any:
    """What an object of a subclass holds, as the type of Python's own that it extends."""
    if base is defaultdict:
        return defaultdict(value.default_factory, dict.items(value))
    if base is deque:
        return deque(deque.__iter__(value), value.maxlen)
    if issubclass(base, dict):
        return base(base.items(value))
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return float.__float__(value)
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    return base(base.__iter__(value))


def _made(kind: Any, base: Any, value: Any) -> Any:
    """An object of a subclass, by the means of the base only."""
    if base in _FIXED:
        return base.__new__(kind, value)
    made = base.__new__(kind)
    if base is defaultdict:
        base.__init__(made, value.default_factory, value)
    elif base is deque:
        base.__init__(made, value, value.maxlen)
    elif base is OrderedDict:
        for key, item in value.items():
            base.__setitem__(made, key, item)
    else:
        base.__init__(made, value)
    return made


def _registered(of: "Decoder", stored: dict[str, Any]) -> Any:
    return of.codec.keeping(stored["name"]).load(of.decode(stored["of"]))


BY_TAG["as"] = _registered


def _member(of: "Decoder", stored: dict[str, Any]) -> Any:
    """A member of an enumeration, by its value: of memory that was brought here, whose writer did not know its name."""
    kind = of.codec.names.named(stored["of"])
    if not isinstance(kind, type) or not issubclass(kind, Enum):
        raise TypeError(f"{stored['of']} is no enumeration")
    # By the table of values, for calling the class would run the bot's code.
    return kind._value2member_map_[of.decode(stored["value"])]


BY_TAG["member"] = _member
