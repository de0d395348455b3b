import asyncio
from importlib.metadata import EntryPoints, entry_points
from typing import Any

import pytest
from telegram import InputMediaPhoto, ReplyParameters
from telegram.ext import ApplicationHandlerStop, CommandHandler, ConversationHandler, MessageHandler, filters

from botyard.errors import InputError
from botyard.state.codec import Codec
from botyard.telegram import loading
from botyard.telegram.loading import find_kind
from botyard.telegram.run import Lane, UpdateRun, of_provisional_id
from tests.factories import CHAT, message
from tests.unit.conftest import Start, Talk

ANYTHING = filters.ALL


async def run_handler(talk_with: Start, handler: Any, *, last_attempt: bool = False) -> tuple[Talk, UpdateRun]:
    talk = await talk_with(lambda application: application.add_handler(MessageHandler(ANYTHING, handler)))
    return talk, await talk.give(message(12, "hello"), last_attempt=last_attempt)


async def test_a_sent_message_has_a_provisional_id_that_later_calls_refer_to(talk_with: Start) -> None:
    async def handler(update: Any, context: Any) -> None:
        first = await update.message.reply_text("one")
        assert (first.text, first.chat.id, first.from_user.id) == ("one", CHAT, context.bot.id)
        second = await update.message.reply_text("two", reply_parameters=ReplyParameters(first.message_id))
        assert await second.edit_text("two!") is not True
        assert await first.delete() is True

    _, run = await run_handler(talk_with, handler)
    assert run.errors == []
    sent, answer, edit, gone = run.sends
    assert of_provisional_id(answer.params["reply_parameters"]["message_id"]) == (12, 1)
    assert [one.after and of_provisional_id(one.after) for one in run.sends] == [None, (12, 1), (12, 2), (12, 1)]
    assert [one.method for one in (sent, edit, gone)] == ["sendMessage", "editMessageText", "deleteMessage"]


async def test_an_edited_provisional_message_keeps_its_id(talk_with: Start) -> None:
    async def handler(update: Any, _: Any) -> None:
        sent = await update.message.reply_text("one")
        await update.message.reply_text("between")
        edited = await sent.edit_text("two")
        assert (edited.message_id, edited.text) == (sent.message_id, "two")

    assert (await run_handler(talk_with, handler))[1].errors == []


async def test_what_needs_an_answer_goes_to_telegram_at_once(talk_with: Start) -> None:
    async def handler(update: Any, context: Any) -> None:
        await context.bot.send_chat_action(update.effective_chat.id, "typing")
        await context.bot.send_dice(update.effective_chat.id)
        await context.bot.set_chat_photo(update.effective_chat.id, b"bytes of a picture")

    talk, run = await run_handler(talk_with, handler)
    assert [name for name, _ in talk.network.calls] == ["sendChatAction", "sendDice", "setChatPhoto"]
    assert run.sends == []


async def test_media_given_by_id_are_queued_as_plain_values(talk_with: Start) -> None:
    async def handler(update: Any, _: Any) -> None:
        sent = await update.message.reply_photo("a-file-id", caption="c")
        await sent.edit_media(InputMediaPhoto("another-id", caption="d"))

    _, run = await run_handler(talk_with, handler)
    assert run.errors == []
    assert run.sends[1].params["media"] == {"type": "photo", "media": "another-id", "caption": "d"}


async def test_handlers_of_several_updates_run_side_by_side_with_a_memory_each(talk_with: Start) -> None:
    barrier = asyncio.Barrier(2)

    async def handler(update: Any, context: Any) -> None:
        context.chat_data["text"] = context.user_data["text"] = update.message.text
        await barrier.wait()
        await update.message.reply_text(context.chat_data["text"])

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, handler))

    one = await talk_with(kind)
    other = Talk(one.application, one.network)
    runs = await asyncio.gather(one.give(message(1, "a", 5)), other.give(message(2, "b", 6)))
    assert [run.sends[0].params["text"] for run in runs] == ["a", "b"]
    assert (one.chat.data, other.user.data) == ({"text": "a"}, {"text": "b"})


