"""What can be wrong with an event.

PermanentError
└── NotAnId     an event carries contents; it may carry ids and versions only
"""

from botyard.errors import PermanentError


class NotAnId(PermanentError):
    """An event carries something that is neither an id nor a version.

    Args:
        event: its name.
        field: what is wrong in it.
    """

    def __init__(self, event: str, field: str) -> None:
        super().__init__(event, field)
        self.event = event
        self.field = field

    def __str__(self) -> str:
        return f"{self.event}: {self.field} is neither an id nor a version; whoever hears of it reads the rest itself."
