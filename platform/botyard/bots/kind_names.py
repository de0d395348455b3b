"""Names of kinds, where no code of bots is loaded."""

import re
from importlib.metadata import entry_points
from typing import Final

from botyard.errors import InputError

_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def check_kind(kind: str, field: str = "kind") -> None:
    """Whether it is the name of a kind: an installed one, or ``package.module:function``. Paths of scripts are none.

    Args:
        kind: as somebody wrote it.
        field: where.

    Raises:
        InputError: it is none.
    """
    known = sorted(entry_points(group="botyard.bots").names)
    if kind not in known and _FUNCTION.fullmatch(kind) is None:
        remedy = f"Known: {', '.join(known)}; or write package.module:function."
        raise InputError(field, "is no name of a kind.", remedy)
