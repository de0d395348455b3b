"""A job whose moment has come, as it stands in the mailbox of its chat in the place of an update."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telegram import Bot, Update

from botyard.jobs.stored import COMMAND, KEY, StoredJob


@dataclass(slots=True)
class Firing:
    """What a run is for that is not for an update.

    Args:
        number: under which it was put into the mailbox at first; a replay has another one.
        job: the job, as it was then or is now.
    """

    number: int
    job: StoredJob

    @property
    def chat_id(self) -> int | None:
        """The chat whose memory its callback finds."""
        return self.job.chat_id

    @property
    def user_id(self) -> int | None:
        """The person whose memory its callback finds."""
        return self.job.user_id


def firing_in(content: dict[str, Any]) -> Firing:
    """What stands in a mailbox.

    Raises:
        KeyError: something is missing.
        ValueError: a moment is none.
    """
    said = dict(content[KEY])
    number = said.pop("firing")
    said.pop("at")
    # What comes after it the row knows; of a job that is gone nothing comes.
    said["next_run"] = None
    return Firing(number, StoredJob(**said, firing_id=number))


def as_sent(firing: Firing, bot: Bot) -> Update:
    """The update as which a command comes that a schedule lets a person send. There is no message of this number."""
    job = firing.job
    text = job.callback.removeprefix(COMMAND)
    person = {"id": job.user_id, "is_bot": False, **job.data["person"]}
    chat = {"id": job.chat_id, "type": "private", "first_name": person["first_name"]}
    entity = {"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}
    message = {
        "message_id": 0, "date": int(datetime.now(UTC).timestamp()), "from": person, "chat": chat, "text": text,
        "entities": [entity],
    }  # fmt: skip
    return Update.de_json({"update_id": firing.number, "message": message}, bot)


def job_of_row(columns: list[Any]) -> StoredJob:
    """A row of ``jobs`` as it is loaded with the memory of its chat."""
    job = StoredJob(*columns)
    if job.next_run is not None:
        job.next_run = datetime.fromisoformat(str(job.next_run))
    return job
