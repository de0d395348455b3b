"""What may go wrong with backups."""

from botyard.errors import PermanentError, TransientError


class BackupFailed(TransientError):
    """There is no backup: the next night may have one.

    Args:
        why: in a person's words, without secrets.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)


class NotProven(PermanentError):
    """A backup is not what it should be.

    Args:
        why: what was found, in a person's words.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why
