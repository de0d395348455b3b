"""A bot's jobs as they are kept, and how handlers find them."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from botyard.errors import TransientError
from db.engine import DATABASE_TROUBLE, one_statement

KEY: Final = "botyard_job"
"""What stands in a mailbox in the place of an update's content, for a job whose moment has come."""
TIMEOUT: Final = "timeout:"
"""How the callback of a conversation's timeout begins; the name of the conversation follows."""
COMMAND: Final = "command:"
"""How the callback of a schedule's job begins: the command follows that a person is taken to have sent."""
OF_SCHEDULE: Final = "schedule:"
"""How the id of a schedule's job begins; these count for nobody's bound."""
MOST_JOBS: Final = 10_000
"""As many jobs may a bot have."""

_COLUMNS: Final = (
    "id, name, callback, data, chat_id, user_id, chat_key, trigger, grace, catches_up, enabled, next_run, firing_id"
)
# A firing that nobody has resolved yet keeps its job in the list, though it has no further moment.
_SELECT: Final = f"""
SELECT set_config('app.tenant', %(tenant)s, true);
SELECT {_COLUMNS} FROM jobs
 WHERE bot_id = %(bot)s AND (next_run IS NOT NULL OR NOT enabled OR firing_id IS NOT NULL)
   AND NOT starts_with(id, '{OF_SCHEDULE}')
"""  # noqa: S608 - joined from constants
_ORDER: Final = " ORDER BY next_run NULLS LAST, created_at, id"


@dataclass(slots=True)
class StoredJob:
    """A row of ``jobs``, as a handler's process has it."""

    id: str
    name: str
    callback: str
    data: dict[str, Any]
    chat_id: int | None
    user_id: int | None
    chat_key: str
    trigger: dict[str, Any]
    grace: int | None = None
    catches_up: bool = False
    enabled: bool = True
    next_run: datetime | None = None
    firing_id: int | None = None
    said: str | None = None
    """What its maker said, if it was made while the bot was built: the same words declare the same job."""
    has_own_id: bool = False
    """Whether its maker has chosen its id."""
    relative: bool = False
    """Whether its moment counts from the start."""

    @property
    def is_timeout(self) -> bool:
        """Whether it is the timeout of a conversation."""
        return self.callback.startswith(TIMEOUT)

    @property
    def is_command(self) -> bool:
        """Whether it stands for a command that its person has not sent."""
        return self.callback.startswith(COMMAND)

    def written(self) -> dict[str, Any]:
        """Its columns, as the statement that writes an update's effects takes them."""
        return {
            "id": self.id, "name": self.name, "callback": self.callback, "data": self.data, "chat_id": self.chat_id,
            "user_id": self.user_id, "chat_key": self.chat_key, "trigger": self.trigger, "grace": self.grace,
            "catches_up": self.catches_up, "enabled": self.enabled, "next_run": self.next_run,
        }  # fmt: skip


def mailbox_of(job_id: str, chat_id: int | None, user_id: int | None) -> str:
    """The key of the mailbox in which a job waits: its chat's, its person's, or one of its own."""
    owner = user_id if chat_id is None else chat_id
    # These stand in Redis keys, and an id may be anything.
    return f"j{sha256(job_id.encode()).hexdigest()[:32]}" if owner is None else str(owner)


class StoredJobs:
    """Finds a bot's jobs, as they are committed.

    Handlers ask without waiting for an answer (``jobs()`` is no coroutine), so this blocks their loop for a moment;
    whoever does not ask pays nothing. If the database is away they raise `TransientError`, and the update is run again.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
    """

    def __init__(self, bot_id: int, customer_id: int) -> None:
        self.bot_id = bot_id
        self.customer_id = customer_id

    def every(self) -> list[StoredJob]:
        """All of them, the next one first."""
        return self._select(_SELECT + _ORDER)

    def named(self, name: str) -> list[StoredJob]:
        """Those of this name."""
        return self._select(_SELECT + " AND name = %(name)s" + _ORDER, name=name)

    def has(self, job_id: str) -> bool:
        """Whether there is one of this id."""
        return bool(self._select(_SELECT + " AND id = %(id)s", id=job_id))

    def _select(self, statement: str, **parameters: str) -> list[StoredJob]:
        try:
            with one_statement() as cursor:
                cursor.execute(statement, {"tenant": str(self.customer_id), "bot": self.bot_id} | parameters)
                return [StoredJob(*row) for row in cursor.fetchall()]
        except DATABASE_TROUBLE as error:
            raise TransientError(f"the bot's jobs cannot be read now: {type(error).__name__}") from None
