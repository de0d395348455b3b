"""What Telegram is asked for follows from a bot's handlers."""

import sys
from pathlib import Path
from typing import Any

import pytest
from telegram import Update
from telegram.ext import (
    CallbackQueryHandler,
    ChatBoostHandler,
    ChatMemberHandler,
    CommandHandler,
    ConversationHandler,
    MessageHandler,
    MessageReactionHandler,
    PollAnswerHandler,
    PrefixHandler,
    StringCommandHandler,
    TypeHandler,
    filters,
)

from botyard.bots.kinds import wanted_updates
from botyard.errors import InputError
from botyard.telegram.update_kinds import Handler, update_kinds
from tests.factories import payloads

ALL = sorted(Update.ALL_TYPES)
MESSAGES = [
    "business_message", "channel_post", "edited_business_message", "edited_channel_post", "edited_message",
    "guest_message", "message",
]  # fmt: skip


async def nothing(*_: Any) -> None: ...


class LikesOnly(MessageHandler[Any, Any]):
    """A handler of somebody's own that overrides what it takes."""

    def check_update(self, update: object) -> bool:
        return isinstance(update, Update) and update.message_reaction is not None


class Named(CallbackQueryHandler[Any, Any]):
    """A handler of somebody's own that takes what its base takes."""


CASES: list[tuple[Handler, list[str]]] = [
    (CommandHandler("start", nothing), ["edited_message", "message"]),
    (CommandHandler("start", nothing, filters.ALL), MESSAGES),
    (PrefixHandler("!", "go", nothing), ["edited_message", "message"]),
    (MessageHandler(filters.TEXT, nothing), MESSAGES),
    (CallbackQueryHandler(nothing), ["callback_query"]),
    (PollAnswerHandler(nothing), ["poll_answer"]),
    (ChatMemberHandler(nothing), ["my_chat_member"]),
    (ChatMemberHandler(nothing, ChatMemberHandler.CHAT_MEMBER), ["chat_member"]),
    (ChatMemberHandler(nothing, ChatMemberHandler.ANY_CHAT_MEMBER), ["chat_member", "my_chat_member"]),
    (MessageReactionHandler(nothing), ["message_reaction", "message_reaction_count"]),
    (
        MessageReactionHandler(nothing, message_reaction_types=MessageReactionHandler.MESSAGE_REACTION_UPDATED),
        ["message_reaction"],
    ),
    (ChatBoostHandler(nothing, ChatBoostHandler.REMOVED_CHAT_BOOST), ["removed_chat_boost"]),
    (
        ConversationHandler([CommandHandler("a", nothing)], {1: [CallbackQueryHandler(nothing)]}, []),
        ["callback_query", "edited_message", "message"],
    ),
    (ConversationHandler([CommandHandler("a", nothing)], {1: [TypeHandler(Update, nothing)]}, []), ALL),
    (TypeHandler(Update, nothing), ALL),
    (LikesOnly(filters.ALL, nothing), ALL),
    (Named(nothing), ["callback_query"]),
    (StringCommandHandler("x", nothing), ["message"]),
]


@pytest.mark.parametrize(("handler", "kinds"), CASES, ids=[type(handler).__name__ for handler, _ in CASES])
def test_a_handler_asks_for_what_it_can_take(handler: Handler, kinds: list[str]) -> None:
    assert update_kinds([handler]) == kinds


def test_several_handlers_ask_for_what_any_of_them_can_take() -> None:
    handlers: list[Handler] = [CommandHandler("start", nothing), PollAnswerHandler(nothing)]
    assert update_kinds(handlers) == ["edited_message", "message", "poll_answer"]


def test_no_handler_ever_takes_a_kind_that_was_not_asked_for() -> None:
    updates = {kind: Update.de_json(update, None) for kind, update in payloads().items()}
    for handler, kinds in CASES:
        if isinstance(handler, ConversationHandler | CommandHandler):  # these look something up in a running bot
            continue
        for kind, update in updates.items():
            if kind in ALL and handler.check_update(update) not in (None, False):
                assert kind in kinds, (type(handler).__name__, kind)


def broken(_: Any) -> None:
    raise ValueError("no such colour")


def test_a_kind_whose_code_raises_is_refused_with_the_place() -> None:
    with pytest.raises(InputError, match=r"ValueError at .*test_update_kinds.py:\d+: no such colour"):
        wanted_updates("tests.unit.test_update_kinds:broken")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys\nsys.exit('KEY is not set')", r"SystemExit at .*leaving\.py:2: KEY is not set"),
        ("def build(_):\n    raise SystemExit(3)", r"SystemExit at .*leaving\.py:2: 3"),
        ("raise RuntimeError('no colours')", r"RuntimeError at .*leaving\.py:1: no colours"),
        ("def build(", r"SyntaxError at .*leaving\.py:1: '\(' was never closed"),
        ("build = 5", r"leaving:build|TypeError"),
    ],
)
def test_a_kind_that_ends_the_program_is_refused_like_any_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    (tmp_path / "leaving.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "leaving", raising=False)
    with pytest.raises(InputError, match=words) as refused:
        wanted_updates("leaving:build")
    assert refused.value.field == "kind"
    assert refused.value.remedy
