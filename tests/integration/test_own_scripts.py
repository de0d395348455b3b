"""What a script does as in a process of its own: waiting, asking at once, remembering, buttons with any data."""

import asyncio
from typing import Any

from botyard.bots.configuration.configuring import configure
from botyard.processing.retention import prune
from tests.factories import callback, message, until
from tests.integration.fake_api import FakeApi, error
from tests.integration.own_scripts import Write, rows, say
from tests.integration.rig import Rig, rig


async def test_what_was_sent_is_shown_while_the_handler_goes_on_and_once(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    async def handler(update, context):
        wait = await update.message.reply_text("please wait")
        await asyncio.sleep(0.8)
        await wait.edit_text("done")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    yard.settings.handler_timeout_seconds = 5
    await yard.give(bot, message(1))
    settling = asyncio.create_task(yard.settle())
    await until(lambda: bool(rows(yard, "SELECT 1 FROM outbox")))
    assert rows(yard, "SELECT count(*) FROM inbox") == [(0,)], "its handler is not done"
    await settling
    assert [(call.method, call.params["text"]) for call in api.calls] == [
        ("sendMessage", "please wait"), ("editMessageText", "done"),
    ]  # fmt: skip
    assert api.calls[1].params["message_id"] == 1001


async def test_a_handler_that_starts_again_sends_nothing_twice_and_what_it_says_otherwise_comes_behind(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    tries = []
    async def handler(update, context):
        tries.append(1)
        await update.message.reply_text("please wait")
        await asyncio.sleep(0.5)
        if len(tries) == 1:
            raise ValueError("broken once")
        await update.message.reply_text(f"done at try {len(tries)}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    yard.settings.handler_timeout_seconds = 5
    await say(yard, bot, 1)
    assert api.texts == ["please wait", "done at try 2"]


async def test_a_call_whose_answer_matters_is_made_once_however_often_its_handler_starts(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    tries = []
    async def handler(update, context):
        tries.append(1)
        sent = await context.bot.send_poll(update.effective_chat.id, "which?", ["a", "b"])
        other = await context.bot.send_dice(update.effective_chat.id)
        if len(tries) < 3:
            raise ValueError("broken")
        await update.message.reply_text(f"{sent.message_id} {other.message_id}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    assert [call.method for call in api.calls] == ["sendPoll", "sendDice", "sendMessage"]
    assert api.texts[-1] == "1001 1002"
    history = rows(yard, "SELECT kind, message_id FROM messages WHERE direction = 'out' ORDER BY message_id")
    assert history == [("sendPoll", 1001), ("sendDice", 1002), ("sendMessage", 1003)]


async def test_another_call_at_the_place_of_a_noted_one_is_made(yard: Rig, api: FakeApi, script: Write) -> None:
    bot = script("""
    tries = []
    async def handler(update, context):
        tries.append(1)
        await context.bot.send_dice(update.effective_chat.id, emoji="🎲" if len(tries) == 1 else "🎯")
        if len(tries) == 1:
            raise ValueError("broken")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    assert [call.params["emoji"] for call in api.calls] == ["🎲", "🎯"]


async def test_a_bot_that_sends_directly_hears_what_telegram_refuses(yard: Rig, api: FakeApi, script: Write) -> None:
    bot = script("""
    async def handler(update, context):
        try:
            await context.bot.send_message(7, "hello you")
        except Forbidden as error:
            await update.message.reply_text(f"not reached: {error}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    configure("test_bot", {"sends": "direct"})
    api.script = [error(403, "Forbidden: bot was blocked by the user")]
    await say(yard, bot, 1)
    assert api.texts == ["hello you", "not reached: Forbidden: bot was blocked by the user"]
    assert rows(yard, "SELECT count(*) FROM outbox") == [(0,)]


async def test_a_few_sends_can_be_direct(yard: Rig, api: FakeApi, script: Write) -> None:
    bot = script("""
    async def handler(update, context):
        async with direct(context) as bot:
            sent = await bot.send_message(7, "now")
        await update.message.reply_text(f"it was {sent.message_id}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    assert api.texts == ["now", "it was 1001"]
    assert rows(yard, "SELECT params->>'text' FROM outbox") == [("it was 1001",)]


async def test_without_retries_errors_are_what_they_are_in_the_library(yard: Rig, api: FakeApi, script: Write) -> None:
    bot = script("""
    async def handler(update, context):
        context.chat_data["n"] = context.chat_data.get("n", 0) + 1
        await update.message.reply_text(f"before {context.chat_data['n']}")
        raise ValueError("broken")
    async def on_error(update, context):
        await update.message.reply_text(f"sorry: {context.error}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    application.add_error_handler(on_error)
    """)
    configure("test_bot", {"retry": False})
    await say(yard, bot, 1)
    await say(yard, bot, 2)
    assert api.texts == ["before 1", "sorry: broken", "before 2", "sorry: broken"]
    assert rows(yard, "SELECT count(*) FROM dead_letters") == [(0,)]


async def test_objects_are_remembered_and_so_are_the_ids_of_messages(
    yard: Rig, api: FakeApi, script: Write, settings: Any
) -> None:
    bot = script("""
    class Basket:
        def __init__(self):
            self.items = {"tea": 1}
            self.since = datetime.datetime(2026, 1, 1)
    async def handler(update, context):
        basket = context.user_data.setdefault("basket", Basket())
        if "shown" in context.chat_data:
            await context.chat_data["shown"].edit_text(f"{basket.items} {basket.since:%Y}")
        else:
            context.chat_data["shown"] = await update.message.reply_text("your basket")
        basket.items["tea"] += 1
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    async with rig(yard.services, settings) as other:
        await say(other, bot, 2)
    assert [(call.method, call.params.get("message_id")) for call in api.calls] == [
        ("sendMessage", None), ("editMessageText", 1001),
    ]  # fmt: skip
    assert api.texts[1] == "{'tea': 2} 2026"


async def test_a_button_carries_its_object_to_another_process(
    yard: Rig, api: FakeApi, script: Write, settings: Any
) -> None:
    bot = script("""
    from dataclasses import dataclass
    @dataclass
    class Choice:
        name: str
        price: int
    async def show(update, context):
        button = InlineKeyboardButton("tea", callback_data=Choice("tea", 3))
        await update.message.reply_text("choose", reply_markup=InlineKeyboardMarkup([[button]]))
    async def press(update, context):
        await update.callback_query.answer(f"{update.callback_query.data}")
        if isinstance(update.callback_query.data, Choice):
            context.drop_callback_data(update.callback_query)
    application = builder.arbitrary_callback_data(True).build()
    application.add_handler(CommandHandler("show", show))
    application.add_handler(CallbackQueryHandler(press))
    """)
    await yard.give(bot, message(1, "/show"))
    await yard.settle()
    data = api.calls[0].params["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    assert len(data) == 64
    async with rig(yard.services, settings) as other:
        await other.give(bot, callback(2, data))
        await other.settle()
        assert api.texts[-1] == "Choice(name='tea', price=3)"
        assert rows(yard, "SELECT count(*) FROM keyboards") == [(0,)], "it was dropped"
        await other.give(bot, callback(3, data))
        await other.settle()
    assert "was deleted" in api.texts[-1]


async def test_keyboards_are_cleared_with_the_commit_of_the_update_and_stay_when_it_fails(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    async def show(update, context):
        button = InlineKeyboardButton("tea", callback_data=["tea"])
        await update.message.reply_text("choose", reply_markup=InlineKeyboardMarkup([[button]]))
    async def clear(update, context):
        context.bot.callback_data_cache.clear_callback_data()
        await update.message.reply_text("cleared")
        if context.args:
            raise ValueError("broken")
    application = builder.arbitrary_callback_data(True).build()
    application.add_handler(CommandHandler("show", show))
    application.add_handler(CommandHandler("clear", clear))
    """)
    await yard.give(bot, message(1, "/show"), message(2, "/clear and fail"))
    await yard.settle()
    assert rows(yard, "SELECT count(*) FROM dead_letters") == [(1,)]
    assert rows(yard, "SELECT count(*) FROM keyboards") == [(1,)]
    yard.services.superuser(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON inbox FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION refuse()",
    )
    try:
        await yard.give(bot, message(3, "/clear"))
        await yard.settle()
    finally:
        yard.services.superuser("DROP FUNCTION refuse CASCADE")
    assert rows(yard, "SELECT count(*) FROM keyboards") == [(1,)]
    await yard.give(bot, message(4, "/clear"))
    await yard.settle()
    assert rows(yard, "SELECT count(*) FROM keyboards") == [(0,)]
    assert api.texts[-1] == "cleared"


async def test_what_is_called_at_the_start_is_called_once_for_all_processes(
    yard: Rig, api: FakeApi, script: Write, settings: Any
) -> None:
    bot = script("""
    async def begin(application):
        await application.bot.set_my_commands([("go", "goes")])
        application.bot_data["name"] = (await application.bot.get_me()).username
    async def handler(update, context):
        await update.message.reply_text(context.bot_data["name"])
    application = builder.post_init(begin).build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    async with rig(yard.services, settings) as other:
        await say(other, bot, 2)
    assert [call.method for call in api.calls] == ["setMyCommands", "sendMessage", "sendMessage"]
    configure("test_bot", {"retry": False})
    async with rig(yard.services, settings) as other:
        await say(other, bot, 3)
    assert [call.method for call in api.calls].count("setMyCommands") == 2, "for each version of its configuration"


async def test_memory_that_did_not_change_for_long_is_forgotten_if_the_bot_wants_that(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    async def handler(update, context):
        context.user_data["n"] = context.user_data.get("n", 0) + 1
        context.bot_data["n"] = context.bot_data.get("n", 0) + 1
        await update.message.reply_text(f"{context.user_data['n']} {context.bot_data['n']}")
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    yard.services.superuser("UPDATE conversations SET updated_at = now() - interval '2 hours'")
    await say(yard, bot, 2)
    configure("test_bot", {"forget_after": 3600})
    await say(yard, bot, 3)
    yard.services.superuser("UPDATE conversations SET updated_at = now() - interval '2 hours'")
    await say(yard, bot, 4)
    assert api.texts == ["1 1", "2 2", "3 3", "1 4"]
    yard.services.superuser("UPDATE conversations SET updated_at = now() - interval '100 hours'")
    prune()
    assert rows(yard, "SELECT scope FROM conversations") == [("bot",)]


FILES = """
    async def handler(update, context):
        text = update.message.text
        if text == "send":
            sent = await update.message.reply_photo(b"a picture", filename="a.jpg")
            context.user_data["photo"] = sent.photo[-1].file_id
            first, second = await update.message.reply_media_group(
                [InputMediaDocument(b"one", filename="1.txt"), InputMediaDocument("known-id")]
            )
            context.user_data["document"] = first.document.file_id
            await update.message.reply_text(second.document.file_id)
        elif text == "again":
            await update.message.reply_photo(context.user_data["photo"], caption="again")
            await update.message.reply_media_group([InputMediaDocument(context.user_data["document"])] * 2)
        else:
            await context.bot.get_file(context.user_data["photo"])
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
"""


async def test_the_file_of_a_message_that_waits_can_be_sent_again_and_fetched_once_it_is_there(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script(FILES)
    await yard.give(bot, message(1, "send"), message(2, "again"))
    await yard.settle(sending=False)
    await yard.settle()
    photo, album, told, again, albums = api.calls
    assert list(photo.files) == ["photo"]
    assert told.params["text"] == "known-id"
    assert again.params["caption"] == "again"
    # Sent before or after the first one's answer: by its content, or by its id.
    assert again.files or again.params["photo"] == "id-1001"
    assert [item["type"] for item in albums.params["media"]] == ["document", "document"]
    assert album.params["media"][1]["media"] == "known-id"
    await say(yard, bot, 3, "again")
    assert api.calls[-2].params["photo"] == "id-1001"
    await say(yard, bot, 4, "fetch")
    assert (api.calls[-1].method, api.calls[-1].params["file_id"]) == ("getFile", "id-1001")


async def test_a_file_that_is_not_uploaded_yet_cannot_be_fetched_and_the_reason_is_said(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    async def handler(update, context):
        sent = await update.message.reply_document(b"text", filename="a.txt")
        await sent.document.get_file()
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    assert api.calls == []
    ((reason,),) = rows(yard, "SELECT reason FROM dead_letters")
    assert "not uploaded yet" in reason
    assert "direct(context)" in reason
