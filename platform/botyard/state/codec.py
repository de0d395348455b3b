"""What a bot remembers as typed JSON and back. Nothing is ever unpickled; see docs/state.md.

Plain values stand as they are. Everything else is an object with the key ``!``, which names what it was::

    {"!": "datetime", "of": "2026-01-01T12:00:00+00:00"}
    {"!": "shop:Basket", "items": ["tea"]}

What holds such a tag is marked by ``FORMAT``; unmarked rows are plain, and are read as they stand.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import ModuleType
from typing import Any, Final

from botyard.state.classes import Names, Unreadable, stored_of
from botyard.state.memory import Memory
from botyard.state.objects import Shape, shape_of, writer_of
from botyard.state.refusal import NotKept, Refused, TooDeep, as_key
from botyard.state.registry import Keeping, of_name
from botyard.state.values import BY_TAG, BY_TYPE, Write

TAG: Final = "!"
FORMAT: Final = "format"
_SENT: Final = "sent"
# Of JSON: what writes it stops at 254 levels, and some stand around the memory. An object counts as two, for the stack.
_DEEPEST: Final = 240
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ROUND: Final = 1e16
"""From here on a float may come back from the database as a whole number."""


def _storable(text: str) -> bool:
    return ("\0" not in text) if text.isascii() else _UNSTORABLE.search(text) is None


class Codec:
    """Writes and reads what one application remembers.

    Args:
        modules: the bot's own modules, by the names under which they are known for good.
        bot: what objects of python-telegram-bot find by ``get_bot()``.
        own: how objects of the platform are kept, beside what the bot has registered.
    """

    def __init__(
        self, modules: Mapping[str, ModuleType] | None = None, bot: Any = None, own: Iterable[Keeping] = ()
    ) -> None:
        self.names: Names = Names(modules or {})
        self.bot: Any = bot
        self._own = {keeping.name: keeping for keeping in own}
        self._writers: dict[type, Write] = {}
        self._shapes: dict[str, Shape] = {}

    def dump(self, memory: Memory, name: str, provisional: Collection[int] = ()) -> dict[str, Any]:
        """What is to be stored; empty for an empty memory.

        It shares its plain parts with the memory: write it down before the bot's code runs again.

        Args:
            memory: what a run left.
            name: what paths begin with, as in ``user_data``.
            provisional: numbers that stand for messages which have no id yet, wherever they are found.

        Raises:
            NotKept: something in it cannot be kept.
        """
        data = memory.data
        # An empty object of a class of the bot's own may still differ from a new one.
        has_data = type(data) is not dict or bool(data)
        if not has_data and not memory.talks:
            return {}  # three times for nearly every update
        encoder = Encoder(self, provisional)
        stored: dict[str, Any] = {}
        if has_data:
            stored["data"] = encoder.whole(data, name)
        talks = {handler: encoder.states(handler, states) for handler, states in memory.talks.items() if states}
        if talks:
            stored["talks"] = talks
        if encoder.tagged:
            stored[FORMAT] = 1
        return stored

    def load(
        self, stored: Mapping[str, Any], real: Mapping[int, int] | None = None, empty: Callable[[], Any] = dict
    ) -> Memory:
        """The memory that ``dump`` stored; it may share its plain parts with what is given.

        Args:
            stored: what the database holds.
            real: the ids of messages that were provisional when it was stored; others stay as they are.
            empty: makes the data of a memory that has none.
        """
        read = Decoder(self, real or {}).decode if FORMAT in stored else _as_it_is
        talks = {
            handler: {tuple(map(read, key)): read(state) for key, state in states}
            for handler, states in stored.get("talks", {}).items()
        }
        return Memory(data=read(stored["data"]) if "data" in stored else empty(), talks=talks)

    def writer(self, kind: type) -> Write:
        """What writes the objects of a class.

        Raises:
            Refused: they cannot be kept.
        """
        write = BY_TYPE.get(kind) or self._writers.get(kind)
        if write is None:
            write = self._writers[kind] = writer_of(kind, self.names, self._own.values())
        return write

    def shape(self, name: str) -> Shape:
        """How objects are kept under the name of their class, even if the class is registered by now.

        Raises:
            LookupError: there is no such class.
            Refused: its objects cannot be kept.
        """
        shape = self._shapes.get(name)
        if shape is None:
            kind = self.names.named(name)
            if not isinstance(kind, type):
                raise LookupError(f"{name} is not a class any more")
            shape = self._shapes[name] = shape_of(kind, self.names)
        return shape

    def keeping(self, name: str) -> Keeping:
        """What was registered under a name.

        Raises:
            LookupError: nothing was.
        """
        keeping = self._own.get(name) or of_name(name, self.names.own)
        if keeping is None:
            raise LookupError(f"nothing is registered as {name!r}, or more than one class is")
        return keeping


class Encoder:
    """One writing of a memory.

    Args:
        codec: knows the bot's classes.
        provisional: see `Codec.dump`.
    """

    def __init__(self, codec: Codec, provisional: Collection[int]) -> None:
        self.codec: Codec = codec
        self.tagged = False
        self._provisional = provisional

    def whole(self, value: Any, name: str) -> Any:
        """A value whose path is a name.

        Raises:
            NotKept: something in it cannot be kept.
        """
        try:
            return self.encode(value, 1)
        except Refused as refusal:
            raise refusal.named(name) from None
        except RecursionError:
            raise NotKept(name, type(value).__name__, "nested too deep to be kept", "Keep a list instead.") from None

    def states(self, handler: str, states: Mapping[tuple[Any, ...], Any]) -> list[list[Any]]:
        """The states of one conversation handler, each with its key."""
        where = f"state of {handler}"
        return [
            [[self.whole(part, f"the key of the {where}") for part in key], self.whole(state, where)]
            for key, state in states.items()
        ]

    def tag(self, name: str, /, **content: Any) -> dict[str, Any]:
        """A value that is not plain."""
        self.tagged = True
        return {TAG: name, **content}

    def encode(self, value: Any, depth: int) -> Any:
        """A value as JSON: the value itself, and nothing new, if it is plain.

        Raises:
            Refused: something in it cannot be kept.
        """
        kind = type(value)
        if kind is str:
            return value if _storable(value) else self.tag("str", of=value.encode("unicode_escape").decode())
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._int(value)
        if kind is float:
            plain = -_ROUND < value < _ROUND and (value or str(value) == "0.0")
            return value if plain else self.tag("float", of=repr(value))
        if depth > _DEEPEST:
            raise TooDeep(value, _DEEPEST)
        if kind is dict:
            return self._dict(value, depth)
        if kind is list:
            return self._list(value, depth)
        return self._other(value, kind, depth)

    def part(self, value: Any, depth: int, container: Any, before: str, after: str) -> Any:
        """What stands in a container, refused with its place; see `Refused.inside`."""
        try:
            return self.encode(value, depth)
        except Refused as refusal:
            refusal.inside(container, before, after)
            raise

    def items(self, value: Any, depth: int, items: Iterable[tuple[Any, Any]]) -> list[list[Any]]:
        """Keys and values in their order, whatever the keys are."""
        kept = []
        key: Any = None
        in_key = False
        try:
            for key, item in items:
                in_key = True
                kept_key = self.encode(key, depth + 3)
                in_key = False
                kept.append([kept_key, self.encode(item, depth + 3)])
        except Refused as refusal:
            before, after = (f"the key {as_key(key)} of ", "") if in_key else ("", f"[{as_key(key)}]")
            refusal.inside(value, before, after)
            raise
        return kept

    def _int(self, value: int) -> Any:
        if value < 0 and value in self._provisional:
            return self.tag(_SENT, of=value)
        return value if -(2**63) <= value < 2**64 else self.tag("int", of=str(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        changed = None
        key: Any = None
        try:
            for key, item in value.items():
                if type(key) is not str or key == TAG or not _storable(key):
                    break
                kept = self.encode(item, depth + 1)
                if kept is not item:
                    if changed is None:
                        changed = dict(value)
                    changed[key] = kept
            else:
                return value if changed is None else changed
        except Refused as refusal:
            refusal.inside(value, "", f"[{as_key(key)}]")
            raise
        return self.tag("dict", of=self.items(value, depth, value.items()))

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        changed = None
        index = 0
        try:
            for index, item in enumerate(value):
                kept = self.encode(item, depth + 1)
                if kept is not item:
                    if changed is None:
                        changed = list(value)
                    changed[index] = kept
        except Refused as refusal:
            refusal.inside(value, "", f"[{index}]")
            raise
        return value if changed is None else changed

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        if kind is Unreadable:
            self.tagged = True
            return stored_of(value)
        try:
            write = self.codec.writer(kind)
        except Refused as refusal:
            # It was said of the class; what stands in the way is this object.
            refusal.value = value
            raise
        return write(self, value, depth)


class Decoder:
    """One reading of a memory.

    Args:
        codec: knows the bot's classes.
        real: see `Codec.load`.
    """

    def __init__(self, codec: Codec, real: Mapping[int, int]) -> None:
        self.codec: Codec = codec
        self._real = real

    def decode(self, stored: Any) -> Any:
        """What was stored; the same object if it is plain."""
        kind = type(stored)
        if kind is dict:
            return self._tagged(stored) if TAG in stored else self.fields(stored)
        return self._read(stored, enumerate(stored)) if kind is list else stored

    def fields(self, stored: dict[str, Any]) -> dict[str, Any]:
        """An object of JSON with each of its values read."""
        read: dict[str, Any] = self._read(stored, stored.items())
        return read

    def _read(self, stored: Any, items: Iterable[tuple[Any, Any]]) -> Any:
        """A copy in which what is to be read was read; the same object if there is nothing."""
        changed = None
        for place, item in items:
            value = self.decode(item)
            if value is not item:
                if changed is None:
                    changed = stored.copy()
                changed[place] = value
        return stored if changed is None else changed

    def attributes(self, stored: dict[str, Any]) -> dict[str, Any]:
        """What a tagged object holds beside its tag."""
        return {name: self.decode(item) for name, item in stored.items() if name != TAG}

    def _tagged(self, stored: dict[str, Any]) -> Any:
        tag = stored[TAG]
        try:
            if tag == _SENT:
                return self._real.get(stored["of"], stored["of"])
            if ":" not in tag:
                return BY_TAG[tag](self, stored)
            return self.codec.shape(tag).load(self, stored)
        except Exception as error:  # noqa: BLE001 - see below
            # A class of the bot that has changed may raise anything, and its data must not be lost for that.
            return Unreadable(stored, _reason(tag, error))


def provisional_ids_in(stored: Mapping[str, Any]) -> set[int]:
    """The numbers in a stored memory that stand for messages which had no id when it was stored."""
    found: set[int] = set()
    waiting: list[Any] = [stored] if FORMAT in stored else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get(TAG) == _SENT:
                found.add(value["of"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _as_it_is(stored: Any) -> Any:
    return stored


def _reason(tag: Any, error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"what {tag} needs is missing: {error}"
    return f"making it raised {type(error).__name__}: {error}"