async def test_an_error_is_noted_and_keeps_the_bots_error_handlers_for_the_last_attempt(talk_with: Start) -> None:
    async def broken(update: Any, _: Any) -> None:
        await update.message.reply_text("never seen")
        raise ValueError("broken")

    async def sorry(update: Any, context: Any) -> None:
        await update.message.reply_text(f"sorry: {context.error}")

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, broken))
        application.add_error_handler(sorry)

    talk = await talk_with(kind)
    first = await talk.give(message(1))
    assert [str(error) for error in first.errors] == ["broken"]
    assert "sorry" not in [send.params["text"] for send in first.sends]
    last = await talk.give(message(1), last_attempt=True)
    assert [send.params["text"] for send in last.sends] == ["sorry: broken"]


async def test_what_the_first_error_handler_sent_survives_a_second_error(talk_with: Start) -> None:
    async def broken(_: Any, __: Any) -> None:
        raise ValueError("broken")

    async def sorry(update: Any, _: Any) -> None:
        await update.message.reply_text("sorry")

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, broken, block=False), group=0)
        application.add_handler(MessageHandler(ANYTHING, broken, block=False), group=1)
        application.add_error_handler(sorry)

    run = await (await talk_with(kind)).give(message(1), last_attempt=True)
    assert len(run.sends) == len(run.errors) == 2


async def test_no_handler_of_a_later_group_acts_for_an_update_that_has_failed(talk_with: Start) -> None:
    async def broken(_: Any, __: Any) -> None:
        raise ValueError("broken")

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, broken), group=0)
        application.add_handler(MessageHandler(ANYTHING, answer), group=1)

    run = await (await talk_with(kind)).give(message(1), last_attempt=True)
    assert (len(run.errors), run.sends) == (1, [])


@pytest.mark.parametrize("block", [True, False])
async def test_an_error_handlers_sends_are_there_when_the_run_ends(talk_with: Start, *, block: bool) -> None:
    async def broken(_: Any, __: Any) -> None:
        raise ValueError("broken")

    async def sorry(update: Any, _: Any) -> None:
        await asyncio.sleep(0.01)
        await update.message.reply_text("sorry")

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, broken))
        application.add_error_handler(sorry, block=block)

    run = await (await talk_with(kind)).give(message(1), last_attempt=True)
    assert [send.params["text"] for send in run.sends] == ["sorry"]


