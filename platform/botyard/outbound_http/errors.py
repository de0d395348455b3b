"""What can go wrong with a call to somebody's address.

InputError
└── Refused           the address is none that may be called
TransientError
└── OutboundError
    ├── Unreachable   nothing was sent: no such name, no connection
    ├── Unanswered    it may have been received, but no answer came in time
    └── Busy          too many names are being looked up
PermanentError
└── TooLarge          the answer is larger than what may be read
"""

from botyard.errors import InputError, PermanentError, TransientError


class Refused(InputError):
    """An address that may not be called. What it leads to is not told: nobody shall look around with our eyes."""

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        super().__init__(field, problem, remedy)


class OutboundError(TransientError):
    """A call that may succeed later."""


class Unreachable(OutboundError):
    """Nothing was sent: its name is not known, or nobody takes connections."""


class Unanswered(OutboundError):
    """What was sent may have been received, but there was no answer in time."""


class Busy(OutboundError):
    """Too many names are being looked up, of somebody or altogether."""

    def __init__(self) -> None:
        super().__init__("Too many names are being looked up now; try it again in a moment.", 5)


class TooLarge(PermanentError):
    """An answer has more than it may.

    Args:
        most_bytes: what it may have.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self.most_bytes = most_bytes

    def __str__(self) -> str:
        return f"The answer has more than {self.most_bytes} bytes."
