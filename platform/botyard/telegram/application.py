"""A python-telegram-bot application whose memory and sends belong to the update at hand. See docs/bots.md.

The same application serves many chats side by side. ``chat_data``, ``user_data``, ``bot_data`` and the states of
conversation handlers are therefore looked up in the current update's run, where the platform put what it loaded.
"""

import asyncio
import traceback
import warnings
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, BaseHandler, ConversationHandler
from telegram.ext._handlers.conversationhandler import PendingState
from telegram.warnings import PTBUserWarning

from botyard.errors import InputError
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.run import UpdateRun, current_run

# It says that such tasks are awaited by nobody; here every run waits for its own.
warnings.filterwarnings("ignore", message="Tasks created via `Application.create_task`", category=PTBUserWarning)


class Kind(Protocol):
    """A kind of bot: a function that adds handlers to an application."""

    def __call__(self, application: Any) -> None:
        """Add the handlers."""


class YardApplication(Application[Any, Any, Any, Any, Any, Any]):
    """``Application`` that reads and writes the memory of the current run, and tells the platform of errors."""

    __slots__ = ()

    @property
    def bot_data(self) -> Any:
        """What the bot remembers for itself."""
        return current_run.get().bot.data

    @bot_data.setter
    def bot_data(self, _: Any) -> None:
        """The base class sets an empty one when it is built; ours comes with each run."""

    @property
    def chat_data(self) -> Any:
        """What the bot remembers of the chat at hand, by its id."""
        run = current_run.get()
        return {} if run.chat_id is None else {run.chat_id: run.chat.data}

    @chat_data.setter
    def chat_data(self, _: Any) -> None:
        """As with ``bot_data``."""

    @property
    def user_data(self) -> Any:
        """What the bot remembers of the person at hand, by their id."""
        run = current_run.get()
        return {} if run.user_id is None else {run.user_id: run.user.data}

    @user_data.setter
    def user_data(self, _: Any) -> None:
        """As with ``bot_data``."""

    async def process_error(
        self,
        update: object,
        error: Exception,
        job: Any = None,
        coroutine: Any = None,
    ) -> bool:
        """Note the error; run the bot's own error handlers on the last attempt only.

        What the failed handlers changed and sent is undone before, so that of this update only what its error
        handlers send remains.
        """
        run = current_run.get()
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

    async def run(self, update: Update, run: UpdateRun) -> None:
        """Handle one update in a run of its own; errors stand in ``run.errors`` afterwards."""
        token = current_run.set(run)
        try:
            await self.process_update(update)
            while run.tasks:
                waiting, run.tasks = run.tasks, []
                # Their exceptions have been through process_error.
                await asyncio.gather(*waiting, return_exceptions=True)
            _settle(run)
        finally:
            run.closed = True
            current_run.reset(token)


def _settle(run: UpdateRun) -> None:
    """A conversation handler that does not block leaves the promise of a state: its task has ended by now."""
    for states in (*run.chat.talks.values(), *run.user.talks.values()):
        for key, state in list(states.items()):
            if not isinstance(state, PendingState):
                continue
            settled = state.resolve()
            if settled is None or settled == ConversationHandler.END:
                del states[key]
            else:
                states[key] = settled


class Talks(MutableMapping[tuple[Any, ...], Any]):
    """The states of one conversation handler, in the memory of the current run.

    Args:
        name: the handler's name, or its place among the application's handlers.
        per_chat: the states belong to the chat, else to the person.
    """

    def __init__(self, name: str, *, per_chat: bool) -> None:
        self._name = name
        self._per_chat = per_chat

    def _states(self) -> dict[tuple[Any, ...], Any]:
        run = current_run.get()
        return (run.chat if self._per_chat else run.user).talks.setdefault(self._name, {})

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self._states()[key]

    def __setitem__(self, key: tuple[Any, ...], state: Any) -> None:
        self._states()[key] = state

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del self._states()[key]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._states())

    def __len__(self) -> int:
        return len(self._states())


def _remember_talks(handler: "BaseHandler[Any, Any, Any]", place: str) -> None:
    if not isinstance(handler, ConversationHandler):
        return
    name = handler.name or place
    # Private in python-telegram-bot 22.8; a contract test holds it to this shape.
    handler._conversations = Talks(name, per_chat=handler.per_chat)  # noqa: SLF001
    groups = {"entry": handler.entry_points, "fallback": handler.fallbacks}
    groups |= {f"state {state}": inner for state, inner in handler.states.items()}
    for group, inner_handlers in groups.items():
        for index, inner in enumerate(inner_handlers):
            _remember_talks(inner, f"{name}/{group}/{index}")


def build(kind: Kind, bot: OutboxBot) -> YardApplication:
    """An application of this kind for this bot; initialise it in the loop that will use it.

    Raises:
        InputError: the kind's code raises, or ends the program; the place in the code is named.
    """
    builder = ApplicationBuilder().application_class(YardApplication).bot(bot).updater(None).job_queue(None)
    application = builder.build()
    assert isinstance(application, YardApplication)  # noqa: S101 - it is the class named above
    try:
        kind(application)
        for group, handlers in application.handlers.items():
            for index, handler in enumerate(handlers):
                _remember_talks(handler, f"{group}/{index}")
    except (Exception, SystemExit) as error:
        raise _unusable(f"{_name_of(kind)} cannot be built", error) from error
    return application


def find_kind(name: str) -> Kind:
    """A kind by its entry point in the group ``botyard.bots``, or by ``package.module:function``.

    Raises:
        InputError: there is no such kind, or its code raises, or ends the program; the place in the code is named.
    """
    found = entry_points(group="botyard.bots", name=name)
    try:
        if found:
            return cast("Kind", next(iter(found)).load())
        module, colon, function = name.partition(":")
        if colon:
            return cast("Kind", getattr(import_module(module), function))
    except (Exception, SystemExit) as error:
        # SystemExit too: one bot that misses its key must not end the process in which others live.
        raise _unusable(f"{name} cannot be loaded", error) from error
    known = ", ".join(sorted(entry_points(group="botyard.bots").names))
    raise InputError("kind", f"there is no kind {name!r}.", f"Known: {known}; or write package.module:function.")


def _unusable(what: str, error: BaseException) -> InputError:
    place = _place_of(error)
    at = f" at {place}" if place else ""
    return InputError("kind", f"{what}: {type(error).__name__}{at}: {_first_line(error)}.", "Mend it, then try again.")


def _name_of(kind: Kind) -> str:
    return f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', repr(kind))}"


def _place_of(error: BaseException) -> str:
    """Where in the bot's code an exception comes from, as ``file:line``; empty if it does not."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename != __file__ and "importlib" not in frame.filename:
            return f"{_short(frame.filename)}:{frame.lineno}"
    return ""


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return (str(error).splitlines() or ["no words"])[0].rstrip(".")
