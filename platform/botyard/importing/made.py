"""The harmless values that a pickle may hold, made by our own code from what the pickle says of them."""

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final
from zoneinfo import ZoneInfo

from botyard.importing.foreign import Foreign, Global, as_hashable

_LONGEST_NUMBER: Final = 10_000
_FRACTION: Final = re.compile(r"-?\d{1,4000}(/\d{1,4000})?")
_BUILTINS: Final[dict[str, type]] = {
    kind.__name__: kind
    for kind in (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, set, slice, str, tuple)
}


def make(function: Any, arguments: tuple[Any, ...]) -> Any:
    """What calling this would have given, if it is one of the harmless values; else what stands for it."""
    if not isinstance(function, Global):
        # What is called is itself something that was made: a method, or worse.
        return Foreign(Global("", "call"), (function, *arguments))
    maker = _MAKERS.get((function.module, function.name))
    if maker is not None:
        try:
            return maker(*arguments)
        except Exception:  # noqa: BLE001 - what does not fit is not made, whatever Python says of it
            return Foreign(function, arguments)
    return Foreign(function, arguments)


def _new_object(kind: Any, *arguments: Any) -> Any:
    if isinstance(kind, Global) and kind.module != "copyreg" and (maker := _MAKERS.get((kind.module, kind.name))):
        return maker(*arguments)
    return _object(kind, arguments)


def _object(kind: Any, arguments: tuple[Any, ...] = (), base: Any = None) -> Foreign:
    if not isinstance(kind, Global):
        raise TypeError
    return Foreign(Global("copyreg", "__newobj__"), arguments, kind=kind, base=base)


def _reconstructed(kind: Any, base: Any, content: Any) -> Any:
    """``copyreg._reconstructor``: an object of a class that extends ``base``."""
    extends = _BUILTINS[base.name] if isinstance(base, Global) and base.module == "builtins" else None
    if extends is object:
        return _object(kind)
    if extends is None or type(content) is not extends:
        raise TypeError
    return _object(kind, base=content)


def _member(owner: Any, name: Any) -> Any:
    """``getattr``: how members of enumerations are pickled, and bound methods too."""
    if owner == Global("zoneinfo", "ZoneInfo"):
        return Global("zoneinfo", f"ZoneInfo.{name}")
    if not isinstance(owner, Global) or not isinstance(name, str):
        raise TypeError
    return Foreign(Global("builtins", "getattr"), (name,), kind=owner)


def _text(value: Any, encoding: Any) -> bytes:
    """How bytes are pickled up to protocol 2."""
    if encoding != "latin1" or not isinstance(value, str):
        raise ValueError
    return value.encode("latin1")


def _bytes(kind: Callable[[bytes], Any]) -> Callable[..., Any]:
    def make_bytes(content: Any = b"", encoding: str = "latin-1") -> Any:
        # A number would ask for that much memory.
        return kind(_text(content, encoding.replace("-", "")) if isinstance(content, str) else _only(bytes, content))

    return make_bytes


def _only(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _moment(kind: Any) -> Callable[..., Any]:
    def make_moment(state: Any, *zone: Any) -> Any:
        return kind(state if isinstance(state, bytes) else _text(state, "latin1"), *zone)

    return make_moment


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        raise TypeError
    return Decimal(value)


def _fraction(*given: Any) -> Fraction:
    # A text with an exponent would ask for that many digits.
    if len(given) == 1 and isinstance(given[0], str) and _FRACTION.fullmatch(given[0]):
        return Fraction(given[0])
    numerator, denominator = given
    return Fraction(_only(int, numerator), _only(int, denominator))


def _zone(key: Any, *_: Any) -> ZoneInfo:
    return ZoneInfo(_only(str, key))


def _pairs(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    def make_pairs(pairs: Any = ()) -> Any:
        found = pairs.items() if isinstance(pairs, dict) else pairs
        return kind([(as_hashable(key), value) for key, value in found])

    return make_pairs


def _counter(counts: Any = None) -> Counter[Any]:
    made: Counter[Any] = Counter()
    dict.update(made, _pairs(dict)(counts or {}))
    return made


def _default(factory: Any = None) -> Any:
    if factory is not None and (not isinstance(factory, Global) or factory.module != "builtins"):
        raise TypeError
    return defaultdict(None if factory is None else _BUILTINS[factory.name])


def _deque(elements: Any = (), most: Any = None) -> Any:
    return deque(elements, most)


def _set(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda elements=(): kind([as_hashable(one) for one in elements])


def _path(kind: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *parts: kind(*(_only(str, part) for part in parts))


def _range(kind: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *parts: kind(*(_only(int | None, part) for part in parts))


_MAKERS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("copyreg", "__newobj__"): _new_object,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("builtins", "getattr"): _member,
    ("builtins", "set"): _set(set),
    ("builtins", "frozenset"): _set(frozenset),
    ("builtins", "list"): lambda elements=(): list(_only(list | tuple, elements)),
    ("builtins", "dict"): _pairs(dict),
    ("builtins", "bytearray"): _bytes(bytearray),
    ("builtins", "bytes"): _bytes(bytes),
    ("builtins", "complex"): lambda real, imaginary: complex(_only(float, real), _only(float, imaginary)),
    ("builtins", "range"): _range(range),
    # As protocols up to 2 call it.
    ("builtins", "xrange"): _range(range),
    ("builtins", "slice"): _range(slice),
    ("_codecs", "encode"): _text,
    ("datetime", "datetime"): _moment(datetime),
    ("datetime", "date"): _moment(date),
    ("datetime", "time"): _moment(time),
    ("datetime", "timedelta"): lambda *parts: timedelta(*(_only(int, part) for part in parts)),
    ("datetime", "timezone"): timezone,
    ("zoneinfo", "ZoneInfo._unpickle"): _zone,
    # As python-telegram-bot 13 had them.
    ("pytz", "_UTC"): lambda: UTC,
    ("pytz", "_p"): _zone,
    ("decimal", "Decimal"): _decimal,
    ("fractions", "Fraction"): _fraction,
    ("collections", "OrderedDict"): _pairs(OrderedDict),
    ("collections", "defaultdict"): _default,
    ("collections", "Counter"): _counter,
    ("collections", "deque"): _deque,
    **{
        (module, name): _path(kind)
        for module in ("pathlib", "pathlib._local")
        for name, kind in (
            ("PosixPath", Path), ("WindowsPath", Path), ("PurePosixPath", PurePosixPath),
            ("PureWindowsPath", PureWindowsPath),
        )
    },
}  # fmt: skip
