"""Classes and functions by name, and what stands for a value whose class is gone. Nothing is ever imported here."""

import sys
from collections.abc import Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NoReturn

from botyard.state.refusal import REMEDY, Refused

_TOP: Final = "Define it at the top of a module, with a name of its own."


class Names:
    """Stable names of classes and functions, as in ``shop.cart:Basket``.

    Args:
        modules: the bot's own modules by the names under which they are known for good; their ``__name__`` may change.
    """

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._modules = dict(modules)
        self._stable = {module.__name__: name for name, module in modules.items()}

    @property
    def own(self) -> frozenset[str]:
        """What the bot's own modules are called at present."""
        return frozenset(self._stable)

    def name_of(self, thing: type | FunctionType) -> str:
        """The name under which it is found again.

        Raises:
            Refused: it is not found under its name, as what was defined inside a function.
        """
        name = f"{self._stable.get(thing.__module__, thing.__module__)}:{thing.__qualname__}"
        if self.find(name) is not thing:
            whose = "whose class" if isinstance(thing, type) else "which"
            raise Refused(thing, f"{whose} cannot be found again under its name {name}", _TOP)
        return name

    def find(self, name: str) -> Any:
        """What stands under a name in a module that is loaded already; ``None`` if there is nothing."""
        module, _, path = name.rpartition(":")
        found: Any = self._modules.get(module) or sys.modules.get(module)
        for part in path.split("."):
            # No getattr: a module may answer it by importing another one.
            found = getattr(found, "__dict__", {}).get(part)
        return found

    def named(self, name: str) -> Any:
        """A class or a function that was kept by its name.

        Raises:
            LookupError: there is none.
        """
        found = self.find(name)
        if isinstance(found, type | FunctionType):
            return found
        raise LookupError(f"there is no class or function {name} in the modules that are loaded")


def remedy_for(kind: type) -> str:
    """What to do about objects of a class that cannot be kept."""
    if issubclass(kind, MethodType):
        return "Keep the object, and call its method when it is needed; or keep a function of a module."
    return REMEDY


class Unreadable:
    """Stands for a value that was kept and cannot be made again, so that it is not lost.

    It is written back exactly as it was stored. Whoever uses it is told what happened.

    Args:
        stored: what the database holds.
        reason: why it could not be made.
    """

    __slots__ = ("__reason", "__stored")

    def __init__(self, stored: dict[str, Any], reason: str) -> None:
        object.__setattr__(self, "_Unreadable__stored", stored)
        object.__setattr__(self, "_Unreadable__reason", reason)

    def __repr__(self) -> str:
        return f"<kept as {self.__stored.get('!')}: {self.__reason}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unreadable) and stored_of(other) == self.__stored

    def __hash__(self) -> int:
        return hash(repr(self))

    def _tell(self) -> str:
        return (
            f"this value was kept as {self.__stored.get('!')}, and {self.__reason}. It stays as it is in the database. "
            "Bring the class back under that name, or put another value in its place; see docs/state.md."
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: {self._tell()}")

    def __setattr__(self, name: str, _: Any) -> NoReturn:
        raise AttributeError(f"{name}: {self._tell()}")

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(self._tell())

    def __bool__(self) -> bool:
        return True

    def __copy__(self) -> "Unreadable":
        return self

    def __deepcopy__(self, _: Any) -> "Unreadable":
        return self

    __call__ = __contains__ = __delitem__ = __getitem__ = __iter__ = __len__ = __setitem__ = _refuse


def stored_of(value: Unreadable) -> dict[str, Any]:
    """What the database holds for it."""
    stored: dict[str, Any] = object.__getattribute__(value, "_Unreadable__stored")
    return stored
