"""Holds what the simulator hands out against the description of the Bot API: every field known, typed and present."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botyard.simulator import schema

SCALARS: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "Float": (int, float),
    "String": str,
    "Boolean": bool,
    "True": bool,
}
OTHER_MEMBERS = {"MaybeInaccessibleMessage": ("Message", "InaccessibleMessage")}


def assert_shape(value: object, words: str) -> None:
    """Fail when a value does not have exactly the shape of a type.

    Args:
        value: as the simulator returned it, or from a finished update.
        words: the type in the words of the description: ``Message``, ``Array of User``, ``Message or True``.
    """
    faults = shape_faults(value, words)
    assert not faults, "; ".join(faults)


def shape_faults(value: object, words: str, where: str = "") -> list[str]:
    """Return what is wrong with a value, one sentence each; an empty list when it fits."""
    where = where or words
    if " or " in words:
        return _one_of(value, tuple(words.split(" or ")), where)
    if words.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        inner = words.removeprefix("Array of ")
        return [fault for at, item in enumerate(value) for fault in shape_faults(item, inner, f"{where}[{at}]")]
    if words in SCALARS:
        return _scalar(value, words, where)
    members = _members(words)
    return _one_of(value, _named(value, members), where) if members else _object(value, words, where)


def _scalar(value: object, words: str, where: str) -> list[str]:
    fits = isinstance(value, SCALARS[words]) and isinstance(value, bool) == (words in {"Boolean", "True"})
    if words == "True":
        fits = value is True
    return [] if fits else [f"{where} is {value!r}, not {words}"]


def _object(value: object, words: str, where: str) -> list[str]:
    known = schema.types()[words]
    if not isinstance(value, Mapping):
        return [f"{where} is {value!r}, not an object"]
    faults = [f"{where}.{name} is missing" for name, entry in known.items() if len(entry) > 1 and name not in value]
    for name, inner in value.items():
        if name not in known:
            faults.append(f"{where}.{name} is unknown to {words}")
        else:
            faults += shape_faults(inner, known[name][0], f"{where}.{name}")
    return faults


def _one_of(value: object, candidates: tuple[str, ...], where: str) -> list[str]:
    found = [shape_faults(value, candidate, where) for candidate in candidates]
    return min(found, key=len)


def _named(value: object, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return the only member of a union that the value's own ``type`` allows, or all."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    ending = "".join(part.capitalize() for part in str(kind).split("_"))
    return (
        tuple(name for name in members if kind and name.endswith(f"Type{ending}" if "Type" in name else ending))
        or members
    )


@cache
def _members(words: str) -> tuple[str, ...]:
    """Return the types that a union stands for. The description lists unions as types without fields."""
    known: dict[str, Any] = schema.types()
    if known[words]:
        return ()
    return OTHER_MEMBERS.get(words) or tuple(name for name in known if name != words and name.startswith(words))
