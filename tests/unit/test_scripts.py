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
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.scripts import SourceVersions
from tests.e2e.yard import wait_until

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


def of_callback(looked: Looked, name: str) -> Any:
    return vars(looked.application.handlers[0][0].callback)[name]


def test_two_scripts_have_neighbours_of_the_same_name(tmp_path: Path) -> None:
    for name in ("one", "other"):
        folder = tmp_path / name
        (folder / "handlers").mkdir(parents=True)
        (folder / "config.py").write_text(f"NAME = {name!r}")
        # As the platform has one, and the standard library.
        (folder / "db.py").write_text("import config\nimport json\nWHO = config.NAME + json.dumps(1)")
        (folder / "handlers" / "__init__.py").write_text("")
        (folder / "handlers" / "start.py").write_text("from . import texts\nfrom config import NAME")
        (folder / "handlers" / "texts.py").write_text("import db\nHELLO = db.WHO")
        late = "def late():\n    import extra\n    return extra.VALUE\n"
        says = "start.says = (config.NAME, handlers.start.texts.HELLO, db.WHO, late)\n"
        (folder / "extra.py").write_text(f"VALUE = {name!r}")
        body = HEAD + "import config, db\nimport handlers.start\n" + late + says + BUILT + "application.run_polling()"
        (folder / "mybot.py").write_text(body)
    looks = [look_at(str(tmp_path / name / "mybot.py")) for name in ("one", "other")]
    said = [of_callback(looked, "says") for looked in looks]
    assert [one[:3] for one in said] == [("one", "one1", "one1"), ("other", "other1", "other1")]
    import db

    assert Path(str(db.__file__)).parent.name == "db", "the platform has its own"


def test_tokens_of_other_services_are_left_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_TOKEN", "of the bank")
    path = write("""
    start.tokens = [os.environ[name] for name in ("PAYMENT_TOKEN", "GITHUB_TOKEN", "BOT_TOKEN")]
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.run_polling()
    """)
    made: list[OutboxBot] = []

    def make_bot(options: Any) -> OutboxBot:
        made.append(OutboxBot("7:real", "http://127.0.0.1:9/bot", AiohttpRequest(1), {}, options=options))
        return made[-1]

    application = scripts.Script(Path(path)).run(make_bot, "7:real")
    application.retire()
    found: Any = application.handlers[0][0].callback
    assert vars(found)["tokens"] == ["of the bank", scripts.NO_TOKEN, "7:real"]


def test_what_a_script_puts_into_the_environment_is_not_what_another_finds(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "of the platform")
    body = """
    os.environ.setdefault("API_KEY_OF_MINE", "{name}")
    os.environ.setdefault("DATABASE_URL", "{name}'s")
    start.found = os.environ["API_KEY_OF_MINE"], os.environ["DATABASE_URL"]
    """
    end = BUILT + "application.run_polling()"
    try:
        looks = [
            look_at(write(textwrap.dedent(body.format(name=name)) + end, f"{name}.py"))
            for name in ("one", "two", "one")
        ]
        found = [of_callback(looked, "found") for looked in looks]
        assert found == [("one", "one's"), ("two", "two's"), ("one", "one's")]
        assert os.environ["DATABASE_URL"] == "of the platform"
    finally:
        os.environ.pop("API_KEY_OF_MINE", None)


def test_what_a_script_opens_stays_open_and_can_be_used_by_its_handlers(write: Write) -> None:
    path = write(
        "import sqlite3\ndatabase = sqlite3.connect(':memory:')\nasyncio.get_event_loop()\n"
        "start.uses = lambda: database.execute('SELECT 1').fetchone()\n"
        + BUILT
        + "try:\n    application.run_polling()\nfinally:\n    database.close()\n    start.closed.set()\n"
        + "    raise RuntimeError('nobody hears this')\n"
    )
    path_of_closed = "import threading\nstart.closed = threading.Event()\n"
    Path(path).write_text(Path(path).read_text().replace("import sqlite3", path_of_closed + "import sqlite3"))
    application = scripts.Script(Path(path)).run(
        lambda options: OutboxBot("7:real", "http://127.0.0.1:9/bot", AiohttpRequest(1), {}, options=options), "7:real"
    )
    callback: Any = application.handlers[0][0].callback
    assert vars(callback)["uses"]() == (1,)
    modules = [name for name in sys.modules if name.startswith(callback.__module__.partition(".")[0])]
    assert modules
    application.retire()
    assert vars(callback)["closed"].wait(5)
    wait_until(lambda: not set(modules) & set(sys.modules), 5, "its modules are forgotten")
