"""``botyard run mybot.py``: a script as it is, on the simulator, with the next version a moment after it is saved."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until

PERSON = 6_710_000_001
SCRIPT = """
import os
from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


async def hello(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Hello from my laptop")


async def count(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.user_data["n"] = context.user_data.get("n", 0) + 1
    await update.message.reply_text(f"You wrote {context.user_data['n']} times")


def main() -> None:
    application = Application.builder().token(os.environ["MY_OWN_TOKEN"]).build()
    application.add_handler(CommandHandler("hello", hello))
    application.add_handler(MessageHandler(filters.TEXT, count))
    application.run_polling()


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my first.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.timeout(180)
def test_a_script_runs_as_it_is_and_a_saved_change_is_in_use_within_two_seconds(
    run: Run, script: Path, ports: dict[str, str]
) -> None:
    simulator = Simulator(int(ports["SIMULATOR_PORT"]))
    run.folder = script.parent
    run.start(script.name)
    assert f"Your bot @my_first_bot lives on the simulator. Chat with it:  {simulator.url}/" in run.log.read_text()
    (bot,) = (one["id"] for one in simulator.get("/sim/bots")["bots"] if one["username"] == "my_first_bot")

    def ask(text: str) -> None:
        simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": text}])

    def said() -> list[str]:
        calls = [event for event in simulator.history() if event["kind"] == "call" and event["bot_id"] == bot]
        return [event["params"]["text"] for event in calls if event["method"] == "sendMessage"]

    ask("/hello")
    ask("one")
    wait_until(lambda: said() == ["Hello from my laptop", "You wrote 1 times"], 30, "the script answers")

    script.write_text(SCRIPT.replace("my laptop", "the new version"))
    saved = time.monotonic()
    while "Hello from the new version" not in said():
        ask("/hello")
        time.sleep(0.2)
        assert time.monotonic() < saved + 2, said()

    script.write_text("this is no Python")
    ask("two")
    wait_until(lambda: said()[-1] == "You wrote 2 times", 10, "the version before goes on while the file is broken")

    script.write_text(SCRIPT)
    run.interrupt()
    run.start(script.name)
    ask("three")
    wait_until(lambda: said()[-1:] == ["You wrote 3 times"], 30, "it goes on where it was")
    run.interrupt()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from telegram import Bot\nimport asyncio\nasyncio.run(Bot('1:A').initialize())", "a Bot of its own"),
        ("print('nothing else')", "it ended, and built no application"),
        ("import telegramm", "ModuleNotFoundError at broken.py:1"),
    ],
)
def test_what_cannot_run_is_refused_at_once_with_the_reason_and_the_remedy(
    tmp_path: Path, code: str, words: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    command = [sys.executable, "-m", "botyard.cli", "run", "broken.py"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode != 0
    assert words in told.stderr + told.stdout
    assert "Traceback" not in told.stderr
    assert not (tmp_path / ".botyard").exists(), "nothing was begun"
