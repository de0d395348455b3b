"""A python-telegram-bot application whose memory and sends belong to the update at hand. See docs/bots.md.

The same application serves many chats side by side. ``chat_data``, ``user_data``, ``bot_data`` and the states of
conversation handlers are therefore looked up in the current update's run, where the platform put what it loaded.
"""

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final, NoReturn

from telegram import Update
from telegram.ext import Application, BaseHandler, ConversationHandler
from telegram.warnings import PTBUserWarning

from botyard.errors import InputError
from botyard.jobs.stored import StoredJobs
from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.telegram.at_start import AtStart
from botyard.telegram.firing import Firing, as_sent
from botyard.telegram.kind_errors import unusable
from botyard.telegram.planning import planning
from botyard.telegram.run import UpdateRun, current_run
from botyard.telegram.talks import remember_talks, settle

# It says that such tasks are awaited by nobody; here every run waits for its own.
warnings.filterwarnings("ignore", message="Tasks created via `Application.create_task`", category=PTBUserWarning)


class TakenOver(BaseException):
    """It ends a script whose application is not in use any more, or that came to its end without one."""


class HandOver:
    """Where the thread of a script and whoever loads it meet."""

    def __init__(self) -> None:
        self.taken: Future[YardApplication] = Future()
        """The application that the script would run, or what it raised before."""
        self._retired = threading.Event()
        self._at_end: list[Callable[[], None]] = []

    def over(self, application: "YardApplication") -> NoReturn:
        """Hand an application over, and wait until it is in use no more: what stands around that point stays open.

        Raises:
            TakenOver: then.
        """
        application.handed = self
        if not self.taken.done():
            self.taken.set_result(application)
        self._retired.wait()
        raise TakenOver

    def end(self, error: BaseException) -> None:
        """The script has ended."""
        if not self.taken.done():
            self.taken.set_exception(error)
        for done in self._at_end:
            done()

    def at_end(self, done: Callable[[], None]) -> None:
        """Have something done when the script has ended."""
        self._at_end.append(done)

    def retire(self) -> None:
        """Let the script go on to its end."""
        self._retired.set()


loading: Final[ContextVar[HandOver | None]] = ContextVar("loading", default=None)
"""To whom the code that runs in this context hands its application over."""


