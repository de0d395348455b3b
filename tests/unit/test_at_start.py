"""What a bot's author puts into bot_data while the application is built or begins."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from telegram.ext import ContextTypes, MessageHandler, filters

from botyard.errors import InputError
from botyard.jobs.stored import StoredJobs
from tests.factories import message
from tests.unit.conftest import Start, Talk


@dataclass
class Seen:
    words: list[str] = field(default_factory=list)


async def begin(talk: Talk) -> None:
    # There is no database here, and so no job.
    talk.application._job_queue = None
    await talk.application.open(5, StoredJobs(1, 1), 1)


def noting(application: Any) -> None:
    async def handler(update: Any, context: Any) -> None:
        context.bot_data["seen"].append(update.message.text)
        with context.bot_data["lock"]:
            await update.message.reply_text(f"{context.bot_data['greeting']} {len(context.bot_data['seen'])}")

    application.bot_data["greeting"] = "hi"
    application.bot_data["seen"] = []
    application.bot_data["lock"] = threading.Lock()
    application.add_handler(MessageHandler(filters.ALL, handler))


async def test_it_is_there_in_every_run_and_only_what_handlers_change_is_remembered(talk_with: Start) -> None:
    talk = await talk_with(noting)
    await begin(talk)
    first = await talk.give(message(1, "a"))
    assert first.errors == []
    assert talk.bot.data == {"seen": ["a"]}, "neither what is as it was nor what cannot be kept"
    second = await talk.give(message(2, "b"))
    assert [run.sends[0].params["text"] for run in (first, second)] == ["hi 1", "hi 2"]
    assert talk.bot.data == {"seen": ["a", "b"]}


async def test_runs_side_by_side_do_not_share_what_can_be_remembered(talk_with: Start) -> None:
    one, other = await talk_with(noting), None
    await begin(one)
    await one.give(message(1, "a"))
    other = one.bot
    one.bot = type(other)()
    await one.give(message(2, "b"))
    assert one.bot.data == {"seen": ["b"]}, "the list of the beginning is as it was"


async def test_what_post_init_puts_there_counts_too_and_one_that_fails_names_its_line(talk_with: Start) -> None:
    async def note(application: Any) -> None:
        application.bot_data["begun"] = True

    async def fail(_: Any) -> None:
        raise ValueError("no such service")

    def kind(application: Any) -> None:
        async def handler(update: Any, context: Any) -> None:
            await update.message.reply_text(str(context.bot_data))

        application.post_init = note
        application.add_handler(MessageHandler(filters.ALL, handler))

    talk = await talk_with(kind)
    await begin(talk)
    run = await talk.give(message(1, "a"))
    assert run.sends[0].params["text"] == "{'begun': True}"
    talk.application.post_init = fail
    with pytest.raises(
        InputError, match=r"its post_init failed: ValueError at .*test_at_start\.py:\d+: no such service"
    ):
        await begin(talk)


async def test_memory_of_the_bots_own_classes_is_there_from_the_first_update(talk_with: Start) -> None:
    def kind(application: Any) -> None:
        async def handler(update: Any, context: Any) -> None:
            if update.message.text != "look":
                context.chat_data.words.append(update.message.text)
            await update.message.reply_text(f"{context.chat_data.words} {context.user_data.words}")

        application.context_types = ContextTypes(chat_data=Seen, user_data=Seen)
        application.add_handler(MessageHandler(filters.ALL, handler))

    talk = await talk_with(kind)
    untouched = await talk.give(message(1, "look"))
    assert (untouched.errors, talk.chat.data) == ([], {}), "what is as new is not written down"
    run = await talk.give(message(2, "a"))
    assert run.sends[0].params["text"] == "['a'] []"
    assert talk.chat.data == Seen(["a"])
    assert talk.user.data == {}
