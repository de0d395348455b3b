"""A callback by a name under which every process finds it again."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from botyard.errors import InputError

Callback = Callable[[Any], Any]


def name_of(callback: Callback, modules: Mapping[str, ModuleType]) -> str:
    """The callback as ``module:qualname``.

    Args:
        callback: a function.
        modules: modules that are not imported by their own name, by the name that stays.

    Raises:
        InputError: nobody else could find it: it is a lambda, stands in a function, or is bound to an object.
    """
    own, qualname = getattr(callback, "__module__", None), getattr(callback, "__qualname__", None)
    if isinstance(own, str) and isinstance(qualname, str):
        stable = next((name for name, module in modules.items() if module.__name__ == own), own)
        name = f"{stable}:{qualname}"
        if _found(name, modules) == callback:
            return name
    said = qualname or type(callback).__qualname__
    raise InputError(
        "callback",
        f"{said} of {own} cannot be kept: other processes would not find it.",
        "Define it with def at the top level of its module, and hand over what it needs with data=.",
    )


def find(name: str, modules: Mapping[str, ModuleType]) -> Callback:
    """The callback of this name.

    Raises:
        InputError: it is not there any more.
    """
    found = _found(name, modules)
    if not callable(found):
        raise InputError("callback", f"there is no {name} any more.", "Define it again, or remove the job.")
    return found  # type: ignore[no-any-return]


def _found(name: str, modules: Mapping[str, ModuleType]) -> Any:
    module_name, _, qualname = name.partition(":")
    try:
        found: Any = modules[module_name] if module_name in modules else import_module(module_name)
    except ImportError:
        return None
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
