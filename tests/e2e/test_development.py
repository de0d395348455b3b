"""``make dev``: what is written into a bot's file answers seconds later, and nothing is lost on the way."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until

ROOT = Path(__file__).parents[2]
PERSON = 6_700_000_000
SECONDS = 60


class Workshop:
    """A copy of the code under `botyard run --dev`, and a person who writes to its demo bot."""

    def __init__(self, run: Run, folder: Path) -> None:
        for name in ("bots", "platform", "tasks", "db", "celeryconfig.py"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        run.environment |= {
            "PYTHONPATH": f"{folder}:{folder / 'platform'}",
            "BACKOFF_SECONDS": "0.2",
            "LOG_FORMAT": "console",
            "LIMIT_PRIVATE_BURST": "1000",
        }
        run.folder = folder
        self.run = run
        self.handlers = folder / "bots" / "demo" / "handlers.py"
        self.simulator = Simulator(int(run.environment["SIMULATOR_PORT"]))
        self.written = 0

    def change(self, old: str, new: str) -> None:
        code = self.handlers.read_text()
        assert old in code
        self.handlers.write_text(code.replace(old, new))

    def write(self, times: int = 1) -> None:
        bot = self.simulator.get("/sim/bots")["bots"][0]["id"]
        for _ in range(times):
            self.written += 1
            self.simulator.post(
                "/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": f"number {self.written}"}]
            )

    @property
    def said(self) -> list[str]:
        calls = [event for event in self.simulator.history() if event["kind"] == "call"]
        return [call["params"]["text"] for call in calls if call["method"] == "sendMessage"]

    def says(self, text: str) -> Callable[[], bool]:
        return lambda: text in self.run.log.read_text()

    @property
    def traced(self) -> list[str]:
        """The lines of tracebacks that lead into the handler."""
        return [line for line in self.run.log.read_text().splitlines() if "handlers.py" in line and "in echo" in line]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, SECONDS, what)


@pytest.mark.timeout(300)
def test_changes_take_effect_errors_are_named_and_nothing_is_lost(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    shop = Workshop(run, folder)
    run.start("--dev")
    shop.wait(shop.says("Watching bots, platform, tasks, db"), "the code is watched")
    shop.simulator.post("/sim/settings", flood=False)  # the limits have tests of their own
    shop.write()
    shop.wait(lambda: shop.said == ["You said: number 1"], "the bot answers")

    shop.change("You said: ", "I heard: ")
    shop.write(20)
    shop.wait(lambda: len(shop.said) == 21, "everything is answered")
    shop.wait(shop.says("The new code runs"), "the new code runs")
    shop.write()
    shop.wait(lambda: shop.said[-1] == "I heard: number 22", "the new code answers")
    assert [text.rpartition(" ")[2] for text in shop.said] == [str(n) for n in range(1, 23)]

    shop.change("I heard: ", 'I " heard: ')
    shop.wait(shop.says("SyntaxError at"), "the error is named")
    assert "bots/demo/handlers.py:" in run.log.read_text()
    assert "This cannot run. Mend it" in run.log.read_text()
    shop.write()
    shop.wait(lambda: shop.said[-1] == "I heard: number 23", "the old code goes on")

    shop.change('I " heard: ', "{[][0]}")
    shop.wait(lambda: run.log.read_text().count("The new code runs") == 2, "the mended code runs")
    shop.write()

    shop.wait(lambda: bool(shop.traced), "the traceback is shown")
    assert "| " in shop.traced[0]  # a line of its own behind the worker's name, not one of many within a string
    assert "\\n" not in shop.traced[0]
    bot = shop.simulator.get("/sim/bots")["bots"][0]["id"]
    address = f"/sim/notes?bot_id={bot}&chat_id={PERSON}"
    shop.wait(lambda: bool(shop.simulator.get(address)["notes"]), "the chat page has it beside the chat")
    assert "in echo" in shop.simulator.get(address)["notes"][0]["text"]
    run.interrupt()


@pytest.mark.timeout(240)
def test_what_cannot_start_waits_for_its_next_change(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    shop = Workshop(run, folder)
    shop.change("async def echo", "async def echo(")
    starting = threading.Thread(target=run.start, args=("--dev",))
    starting.start()
    shop.wait(lambda: run.log.exists() and "This cannot run" in run.log.read_text(), "the error is named")
    shop.change("async def echo(", "async def echo")
    starting.join(90)
    assert "Botyard is running" in run.log.read_text()
    run.interrupt()
