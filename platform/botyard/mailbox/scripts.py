"""The protocol's Lua scripts: each file of ``lua/`` behind the shared prelude. See docs/mailbox.md."""

from functools import lru_cache
from importlib.resources import files
from typing import Final

_FOLDER = files("botyard.mailbox") / "lua"

# A full Redis must still be drained, so everything but the intake of new updates may write beyond maxmemory.
_REFUSED_WHEN_FULL: Final = frozenset({"accept"})


@lru_cache(maxsize=32)
def source(name: str) -> str:
    """The whole text of the script ``lua/<name>.lua``, with its flags and the prelude."""
    flags = "#!lua\n" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
    read = [(_FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name)]
    return flags + "".join(read)
