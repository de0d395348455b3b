"""The root of Botyard's exception tree.

    BotyardError
    ├── PermanentError        trying again cannot help
    │   ├── InputError        somebody gave us something wrong: names the field and the remedy
    │   └── Stale             it was changed since it was read
    └── TransientError        the same thing may work later

Each package draws its own small tree below these. An exception that crosses a process pickles,
because its arguments are its constructor's arguments.
"""


class BotyardError(Exception):
    """The root of everything Botyard raises on purpose."""

    permanent: bool = False


class PermanentError(BotyardError):
    """Trying again cannot help."""

    permanent = True


class TransientError(BotyardError):
    """The same thing may work later.

    Args:
        message: what happened, without secrets.
        retry_after: seconds to wait before the next try; ``None`` leaves the pace to the caller.
    """

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, retry_after)
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message


class InputError(PermanentError):
    """Somebody gave us something wrong.

    Args:
        field: the name of the field or setting, as its giver knows it.
        problem: what is wrong with it, in words.
        remedy: what to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        super().__init__(field, problem, remedy)
        self.field = field
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" + (f" {self.remedy}" if self.remedy else "")


class Stale(PermanentError):
    """Somebody else changed it since it was read: what was to be written rests on what is no longer so.

    Args:
        version: the one that it has now.
    """

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version

    def __str__(self) -> str:
        return f"It was changed meanwhile: it has version {self.version} now. Read it again."
