"""Scripts as people write them: run as they are, and their applications taken over."""

import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from telegram.constants import ParseMode
from telegram.ext import Application, ApplicationBuilder, CallbackContext, ExtBot

from botyard.errors import InputError
from botyard.telegram import scripts
from botyard.telegram.application import YardApplication
from botyard.telegram.loading import Looked, look_at
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.scripts import SourceVersions

HEAD = """
import asyncio, os, sys
from telegram import Bot, Update
from telegram.ext import Application, ApplicationBuilder, CommandHandler, ContextTypes, Defaults, PicklePersistence

async def start(update, context):
    pass

"""
BUILT = """application = Application.builder().token("1:A").build()
application.add_handler(CommandHandler("start", start))
"""
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a script; its path."""

    def written(body: str, name: str = "mybot.py") -> str:
        path = tmp_path / name
        path.write_text(HEAD + textwrap.dedent(body))
        return str(path)

    return written


def problem(path: str) -> str:
    with pytest.raises(InputError) as refused:
        look_at(path)
    assert refused.value.field == "kind"
    assert refused.value.remedy
    return refused.value.problem


def handlers(looked: Looked) -> int:
    return sum(map(len, looked.application.handlers.values()))


GUARDED = f"""
def main():
{textwrap.indent(BUILT, "    ")}
    application.run_polling(allowed_updates=Update.ALL_TYPES)

if __name__ == "__main__":
    main()
"""
BY_HAND = f"""
async def main():
{textwrap.indent(BUILT, "    ")}
    async with application:
        await application.start()
        await application.updater.start_polling()
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "body",
    [
        GUARDED,
        GUARDED.replace('__name__ == "__main__"', "'__main__' == __name__"),
        BY_HAND,
        BUILT + "application.run_polling()",
        BUILT + "application.run_webhook(listen='0.0.0.0', port=80, webhook_url='https://example.com')",
        BUILT.replace("Application.builder()", "ApplicationBuilder()") + "application.run_polling()",
    ],
)
async def test_however_a_script_begins_to_wait_for_updates_its_application_is_taken_over(
    write: Write, body: str
) -> None:
    looked = look_at(write(body))
    assert isinstance(looked.application, YardApplication)
    assert handlers(looked) == 1
    assert looked.tokens == ["1:A"]


def test_what_the_author_asks_of_the_application_is_kept(write: Write, tmp_path: Path) -> None:
    pickled = tmp_path / "state.pickle"
    looked = look_at(
        write(f"""
        from dataclasses import dataclass
        @dataclass
        class Seen:
            count: int = 0
        class Mine(Application):
            def __init__(self, word, **parts):
                super().__init__(**parts)
                self.word = word
        async def at_start(application):
            pass
        application = (
            Application.builder().token(os.environ["SOME_TOKEN"]).application_class(Mine, {{"word": "x"}})
            .defaults(Defaults(parse_mode="HTML")).arbitrary_callback_data(10).post_init(at_start)
            .context_types(ContextTypes(chat_data=Seen)).persistence(PicklePersistence({str(pickled)!r})).build()
        )
        application.bot_data["known"] = 1
        application.run_polling()
        """)
    )
    application: Any = looked.application
    assert application.word == "x"
    assert application.bot.defaults.parse_mode == ParseMode.HTML
    assert application.bot.callback_data_cache.maxsize == 10
    assert application.post_init.__name__ == "at_start"
    assert type(application.context_types.chat_data()).__name__ == "Seen"
    assert application.bot_data == {"known": 1}
    assert application.persistence is None
    assert not pickled.exists()


def test_a_script_finds_the_token_where_it_looks_for_it_and_the_environment_is_as_before(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_TOKEN", "of another")
    monkeypatch.delenv("SECRET_TOKEN_OF_MINE", raising=False)
    before = dict(os.environ), list(sys.path), list(sys.argv)
    looked = look_at(
        write("""
        assert os.getenv("SECRET_TOKEN_OF_MINE") == os.environ["BOT_TOKEN"] != "of another"
        assert sys.argv == [__file__]
        application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
        application.run_polling()
        """)
    )
    assert looked.tokens != ["of another"]
    assert (dict(os.environ), list(sys.path), list(sys.argv)) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x = 1", "built no application"),
        (BUILT, "ended without running it"),
        ('asyncio.run(Bot("1:A").initialize())', "a Bot of its own"),
        ('Application.builder().bot(Bot("1:A")).build().run_polling()', "a Bot of its own"),
        ('Application.builder().token("1:A").updater(None).build()', "a web server of its own"),
        ("import no_such_module", "ModuleNotFoundError at"),
        ("sys.exit('missing key')", "SystemExit at"),
        ("def broken(:", "SyntaxError at"),
        ("raise ValueError('what is this')", "what is this"),
        ("application = Application.builder().build()\napplication.no_such_thing()", "AttributeError at"),
    ],
)
def test_what_cannot_run_here_says_why_and_where(write: Write, body: str, words: str) -> None:
    said = problem(write(body))
    assert words in said
    assert "mybot.py" in said


def test_a_script_that_never_comes_to_an_end_is_left_behind(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "_SECONDS", 0.2)
    assert "has not come to run_polling()" in problem(write("import threading\nthreading.Event().wait(3)"))


def test_a_path_that_is_wrong_is_said_to_be(tmp_path: Path) -> None:
    assert "No such file" in problem(str(tmp_path / "nothing.py"))


def test_a_script_is_run_anew_with_its_neighbours_when_one_of_them_changed(write: Write, tmp_path: Path) -> None:
    (tmp_path / "texts.py").write_text("HELLO = 'one'")
    path = write(
        "import texts\nasync def later(u, c): pass\nlater.says = texts.HELLO\n"
        + BUILT
        + """
application.add_handler(CommandHandler("later", later))
application.run_polling()
"""
    )
    versions = SourceVersions()
    first = look_at(path)
    before = versions.of(path)
    assert before == versions.of(path) != ""
    (tmp_path / "texts.py").write_text("HELLO = 'two!'")
    assert versions.of(path) != before
    second = look_at(path)
    said = [vars(one.application.handlers[0][1].callback)["says"] for one in (first, second)]
    assert said == ["one", "two!"]
    assert set(second.application.modules) == {"mybot", "texts"}
    assert versions.of("demo") == ""


def test_two_bots_of_one_script_share_nothing(write: Write) -> None:
    path = write("seen = []\n" + GUARDED)
    one, other = (look_at(path).application.modules["mybot"] for _ in range(2))
    assert one.seen is not other.seen


def test_other_applications_are_what_they_were(write: Write) -> None:
    look_at(write(GUARDED))
    plain = ApplicationBuilder().token("1:A").build()
    assert type(plain) is Application
    assert type(plain.bot) is ExtBot
    assert plain.updater is not None


def test_the_bot_of_an_application_shows_no_token(write: Write) -> None:
    looked = look_at(write(BUILT + "application.run_polling()"))
    assert isinstance(looked.application.bot, OutboxBot)
    assert looked.application.bot.token not in repr(looked.application)
    assert CallbackContext(looked.application).bot is looked.application.bot
