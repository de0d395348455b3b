"""Why something cannot be kept: said with the full path to it, which is put together on the way out."""

from typing import Any, Final

from botyard.errors import PermanentError

REMEDY: Final = (
    "Keep what it is made of instead, or leave it out; or register how its class is kept: "
    "botyard.for_bots.keep_as, see docs/state.md."
)
_NEVER: Final = "which cannot be kept"


class NotKept(PermanentError):
    """A bot tried to remember something that cannot be kept.

    Args:
        path: where it stands, as in ``user_data['cart'].items[0]``.
        type_name: what it is.
        problem: why that cannot be kept.
        remedy: what the bot's author can do about it.
    """

    def __init__(self, path: str, type_name: str, problem: str = _NEVER, remedy: str = REMEDY) -> None:
        super().__init__(path, type_name, problem, remedy)
        self.path = path
        self.type_name = type_name
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        article = "an" if self.type_name[:1].lower() in {*"aeiou"} else "a"
        return f"{self.path} is {article} {self.type_name}, {self.problem}. {self.remedy}"


class Refused(Exception):
    """The same, as long as only a part of the path is known.

    Each level of nesting adds its part while the exception passes it, so that values which can be kept cost no path.
    """

    def __init__(self, value: Any, problem: str = _NEVER, remedy: str = REMEDY) -> None:
        super().__init__(problem)
        self.value = value
        self.problem = problem
        self.remedy = remedy
        self._places: list[tuple[str, str, Any]] = []

    def inside(self, container: Any, before: str, after: str) -> None:
        """Say where in a container it happened: what stands before the container's own path, and what after it."""
        self._places.append((before, after, container))

    def named(self, name: str) -> NotKept:
        """The whole refusal.

        Args:
            name: what the path begins with.
        """
        path = name
        met: dict[int, str] = {}
        for before, after, container in reversed(self._places):
            if id(container) in met:
                return _circle(container, path, met[id(container)])
            met[id(container)] = path
            path = f"{before}{path}{after}"
        return NotKept(path, type(self.value).__name__, self.problem, self.remedy)


class TooDeep(Refused):
    """Values are nested deeper than can be kept, most often because one contains itself."""

    def __init__(self, value: Any, levels: int) -> None:
        super().__init__(value, f"nested more than {levels} levels deep", "Keep a list of its parts instead.")


def _circle(value: Any, path: str, first: str) -> NotKept:
    return NotKept(
        path,
        type(value).__name__,
        f"the same one as {first}: what contains itself cannot be kept",
        "Keep an id or a key in its place.",
    )


def as_key(key: Any) -> str:
    """A key as a path shows it: its class stands for one whose own words might be long."""
    return repr(key) if isinstance(key, str | int | tuple) and len(repr(key)) < 100 else f"<{type(key).__name__}>"
