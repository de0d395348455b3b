"""The states of conversation handlers, in the memory of the update at hand. See docs/bots.md."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from telegram.ext import BaseHandler, ConversationHandler
from telegram.ext._handlers.conversationhandler import PendingState

from botyard.telegram.run import UpdateRun, current_run


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


Found = Callable[[str, "ConversationHandler[Any]"], None]


def remember_talks(handler: "BaseHandler[Any, Any, Any]", place: str, found: Found) -> None:
    """Let a conversation handler, and those within it, keep their states in the current run.

    Args:
        handler: of any sort; only conversation handlers are changed.
        place: where it stands among the application's handlers, for those without a name.
        found: called with each, and the name under which its states are kept.
    """
    if not isinstance(handler, ConversationHandler):
        return
    known = handler._conversations  # noqa: SLF001 - as below
    if isinstance(known, Talks):
        # It stands in two places, or was met before.
        return
    name = handler.name or place
    # Private in python-telegram-bot 22.8; a contract test holds it to this shape.
    handler._conversations = Talks(name, per_chat=handler.per_chat)  # noqa: SLF001
    found(name, handler)
    groups = {"entry": handler.entry_points, "fallback": handler.fallbacks}
    groups |= {f"state {state}": inner for state, inner in handler.states.items()}
    for group, inner_handlers in groups.items():
        for index, inner in enumerate(inner_handlers):
            remember_talks(inner, f"{name}/{group}/{index}", found)


def settle(run: UpdateRun) -> None:
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
