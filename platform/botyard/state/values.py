"""How values of Python's own types are kept: what each becomes, and how it is made again."""

import re
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from io import BytesIO
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import FunctionType, MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from botyard.state.refusal import Refused

if TYPE_CHECKING:
    from botyard.state.codec import Decoder, Encoder

Write = Callable[["Encoder", Any, int], dict[str, Any]]
Read = Callable[["Decoder", dict[str, Any]], Any]

BY_TYPE: Final[dict[type, Write]] = {}
BY_TAG: Final[dict[str, Read]] = {}


def _kept(tag: str, kinds: Iterable[type], write: Write, read: Read) -> None:
    BY_TYPE.update(dict.fromkeys(kinds, write))
    BY_TAG[tag] = read


def _as_text(tag: str, kinds: Iterable[type], write: Callable[[Any], str], read: Callable[[str], Any]) -> None:
    _kept(tag, kinds, lambda to, value, _: to.tag(tag, of=write(value)), lambda _, stored: read(stored["of"]))


def _elements(to: "Encoder", value: Any, depth: int) -> list[Any]:
    # No comprehension: deep values stand on a stack that has an end, and it would be one frame more for each level.
    elements = []
    for index, item in enumerate(value):
        elements.append(to.part(item, depth + 2, value, "", f"[{index}]"))
    return elements


def _list(of: "Decoder", stored: dict[str, Any]) -> list[Any]:
    return [of.decode(item) for item in stored["of"]]


def _items(of: "Decoder", stored: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(of.decode(key), of.decode(item)) for key, item in stored["of"]]


