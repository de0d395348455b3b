"""How bots say in which form objects of a class are kept. It loads nothing else, for bots import it."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How objects of one class are kept.

    Args:
        name: the stable name that stands in the database.
        kept: the class.
        dump: makes of an object what is kept of it.
        load: makes the object again.
    """

    name: str
    kept: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


_by_module: Final[dict[str, dict[str, Keeping]]] = {}


def keep_as(name: str, kept: type[T], *, dump: Callable[[T], Any], load: Callable[[Any], T]) -> None:
    """Say how objects of a class are kept in ``user_data``, ``chat_data``, ``bot_data`` and as states.

    Call it at the top of the module that defines or imports the class::

        keep_as("counter", Counter, dump=lambda counter: counter.value, load=Counter)

    Args:
        name: what stands in the database; it must stay when the class is renamed or moved.
        kept: the class. Its subclasses have to be registered for themselves.
        dump: gives what is kept of an object: anything that can be kept itself.
        load: gives the object again.
    """
    module = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - who calls decides whose registration it is
    _by_module.setdefault(module, {})[name] = Keeping(name, kept, dump, load)


def of_class(kept: type, own: Collection[str]) -> Keeping | None:
    """What was registered for a class, by one of the bot's own modules or else by just one other module.

    Args:
        kept: the class.
        own: the names of the bot's own modules.
    """
    return _chosen(
        {module: one for module, all_ in _by_module.items() for one in all_.values() if one.kept is kept}, own
    )


def of_name(name: str, own: Collection[str]) -> Keeping | None:
    """What was registered under a name; see `of_class`."""
    return _chosen({module: all_[name] for module, all_ in _by_module.items() if name in all_}, own)


def _chosen(found: dict[str, Keeping], own: Collection[str]) -> Keeping | None:
    # Bots share a process: what another bot's script registered under the same name is not meant.
    mine = [keeping for module, keeping in found.items() if module in own]
    if mine:
        return mine[-1]
    return next(iter(found.values())) if len(found) == 1 else None