async def test_handlers_and_tasks_that_do_not_block_belong_to_the_update(talk_with: Start) -> None:
    async def late(update: Any, context: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            await update.message.reply_text("later")

        await asyncio.sleep(0.01)
        context.application.create_task(later())
        context.chat_data["seen"] = True

    talk = await talk_with(lambda app: app.add_handler(MessageHandler(ANYTHING, late, block=False)))
    run = await talk.give(message(1))
    assert [send.params["text"] for send in run.sends] == ["later"]
    assert talk.chat.data == {"seen": True}


async def test_an_error_of_a_task_is_the_updates_error(talk_with: Start) -> None:
    async def late(_: Any, __: Any) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("late")

    talk = await talk_with(lambda app: app.add_handler(MessageHandler(ANYTHING, late, block=False)))
    assert [str(error) for error in (await talk.give(message(1))).errors] == ["late"]


async def test_a_handler_may_stop_the_others(talk_with: Start) -> None:
    async def stop(_: Any, __: Any) -> None:
        raise ApplicationHandlerStop

    async def unwanted(update: Any, _: Any) -> None:
        await update.message.reply_text("not wanted")

    def kind(application: Any) -> None:
        application.add_handler(MessageHandler(ANYTHING, stop), group=0)
        application.add_handler(MessageHandler(ANYTHING, unwanted), group=1)

    run = await (await talk_with(kind)).give(message(1))
    assert (run.errors, run.sends) == ([], [])


async def test_what_a_task_of_nobody_sends_after_the_update_is_not_lost_silently(talk_with: Start) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def handler(update: Any, _: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            await update.message.reply_text("later")

        tasks.append(asyncio.create_task(later()))

    talk, run = await run_handler(talk_with, handler)
    assert run.sends == []
    (outcome,) = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcome, Exception) or talk.network.calls, "neither refused, nor sent directly"


async def answer(update: Any, _: Any) -> int:
    await update.effective_message.reply_text("asked")
    return 1


@pytest.mark.parametrize("block", [True, False])
async def test_a_conversations_state_can_be_kept_whether_its_handlers_block_or_not(
    talk_with: Start, *, block: bool
) -> None:
    conversation: Any = ConversationHandler(
        [CommandHandler("go", answer, block=block)], {1: [MessageHandler(ANYTHING, answer)]}, [], name="talk"
    )
    talk = await talk_with(lambda application: application.add_handler(conversation))
    await talk.give(message(1, "/go"))
    assert Codec().dump(talk.chat, "chat_data") == {"talks": {"talk": [[[CHAT, CHAT], 1]]}}


async def stay(update: Any, _: Any) -> None:
    await update.effective_message.reply_text("again, please")


@pytest.mark.parametrize("block", [True, False])
async def test_a_handler_that_names_no_state_stays_in_the_conversation(talk_with: Start, *, block: bool) -> None:
    conversation: Any = ConversationHandler(
        [CommandHandler("go", answer)], {1: [MessageHandler(ANYTHING, stay, block=block)]}, [], name="talk"
    )
    talk = await talk_with(lambda application: application.add_handler(conversation))
    await talk.give(message(1, "/go"))
    await talk.give(message(2, "what?"))
    assert Codec().dump(talk.chat, "chat_data") == {"talks": {"talk": [[[CHAT, CHAT], 1]]}}


async def test_a_conversation_with_a_person_is_kept_with_the_person(talk_with: Start) -> None:
    conversation: Any = ConversationHandler(
        [CommandHandler("go", answer)], {1: [MessageHandler(ANYTHING, answer)]}, [], per_chat=False
    )
    talk = await talk_with(lambda application: application.add_handler(conversation))
    await talk.give(message(1, "/go"))
    assert (talk.chat.talks, talk.user.talks) == ({}, {"0/0": {(CHAT,): 1}})


async def test_conversations_within_conversations_have_states_of_their_own(talk_with: Start) -> None:
    inner: Any = ConversationHandler([CommandHandler("in", answer)], {1: [MessageHandler(ANYTHING, answer)]}, [])
    outer: Any = ConversationHandler([CommandHandler("go", answer)], {1: [inner]}, [])
    talk = await talk_with(lambda application: application.add_handler(outer))
    for number, text in enumerate(["/go", "/in", "more"], 1):
        await talk.give(message(number, text))
    assert talk.chat.talks == {"0/0": {(CHAT, CHAT): 1}, "0/0/state 1/0": {(CHAT, CHAT): 1}}


async def test_outside_an_update_a_bot_talks_to_telegram_itself(talk_with: Start) -> None:
    talk = await talk_with(lambda _: None)
    assert await talk.application.bot.send_message(5, "direct") is True
    assert [name for name, _ in talk.network.calls] == ["sendMessage"]
    assert (await talk.application.bot.get_me()).username == "demo_bot"


async def test_answers_of_queries_are_urgent_and_stay_in_the_order_of_their_mailbox(talk_with: Start) -> None:
    async def handler(_: Any, context: Any) -> None:
        await context.bot.answer_inline_query("q", [])
        await context.bot.send_message(99, "elsewhere")
        await context.bot.send_message("@channel", "there")

    _, run = await run_handler(talk_with, handler)
    assert [(send.chat_key, send.lane) for send in run.sends] == [
        (str(CHAT), Lane.URGENT),
        ("99", Lane.REPLY),
        ("@channel", Lane.REPLY),
    ]


def test_a_kind_is_found_by_its_entry_point_or_by_module_and_function() -> None:
    assert find_kind("demo") is find_kind("bots.demo:build")


def test_the_files_of_all_packages_are_read_once_for_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def read(group: str) -> EntryPoints:
        reads.append(group)
        return entry_points(group=group)

    monkeypatch.setattr("botyard.telegram.loading.entry_points", read)
    loading._installed.cache_clear()
    assert find_kind("demo") is find_kind("demo")
    assert "demo" in loading.installed_kinds()
    assert reads == ["botyard.bots"]


@pytest.mark.parametrize("name", ["unknown", "no.such.module:build", "bots.demo:no_such_function", ""])
def test_a_kind_that_is_not_there_is_one_clear_error(name: str) -> None:
    with pytest.raises(InputError) as refused:
        find_kind(name)
    assert refused.value.field == "kind"
    assert refused.value.remedy
