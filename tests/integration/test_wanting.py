"""Which updates a bot's code wants: looked at once for each version, and nobody waits for code that hangs."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from telegram.ext import CommandHandler

from botyard.bots.connection import wanting
from botyard.bots.connection.wanting import known_wanted_of, wanted_of
from botyard.bots.connection.webhooks import Connection, connection_of
from botyard.errors import InputError
from tests.factories import make_bot, until
from tests.services import Services


@pytest.fixture
def bot(clean: Services) -> Connection:
    assert clean
    found = connection_of(make_bot().id)
    assert found is not None
    return found


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was built of kinds that come to an end, and those that do not until the test is over."""
    names: list[str] = []
    over = threading.Event()

    async def hello(*_: Any) -> None: ...

    def quick(application: Any) -> None:
        names.append("quick")
        application.add_handler(CommandHandler("start", hello))

    def hanging(application: Any) -> None:
        assert application
        names.append("hanging")
        over.wait(30)

    module = ModuleType("kinds_that_hang")
    module.__dict__.update(quick=quick, **{f"hanging{number}": hanging for number in range(12)})
    monkeypatch.setitem(sys.modules, "kinds_that_hang", module)
    monkeypatch.setattr(wanting, "_SECONDS", 0.3)
    yield names
    over.set()


async def test_kinds_that_hang_take_no_thread_from_others_and_are_built_once_only(
    bot: Connection, built: list[str]
) -> None:
    hanging = [replace(bot, kind=f"kinds_that_hang:hanging{number}") for number in range(12)]
    results = await asyncio.gather(*map(wanted_of, hanging), return_exceptions=True)
    assert all(isinstance(result, InputError) for result in results)
    began = time.monotonic()
    with pytest.raises(InputError, match="is not built within"):
        await wanted_of(hanging[0])
    assert await known_wanted_of(hanging[1]) is None
    assert "message" in await wanted_of(replace(bot, kind="kinds_that_hang:quick"))
    assert time.monotonic() - began < 0.4
    assert built.count("hanging") == 12


async def test_a_kind_that_came_to_an_end_after_all_is_looked_at_again(
    bot: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    module = ModuleType("kinds_that_are_slow")
    module.__dict__["slow"] = lambda _: over.wait(30)
    monkeypatch.setitem(sys.modules, "kinds_that_are_slow", module)
    monkeypatch.setattr(wanting, "_SECONDS", 0.3)
    slow = replace(bot, kind="kinds_that_are_slow:slow")
    with pytest.raises(InputError, match="is not built within"):
        await wanted_of(slow)
    over.set()
    await until(lambda: not any(thread.name == "kind" for thread in threading.enumerate()))
    assert "my_chat_member" in await wanted_of(slow)


async def test_a_kind_is_looked_at_once_for_each_version_of_the_bot(bot: Connection, built: list[str]) -> None:
    quick = replace(bot, kind="kinds_that_hang:quick")
    for version in (1, 1, 2, 2):
        assert "message" in (await known_wanted_of(replace(quick, config_version=version)) or ())
    assert len(built) == 2


async def test_a_script_is_looked_at_again_when_its_code_was_changed(bot: Connection, tmp_path: Path) -> None:
    script = tmp_path / "changing.py"
    code = (
        "from telegram.ext import Application, {0}\n\nasync def hello(*_): ...\n\n"
        "app = Application.builder().token('1:a').build()\napp.add_handler({0}({1}hello))\napp.run_polling()\n"
    )
    script.write_text(code.format("CommandHandler", "'start', "))
    changing = replace(bot, kind=str(script))
    assert "poll_answer" not in (await known_wanted_of(changing) or ["poll_answer"])
    script.write_text(code.format("PollAnswerHandler", ""))
    assert "poll_answer" in (await known_wanted_of(changing) or ())


async def test_a_kind_that_cannot_be_used_is_tried_again_after_a_while(
    bot: Connection, monkeypatch: pytest.MonkeyPatch, built: list[str]
) -> None:
    late = replace(bot, kind="kinds_that_come:quick")
    assert await known_wanted_of(late) is None
    monkeypatch.setitem(sys.modules, "kinds_that_come", sys.modules["kinds_that_hang"])
    assert await known_wanted_of(late) is None
    assert built == []
    monkeypatch.setattr(wanting, "_BROKEN_SECONDS", 0.0)
    assert "message" in (await known_wanted_of(late) or ())