class OwnMemory(Mapping[int, Any]):
    """What is remembered of the one chat or person at hand, by its id; the others' is not loaded.

    Args:
        name: ``chat_data`` or ``user_data``.
        key: the id at hand, if there is one.
        data: what is remembered of it.
    """

    def __init__(self, name: str, key: int | None, data: Any) -> None:
        self._name = name
        self._own = {} if key is None else {key: data}

    def __getitem__(self, key: int) -> Any:
        if key not in self._own:
            raise KeyError(
                f"{self._name} of {key}: only that of the chat and the person at hand is loaded. "
                "What is to be seen from everywhere belongs into bot_data."
            )
        return self._own[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


class YardApplication(Application[Any, Any, Any, Any, Any, Any]):
    """``Application`` that reads and writes the memory of the current run, and tells the platform of errors."""

    def __init__(self, **parts: Any) -> None:
        self._at_start: Any = None
        self._begun: AtStart | None = None
        self.handed: HandOver | None = None
        self.codec = Codec()
        """How what it remembers is written."""
        self.modules: dict[str, ModuleType] = {}
        """The modules of the bot's code that may be replaced while it runs, by the names by which they are known."""
        super().__init__(**parts | {"context_types": planning(parts["context_types"])})

    @property
    def bot_data(self) -> Any:
        """What the bot remembers for itself; while it is being built, what its author puts there."""
        run = current_run.get(None)
        return self._at_start if run is None else run.bot.data

    @bot_data.setter
    def bot_data(self, data: Any) -> None:
        run = current_run.get(None)
        if run is None:
            self._at_start = data
        else:
            run.bot.data = data

    @property
    def chat_data(self) -> Any:
        """What the bot remembers of the chat at hand, by its id."""
        run = current_run.get(None)
        return OwnMemory("chat_data", run.chat_id if run else None, run.chat.data if run else None)

    @chat_data.setter
    def chat_data(self, _: Any) -> None:
        """The base class sets an empty one when it is built; ours comes with each run."""

    @property
    def user_data(self) -> Any:
        """What the bot remembers of the person at hand, by their id."""
        run = current_run.get(None)
        return OwnMemory("user_data", run.user_id if run else None, run.user.data if run else None)

    @user_data.setter
    def user_data(self, _: Any) -> None:
        """As with ``chat_data``."""

    def drop_chat_data(self, chat_id: int) -> None:
        """Forget what is remembered of the chat at hand."""
        self.chat_data[chat_id]
        current_run.get().chat.data = self.context_types.chat_data()

    def drop_user_data(self, user_id: int) -> None:
        """Forget what is remembered of the person at hand."""
        self.user_data[user_id]
        current_run.get().user.data = self.context_types.user_data()

    def migrate_chat_data(self, *_: Any, **__: Any) -> None:
        """Nothing is left to do: what is remembered of a group follows it before its handlers hear of that."""

    def add_handler(self, handler: "BaseHandler[Any, Any, Any]", group: int = 0) -> None:
        """Add a handler; the states of every conversation last, whether it says so or not."""
        if isinstance(handler, ConversationHandler):
            handler._persistent = False  # noqa: SLF001 - the base asks for a persistence, and ours is the platform's
        super().add_handler(handler, group)

    def remember(self) -> None:
        """Let the states of conversations be kept in the memory of the update at hand; once its author is done."""
        self.codec = Codec(self.modules, self.bot)
        if self.bot.buttons is not None:
            self.bot.buttons.codec = self.codec
        for group, handlers in self.handlers.items():
            for index, handler in enumerate(handlers):
                remember_talks(handler, f"{group}/{index}", self._timed)

    def _timed(self, name: str, handler: "ConversationHandler[Any]") -> None:
        if self._job_queue is not None:
            self._job_queue.conversations.add(name, handler)

    def run_polling(self, *_: Any, **__: Any) -> NoReturn:
        """Hand the application over: its updates come from the mailboxes.

        Raises:
            InputError: by a function that is only to build it.
            TakenOver: once it is in use no more.
        """
        hand = loading.get()
        if hand is None:
            raise InputError("kind", "it runs its application.", "A function only adds handlers; a script runs it.")
        hand.over(self)

    run_webhook = run_polling

    async def initialize(self) -> None:
        """Open what it needs.

        Raises:
            TakenOver: it is the bot's own code that wants to start.
        """
        hand = loading.get()
        if hand is not None:
            await asyncio.get_running_loop().run_in_executor(None, hand.over, self)
        await super().initialize()

    def retire(self) -> None:
        """It is in use no more: a script that built it goes on behind the point where it handed it over."""
        if self.handed is not None:
            self.handed.retire()

    async def open(self, seconds: float, jobs: StoredJobs, version: int) -> None:
        """Initialise it, and let its ``post_init`` run, once for each process that serves the bot.

        Args:
            seconds: how long that may take.
            jobs: the bot's.
            version: of its configuration, which declares those that its code made until now.

        Raises:
            InputError: it raises, or takes longer, or a job cannot be kept.
        """
        await self.initialize()
        if self._job_queue is not None:
            self._job_queue.serve(jobs)
        try:
            if self.post_init is not None:
                async with asyncio.timeout(seconds):
                    await self.post_init(self)
            # It may have added handlers, too.
            self.remember()
            self._begun = AtStart(self.codec, self._at_start)
        except (Exception, SystemExit) as error:
            raise unusable("its post_init failed", error) from error
        if self._job_queue is not None:
            await asyncio.to_thread(self._job_queue.declare, version)

    def _furnish(self, run: UpdateRun) -> None:
        """Give a run what its author expects to find where nothing is remembered."""
        for memory, factory in self._of_own_classes(run):
            if type(memory.data) is dict and not memory.data:
                memory.data = factory()
        if self._begun is not None:
            run.bot.data = self._begun.under(run.bot.data)

    def _clear(self, run: UpdateRun) -> None:
        """Leave of a run only what is to be remembered."""
        for memory, factory in self._of_own_classes(run):
            if type(memory.data) is not dict and self._looks_like(memory.data, factory()):
                memory.data = {}
        if self._begun is not None:
            run.bot.data = self._begun.without(run.bot.data)

    def _of_own_classes(self, run: UpdateRun) -> list[tuple[Memory, Callable[[], Any]]]:
        types = self.context_types
        parts = ((run.chat, types.chat_data), (run.user, types.user_data))
        return [(memory, factory) for memory, factory in parts if factory is not dict]

    def _looks_like(self, data: Any, other: Any) -> bool:
        return self.codec.dump(Memory(data), "data") == self.codec.dump(Memory(other), "data")

    async def close(self) -> None:
        """Let its ``post_stop`` and ``post_shutdown`` run; clients of the platform stay open."""
        for callback in (self.post_stop, self.post_shutdown):
            if callback is not None:
                await callback(self)

    async def process_error(
        self,
        update: object,
        error: Exception,
        job: Any = None,
        coroutine: Any = None,
    ) -> bool:
        """Note the error; run the bot's own error handlers on the last attempt only.

        What the failed handlers changed and sent is undone before, so that of this update only what its error
        handlers send remains. A bot that wants no retries has errors as the library has them.
        """
        run = current_run.get()
        if not run.retries:
            return await super().process_error(update, error, job, coroutine)
        run.errors.append(error)
        if run.last_attempt:
            if len(run.errors) == 1:
                run.sends.clear()
            await super().process_error(update, error, job, coroutine)
        # Handlers of later groups would act for an update that has failed.
        return True

    def add_error_handler(self, callback: Any, block: Any = True) -> None:  # noqa: ARG002 - the base's signature
        """Add an error handler, which the update always waits for: else what it sends could not be written with it."""
        super().add_error_handler(callback, block=True)

    def create_task(
        self, coroutine: Any, update: object | None = None, *, name: str | None = None
    ) -> "asyncio.Task[Any]":
        """Start a task whose effects belong to the current update, which waits for it."""
        task = super().create_task(coroutine, update, name=name)
        run = current_run.get(None)
        if run is not None:
            run.tasks.append(task)
        return task

    async def run(self, update: Update | Firing, run: UpdateRun) -> None:
        """Handle one update, or a job's moment, in a run of its own; errors stand in ``run.errors`` afterwards."""
        token = current_run.set(run)
        try:
            self._furnish(run)
            if isinstance(update, Firing) and update.job.is_command:
                run.jobs.fired = update.job.id
                await self.process_update(as_sent(update, self.bot))
            elif isinstance(update, Firing) and self._job_queue is None:
                run.errors.append(InputError("job_queue", "the bot has none any more.", "Let its builder make one."))
            elif isinstance(update, Firing):
                await self._job_queue.fire(update)
            else:
                await self.process_update(update)
            while run.tasks:
                waiting, run.tasks = run.tasks, []
                # Their exceptions have been through process_error.
                await asyncio.gather(*waiting, return_exceptions=True)
            settle(run)
            if self.bot.buttons is not None:
                await self.bot.buttons.keep()
            self._clear(run)
        finally:
            run.closed = True
            current_run.reset(token)


def yarded(application_class: type[Application[Any, Any, Any, Any, Any, Any]]) -> type[YardApplication]:
    """Its author's class of applications, as one of ours."""
    if issubclass(YardApplication, application_class):
        return YardApplication
    return type(f"Yard{application_class.__name__}", (YardApplication, application_class), {})
