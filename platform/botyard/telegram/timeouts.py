"""``conversation_timeout``: what conversation handlers put off, kept as jobs. See docs/jobs.md.

python-telegram-bot keeps the ``Job`` of each conversation in a dictionary of the handler. Here another process may
handle the conversation's next update, so a timeout is found by its name: of a conversation there is one at most.
"""

import json
from collections.abc import Iterator, MutableMapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from telegram import Update
from telegram.ext import ConversationHandler
from telegram.ext._handlers.conversationhandler import _ConversationTimeoutContext

from botyard.errors import InputError
from botyard.jobs.stored import TIMEOUT, StoredJob
from botyard.jobs.triggers import make_trigger
from botyard.telegram.job import DurableJob
from botyard.telegram.run import UpdateRun, current_run

if TYPE_CHECKING:
    from botyard.telegram.job_queue import DurableJobQueue

# As python-telegram-bot calls such a job.
_NAME: Final = "_trigger_timeout"


class TimedConversations:
    """The conversation handlers of an application that have a timeout.

    Args:
        queue: where their timeouts are kept.
    """

    def __init__(self, queue: "DurableJobQueue") -> None:
        self._queue = queue
        self._handlers: dict[str, ConversationHandler[Any]] = {}

    def add(self, name: str, handler: "ConversationHandler[Any]") -> None:
        """Keep a handler's timeouts.

        Args:
            name: under which its states are kept, too.
            handler: one without a timeout is left as it is.
        """
        if handler.conversation_timeout:
            self._handlers[name] = handler
            handler.timeout_jobs = _Timeouts(self, name)  # type: ignore[assignment]

    def knows(self, callback: Any) -> bool:
        """Whether this is what a conversation handler puts off."""
        # Private in python-telegram-bot 22.8; a contract test holds it to this shape.
        return getattr(callback, "__func__", None) is ConversationHandler._trigger_timeout  # noqa: SLF001

    def put_off(self, handler: Any, moment: datetime, context: Any) -> DurableJob:
        """Keep a conversation's timeout, in the place of the one it had.

        Raises:
            InputError: the handler was added after the bot was built, or the conversation goes on outside of an update.
        """
        name = next((name for name, one in self._handlers.items() if one is handler), None)
        run = current_run.get(None)
        if name is None or run is None:
            raise InputError(
                "conversation_timeout", "its conversation was not there when the bot was built.",
                "Add it with add_handler while the bot is built.",
            )  # fmt: skip
        user = context.update.effective_user
        chat = context.update.effective_chat
        said = {"key": list(context.conversation_key), "update": json.loads(context.update.to_json())}
        job = self.one(name, context.conversation_key, run, {"timeout": said})
        job.stored.chat_id, job.stored.user_id = chat and chat.id, user and user.id
        job.stored.trigger = make_trigger("date", {"run_date": moment}, self._queue.scheduler.timezone)
        job.stored.next_run = moment
        self._queue.note(job, "put")
        return job

    def one(self, name: str, key: Any, run: UpdateRun, data: dict[str, Any]) -> DurableJob:
        """The timeout of a conversation, whether there is one or not."""
        return DurableJob(
            self._queue,
            StoredJob(_id_of(name, key), _NAME, TIMEOUT + name, data, None, None, run.chat_key, {}),
        )

    def cancelled(self, name: str, key: Any) -> DurableJob:
        """What a handler is given to remove, for it removes a conversation's timeout at each of its updates."""
        return self.one(name, key, current_run.get(), {})

    def firing(self, name: str, key: Any) -> Any:
        """The timeout of this conversation, if it is what the run at hand is for; else nothing."""
        run = current_run.get(None)
        if run is None or run.jobs.fired != _id_of(name, key):
            return None
        return run.jobs.handed[run.jobs.fired]

    async def fire(self, job: DurableJob, context: Any) -> None:
        """Run the handlers of the state ``TIMEOUT``, and end the conversation.

        Raises:
            InputError: the conversation handler is not there any more, or has no timeout any more.
        """
        name = job.stored.callback.removeprefix(TIMEOUT)
        handler = self._handlers.get(name)
        if handler is None:
            raise InputError("conversation_timeout", f"there is no conversation {name} any more.", "Name it again.")
        kept = job.stored.data["timeout"]
        application = context.application
        update = Update.de_json(kept["update"], application.bot)
        of_update = application.context_types.context.from_update(update, application)
        job.data = _ConversationTimeoutContext(tuple(kept["key"]), update, application, of_update)
        await handler._trigger_timeout(context)  # noqa: SLF001 - as above


class _Timeouts(MutableMapping[Any, Any]):
    """Stands where a conversation handler keeps its jobs."""

    def __init__(self, conversations: TimedConversations, name: str) -> None:
        self._conversations = conversations
        self._name = name

    def __getitem__(self, key: Any) -> Any:
        found = self._conversations.firing(self._name, key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, job: Any) -> None:
        """It was noted when it was put off."""

    def __delitem__(self, key: Any) -> None:
        """It ends with its firing."""

    def pop(self, key: Any, default: Any = None) -> Any:  # noqa: ARG002 - the mapping's signature
        """The timeout to be removed, whoever has put it off."""
        return self._conversations.cancelled(self._name, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _id_of(name: str, key: Any) -> str:
    return f"{TIMEOUT}{sha256(json.dumps([name, list(key)]).encode()).hexdigest()[:40]}"
