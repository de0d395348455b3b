"""TEST_MODE: whatever a handler calls, only the chats of TEST_CHATS hear of it."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram import InputMediaPhoto
from telegram.ext import CallbackQueryHandler, CommandHandler

from botyard.settings import Settings
from tests.factories import callback, make_bot, message
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig, rig
from tests.services import Services

OURS, THEIRS = 700_000_001, 700_000_002
GOT: list[Any] = []


async def _everything(update: Any, context: Any) -> None:
    chat, bot = update.effective_chat.id, context.bot
    GOT.clear()
    GOT.append(await bot.get_chat(chat))
    GOT.append(await bot.send_message(chat, "text"))
    await GOT[-1].edit_text("other text")
    GOT.append(await bot.send_poll(chat, "?", ["a", "b"]))
    GOT.append(await bot.send_photo(chat, b"bytes of a picture"))
    GOT.append(await bot.send_media_group(chat, [InputMediaPhoto(b"one"), InputMediaPhoto(b"two")]))
    GOT.append(await bot.copy_message(chat, OURS, 7))
    GOT.append(await bot.forward_message(chat, OURS, 7))
    GOT.append(await bot.create_chat_invite_link(chat))
    GOT.append(await bot.export_chat_invite_link(chat))
    GOT.append(await bot.send_chat_action(chat, "typing"))
    GOT.append(await bot.ban_chat_member(chat, 5))


async def _press(update: Any, _: Any) -> None:
    await update.callback_query.answer("pressed")


def everything(application: Any) -> None:
    application.add_handler(CommandHandler("all", _everything))
    application.add_handler(CallbackQueryHandler(_press))


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    async with rig(clean, settings, test_mode=True, test_chats=f"{OURS}, @someone") as made:
        yield made


def _rows(yard: Rig) -> list[tuple[Any, ...]]:
    return yard.services.superuser("SELECT method, state, error FROM outbox ORDER BY id")


async def test_another_chat_hears_nothing_and_its_handlers_do_not_notice(
    yard: Rig, api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bot = make_bot(kind="tests.integration.test_test_mode:everything", api_url=api.url)
    # Reading is allowed, and needs an answer.
    api.script[:] = [_chat]
    await yard.give(bot, message(1, "/all", chat_id=THEIRS))
    await yard.settle()
    assert [call.method for call in api.calls] == ["getChat"]
    rows = _rows(yard)
    assert [row[0] for row in rows] == [
        "sendMessage", "editMessageText", "sendPoll", "sendPhoto", "sendMediaGroup", "copyMessage", "forwardMessage",
        "createChatInviteLink", "exportChatInviteLink", "sendChatAction", "banChatMember",
    ]  # fmt: skip
    assert {row[1:] for row in rows} == {("dropped", "held back by TEST_MODE")}
    _, sent, poll, photo, group, copy, forward, link, exported, action, banned = GOT
    assert sent.message_id < 0
    assert poll.chat.id == photo.chat.id == forward.chat.id == THEIRS
    assert len({sent.message_id, poll.message_id, photo.message_id, copy.message_id, forward.message_id}) == 5
    assert len(group) == 2
    assert link.invite_link == exported
    assert action is True
    assert banned is True
    assert not yard.services.superuser("SELECT reason FROM dead_letters")


async def _chat(_: Any, params: dict[str, Any]) -> Any:
    from aiohttp import web

    chat = {"id": params["chat_id"], "type": "private", "accent_color_id": 0, "max_reaction_count": 1}
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), True
    )
    return web.json_response({"ok": True, "result": chat | {"accepted_gift_types": gifts}})


async def test_a_test_chat_is_served_as_always(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    await yard.give(bot, message(1, "/count", chat_id=OURS))
    await yard.settle()
    assert api.texts == ["This is message number 1 from you."]


async def test_a_press_is_answered_if_it_came_from_a_test_chat(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.test_test_mode:everything", api_url=api.url)
    await yard.give(bot, callback(1, "x", chat_id=THEIRS), callback(2, "x", chat_id=OURS))
    await yard.settle()
    assert len([call for call in api.calls if call.method == "answerCallbackQuery"]) == 1
    assert sorted(row[1] for row in _rows(yard)) == ["dropped", "sent"]


async def test_what_is_due_from_before_the_test_mode_is_held_back_too(yard: Rig, api: FakeApi) -> None:
    from tests.integration.outbox_tools import add_row

    bot = make_bot(api_url=api.url)
    add_row(yard.services, bot, "hello", params={"chat_id": THEIRS, "text": "hello"})
    add_row(yard.services, bot, "hello", params={"chat_id": "@someone", "text": "hello"})
    await yard.deliver(bot)
    assert [call.params["chat_id"] for call in api.calls] == ["@someone"]