def _write_set(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    elements = []
    for item in value:
        elements.append(to.part(item, depth + 2, value, "an element of ", ""))  # noqa: PERF401 - as above
    # A set has no order of its own: without one, the same set would be stored anew by each process.
    elements.sort(key=lambda element: orjson.dumps(element, option=orjson.OPT_SORT_KEYS))
    return to.tag(type(value).__name__, of=elements)


def _write_deque(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    bound = {} if value.maxlen is None else {"maxlen": value.maxlen}
    return to.tag("deque", of=_elements(to, value, depth), **bound)


def _write_items(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    return to.tag(type(value).__name__, of=to.items(value, depth, value.items()))


def _write_defaultdict(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    factory = to.part(value.default_factory, depth + 1, value, "", ".default_factory")
    return to.tag("defaultdict", of=to.items(value, depth, value.items()), factory=factory)


def _read_counter(of: "Decoder", stored: dict[str, Any]) -> Any:
    counter: Counter[Any] = Counter()
    dict.update(counter, _items(of, stored))
    return counter


def _says_its_zone(value: Any) -> bool:
    """Whether the zone can be read from the moment's text: a plain offset, of whole minutes."""
    zone = value.tzinfo
    if type(zone) is not timezone:
        return zone is None
    # Of a smaller one Python reads back something else.
    arguments = zone.__getinitargs__()  # type: ignore[attr-defined]
    return len(arguments) == 1 and not arguments[0] % timedelta(minutes=1)


def _write_moment(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    more: dict[str, Any] = {"fold": 1} if value.fold else {}
    if not _says_its_zone(value):
        more["zone"] = to.part(value.tzinfo, depth + 1, value, "", ".tzinfo")
        value = value.replace(tzinfo=None)
    return to.tag(type(value).__name__, of=value.isoformat(), **more)


def _moment(kind: Any) -> Read:
    def read(of: "Decoder", stored: dict[str, Any]) -> Any:
        moment = kind.fromisoformat(stored["of"])
        more = {"fold": stored.get("fold", 0)}
        if "zone" in stored:
            more["tzinfo"] = of.decode(stored["zone"])
        return moment.replace(**more)

    return read


def _write_zoneinfo(to: "Encoder", value: Any, _: int) -> dict[str, Any]:
    if value.key is None:
        raise Refused(value, "which has no name", "Make it by its name: ZoneInfo('Europe/Berlin').")
    return to.tag("ZoneInfo", of=value.key)


def _write_timezone(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    return to.tag("timezone", of=[to.encode(part, depth + 2) for part in value.__getinitargs__()])


def _write_range(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    parts = (value.start, value.stop, value.step)
    return to.tag(type(value).__name__, of=_elements(to, parts, depth))


def _write_pattern(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    return to.tag("pattern", of=to.encode(value.pattern, depth + 1), flags=value.flags)


def _write_namespace(to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
    content = [
        [to.encode(name, depth + 3), to.part(item, depth + 3, value, "", f".{name}")]
        for name, item in vars(value).items()
    ]
    return to.tag("namespace", of=content)


def dump_name(to: "Encoder", value: Any, _: int) -> dict[str, Any]:
    """A class or a function, by its name.

    Raises:
        Refused: it is not found under that name.
    """
    return to.tag("named", of=to.codec.names.name_of(value))


def _base64(value: bytes | bytearray) -> str:
    return b64encode(value).decode()


def _write_bytes_io(to: "Encoder", value: Any, _: int) -> dict[str, Any]:
    if value.closed:
        raise Refused(value, "closed, so that nothing of it can be kept", "Keep its bytes, or do not close it.")
    return to.tag("BytesIO", of=_base64(value.getvalue()), at=value.tell())


def _read_bytes_io(_: "Decoder", stored: dict[str, Any]) -> BytesIO:
    made = BytesIO(b64decode(stored["of"]))
    made.seek(stored["at"])
    return made


_as_text("str", [], str, lambda text: text.encode("ascii").decode("unicode_escape"))
_as_text("int", [], str, int)
_as_text("float", [], repr, float)
_as_text("bytes", [bytes], _base64, b64decode)
_as_text("bytearray", [bytearray], _base64, lambda text: bytearray(b64decode(text)))
_kept("BytesIO", [BytesIO], _write_bytes_io, _read_bytes_io)
_as_text("date", [date], date.isoformat, date.fromisoformat)
_as_text("Decimal", [Decimal], str, Decimal)
_as_text("Fraction", [Fraction], str, Fraction)
_as_text("UUID", [UUID], str, UUID)
_as_text("Path", [PosixPath, WindowsPath], str, Path)
_as_text("PurePosixPath", [PurePosixPath], str, PurePosixPath)
_as_text("PureWindowsPath", [PureWindowsPath], str, PureWindowsPath)
_as_text("Ellipsis", [type(...)], lambda _: "", lambda _: ...)
_kept("named", [FunctionType, type], dump_name, lambda of, stored: of.codec.names.named(stored["of"]))
_kept("tuple", [tuple], lambda to, value, depth: to.tag("tuple", of=_elements(to, value, depth)),
      lambda of, stored: tuple(_list(of, stored)))  # fmt: skip
_kept("set", [set], _write_set, lambda of, stored: set(_list(of, stored)))
_kept("frozenset", [frozenset], _write_set, lambda of, stored: frozenset(_list(of, stored)))
_kept("deque", [deque], _write_deque, lambda of, stored: deque(_list(of, stored), stored.get("maxlen")))
_kept("dict", [], _write_items, lambda of, stored: dict(_items(of, stored)))
_kept("OrderedDict", [OrderedDict], _write_items, lambda of, stored: OrderedDict(_items(of, stored)))
_kept("Counter", [Counter], _write_items, _read_counter)
_kept("defaultdict", [defaultdict], _write_defaultdict,
      lambda of, stored: defaultdict(of.decode(stored["factory"]), _items(of, stored)))  # fmt: skip
_kept("datetime", [datetime], _write_moment, _moment(datetime))
_kept("time", [time], _write_moment, _moment(time))
_kept("timedelta", [timedelta], lambda to, value, _: to.tag("timedelta", of=[value.days, value.seconds,
      value.microseconds]), lambda _, stored: timedelta(*stored["of"]))  # fmt: skip
_kept("timezone", [timezone], _write_timezone, lambda of, stored: timezone(*_list(of, stored)))
_kept("ZoneInfo", [ZoneInfo], _write_zoneinfo, lambda _, stored: ZoneInfo(stored["of"]))
_kept("complex", [complex], lambda to, value, depth: to.tag("complex", of=_elements(to, (value.real, value.imag),
      depth)), lambda of, stored: complex(*_list(of, stored)))  # fmt: skip
_kept("range", [range], _write_range, lambda of, stored: range(*_list(of, stored)))
_kept("slice", [slice], _write_range, lambda of, stored: slice(*_list(of, stored)))
_kept("pattern", [re.Pattern], _write_pattern,
      lambda of, stored: re.compile(of.decode(stored["of"]), stored["flags"]))  # fmt: skip
_kept("namespace", [SimpleNamespace], _write_namespace,
      lambda of, stored: SimpleNamespace(**dict(_items(of, stored))))  # fmt: skip
_kept("mappingproxy", [MappingProxyType],
      lambda to, value, depth: to.tag("mappingproxy", of=to.encode(dict(value), depth + 1)),
      lambda of, stored: MappingProxyType(of.decode(stored["of"])))  # fmt: skip
