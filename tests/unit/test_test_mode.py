"""Whom a call reaches, and whether python-telegram-bot can read the answer to one that was held back."""

import inspect
import re
from typing import Any

import pytest
import telegram
from telegram import Bot

from botyard.telegram.test_mode import EVERYBODY, Audience, stand_in

OURS, THEIRS = 700_000_001, 700_000_002
AUDIENCE = Audience(frozenset({str(OURS)}))
READ_ELSEWHERE = {"bool", "None", "Message", "Message | bool"}
"""Answers of which ``True`` is one, or of which ``OutboxBot`` makes a message itself."""


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("transferGift", {"business_connection_id": "x", "owned_gift_id": "y", "new_owner_chat_id": THEIRS}),
        ("postStory", {"business_connection_id": "x", "active_period": 86_400}),
        ("deleteBusinessMessages", {"business_connection_id": "x", "message_ids": [1]}),
        ("transferBusinessAccountStars", {"business_connection_id": "x", "star_count": 1}),
        ("setBusinessAccountName", {"business_connection_id": "x", "first_name": "y"}),
        ("deleteStickerSet", {"name": "x"}),
        ("aMethodOfNextYear", {"whom": THEIRS}),
    ],
)
def test_a_call_that_does_not_say_whom_it_reaches_is_held_back(method: str, params: dict[str, Any]) -> None:
    assert AUDIENCE.holds_back(method, params, str(OURS))
    assert not EVERYBODY.holds_back(method, params, str(OURS))


@pytest.mark.parametrize("method", ["getChat", "setMyCommands", "setMyName", "setChatMenuButton", "deleteWebhook"])
def test_a_call_about_the_bot_itself_or_one_that_only_asks_is_made(method: str) -> None:
    assert not AUDIENCE.holds_back(method, {}, "")


def test_what_names_somebody_goes_by_them_and_an_answer_by_who_caused_it() -> None:
    assert not AUDIENCE.holds_back("sendMessage", {"chat_id": OURS}, str(THEIRS))
    assert AUDIENCE.holds_back("setChatMenuButton", {"chat_id": THEIRS}, str(OURS))
    assert not AUDIENCE.holds_back("answerWebAppQuery", {"web_app_query_id": "1"}, str(OURS))
    assert AUDIENCE.holds_back("answerWebAppQuery", {"web_app_query_id": "1"}, str(THEIRS))


def _answers() -> list[tuple[str, str]]:
    """Each method that changes something, and what it gives back."""
    found = []
    for name, method in inspect.getmembers(Bot, inspect.iscoroutinefunction):
        returns = str(inspect.signature(method).return_annotation).replace("telegram._", "")
        plain = re.sub(r"['\"]|(?:[a-z_]+\.)+", "", returns.removeprefix("<class '").removesuffix("'>"))
        if not name.startswith(("get", "_", "do_")) and "_" in name and plain not in READ_ELSEWHERE:
            found.append((re.sub(r"_(\w)", lambda match: match[1].upper(), name), plain))
    return found


def test_every_answer_that_is_made_up_can_be_read() -> None:
    params = {"chat_id": THEIRS, "message_ids": [1, 2], "media": [1, 2]}
    found = _answers()
    assert {"answerWebAppQuery", "uploadStickerFile", "postStory", "createInvoiceLink"} <= {name for name, _ in found}
    for method, kind in found:
        answer = stand_in(method, params, [-5])
        if kind == "str":
            assert isinstance(answer, str), method
        elif kind.startswith("tuple["):
            of_one = getattr(telegram, kind.removeprefix("tuple[").partition(",")[0])
            assert len(of_one.de_list(answer, None)) == 2, method
        else:
            assert getattr(telegram, kind).de_json(answer, None), method
