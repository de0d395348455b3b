"""Pickles, read without executing anything: the opcodes are followed by hand, and nothing they name is looked up.

What a pickle asks to be called is not called. A fixed list of harmless values (`botyard.importing.made`) is made by our
own code; anything else becomes a `Foreign`, which says what it was and runs nothing.
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from botyard.errors import InputError
from botyard.importing.foreign import Foreign, Global, UnfitPickle, as_hashable
from botyard.importing.made import make

_BROKEN: Final = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, MemoryError, RecursionError,
    struct.error, UnfitPickle,
)  # fmt: skip
_MARK: Final = object()
# What Python 2 called these, and pickles up to protocol 2 still do.
_RENAMED: Final = {"__builtin__": "builtins", "copy_reg": "copyreg", "UserDict": "collections"}
_REMEDY: Final = "Give the file that PicklePersistence wrote, as it is."


@dataclass(frozen=True, slots=True)
class Persistent:
    """An object that a pickle only points at.

    Args:
        pid: by this.
    """

    pid: Any


@dataclass(slots=True)
class _Machine:
    """The stack and the memo of one pickle."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, which goes too."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            if place == 0:
                raise UnfitPickle
            place -= 1
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise UnfitPickle
        return value

    def pop_to(self, call: Callable[..., Any], count: int) -> None:
        """Put in the place of the last values what a function makes of them."""
        values = [self.pop() for _ in range(count)]
        self.stack.append(call(*reversed(values)))


def read_pickle(content: bytes, field_name: str = "file") -> Any:
    """What a pickle holds: Python's own values, `Foreign` for objects of classes, `Persistent` for what it points at.

    Args:
        content: the whole file.
        field_name: how errors name it.

    Raises:
        InputError: it is no pickle, or not whole, or asks for what no pickle of a bot needs.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(BytesIO(content)):
            step = _STEPS[opcode.name]
            step(machine, argument)
    except _BROKEN as error:
        problem = f"cannot be read as a pickle ({type(error).__name__})."
        raise InputError(field_name, problem, _REMEDY) from None
    if len(machine.stack) != 1 or machine.stack[0] is _MARK:
        raise InputError(field_name, "cannot be read as a pickle: its end is missing.", _REMEDY)
    return machine.stack[0]


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _pushing(make_value: Callable[[], Any]) -> "_Step":
    return lambda machine, _: machine.stack.append(make_value())


def _collecting(make_value: Callable[[list[Any]], Any]) -> "_Step":
    return lambda machine, _: machine.stack.append(make_value(machine.since_mark()))


def _last(call: Callable[..., Any], count: int) -> "_Step":
    return lambda machine, _: machine.pop_to(call, count)


def _dict_of(values: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _set_items(made, values)
    return made


def _set_items(target: Any, values: list[Any]) -> None:
    if len(values) % 2:
        raise UnfitPickle
    pairs = zip(values[::2], values[1::2], strict=True)
    if isinstance(target, Foreign):
        target.items.extend(pairs)
        return
    if not isinstance(target, dict):
        raise UnfitPickle
    for key, value in pairs:
        target[as_hashable(key)] = value


def _extend(target: Any, values: list[Any]) -> None:
    if isinstance(target, Foreign):
        target.elements.extend(values)
    else:
        # Lists and deques; anything else has no such method, and is no pickle of ours.
        target.extend(values)


def _add_items(target: Any, values: list[Any]) -> None:
    if not isinstance(target, set):
        raise UnfitPickle
    target.update(as_hashable(value) for value in values)


def _build(target: Any, state: Any) -> Any:
    """Give an object its attributes; Python's own values take none."""
    if isinstance(target, Foreign):
        target.states.append(state)
        return target
    return Foreign(Global(type(target).__module__, type(target).__qualname__), (target,), [state], base=target)


def _memoize(machine: _Machine, _: Any) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _put(machine: _Machine, argument: int) -> None:
    machine.memo[argument] = machine.stack[-1]


def _get(machine: _Machine, argument: int) -> None:
    machine.stack.append(machine.memo[argument])


def _global(machine: _Machine, argument: str) -> None:
    machine.stack.append(_named(*argument.split(" ", 1)))


def _named(module: Any, name: Any) -> Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise UnfitPickle
    return Global(_RENAMED.get(module, module), name)


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(arguments, tuple):
        raise UnfitPickle
    return make(function, arguments)


def _new_object(kind: Any, arguments: Any) -> Any:
    return _call(Global("copyreg", "__newobj__"), (kind, *arguments))


def _new_object_by_names(*given: Any) -> Any:
    return make(Global("copyreg", "__newobj_ex__"), given)


def _instance(machine: _Machine, argument: str) -> None:
    arguments = tuple(machine.since_mark())
    machine.stack.append(make(_named(*argument.split(" ", 1)), arguments))


def _old_object(machine: _Machine, _: Any) -> None:
    kind, *arguments = machine.since_mark()
    machine.stack.append(make(kind, tuple(arguments)))


def _into_last(change: Callable[[Any, list[Any]], None]) -> "_Step":
    def step(machine: _Machine, _: Any) -> None:
        values = machine.since_mark()
        change(machine.stack[-1], values)

    return step


def _one_into_last(change: Callable[[Any, list[Any]], None], count: int) -> "_Step":
    def step(machine: _Machine, _: Any) -> None:
        values = [machine.pop() for _ in range(count)][::-1]
        change(machine.stack[-1], values)

    return step


def _nothing(_machine: _Machine, _argument: Any) -> None:
    pass


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _duplicate(machine: _Machine, _: Any) -> None:
    machine.stack.append(machine.stack[-1])


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


_Step = Callable[[_Machine, Any], None]
_STEPS: Final[dict[str, _Step]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(
        (
            "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
            "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
            "BINUNICODE8", "FLOAT", "BINFLOAT",
        ),
        _push,
    ),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "MEMOIZE": _memoize, "POP": _pop, "DUP": _duplicate, "POP_MARK": _pop_mark,
    "MARK": _pushing(lambda: _MARK), "NONE": _pushing(lambda: None),
    "NEWTRUE": _pushing(lambda: True), "NEWFALSE": _pushing(lambda: False),
    "EMPTY_LIST": _pushing(list), "EMPTY_DICT": _pushing(dict), "EMPTY_SET": _pushing(set),
    "EMPTY_TUPLE": _pushing(tuple),
    "LIST": _collecting(list), "TUPLE": _collecting(tuple), "DICT": _collecting(_dict_of),
    "FROZENSET": _collecting(lambda values: frozenset(map(as_hashable, values))),
    "TUPLE1": _last(lambda *values: values, 1), "TUPLE2": _last(lambda *values: values, 2),
    "TUPLE3": _last(lambda *values: values, 3),
    "APPEND": _one_into_last(_extend, 1), "APPENDS": _into_last(_extend),
    "SETITEM": _one_into_last(_set_items, 2), "SETITEMS": _into_last(_set_items), "ADDITEMS": _into_last(_add_items),
    "GLOBAL": _global, "STACK_GLOBAL": _last(_named, 2), "REDUCE": _last(_call, 2), "NEWOBJ": _last(_new_object, 2),
    "NEWOBJ_EX": _last(_new_object_by_names, 3),
    "BUILD": _last(_build, 2), "INST": _instance, "OBJ": _old_object,
    "PERSID": lambda machine, argument: machine.stack.append(Persistent(argument)),
    "BINPERSID": _last(Persistent, 1),
}  # fmt: skip
"""Without ``EXT1`` to ``EXT4``, ``NEXT_BUFFER`` and ``READONLY_BUFFER``: these need what stands outside the file."""
