"""The first evening with Botyard, job by job, with the time or the number of steps that each takes.

Two further jobs stand in other files: a traceback beside the chat in test_development.py, and the demo bot's
conversation in test_run_command.py.
"""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from botyard.embedded import free_port
from tests import commands
from tests.e2e.running import Run
from tests.e2e.telegram import Telegram
from tests.e2e.yard import Simulator, wait_until

TOKEN: Final = "4500000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
NEW_TOKEN: Final = "4500000001:AAF_another-one_of-35-characters_xx"
BOT, DEMO = 4500000001, 7_000_000_001
PERSON = 6_900_000_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def telegram() -> Iterator[Simulator]:
    """Stands for Telegram, beside the simulator of the run."""
    process = Telegram().wait_until_ready()
    simulator = Simulator(process.port)
    simulator.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")
    yield simulator
    process.stop()


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory, telegram: Simulator) -> Iterator[Run]:
    names = ("WEB_PORT", "SIMULATOR_PORT", "FLOWER_PORT")
    ports = {name: str(free_port()) for name in names}
    run = Run(tmp_path_factory.mktemp("evening") / "state", **ports, API_URL=telegram.url, BACKOFF_SECONDS="0.1")
    yield run
    if run.process is not None and run.process.poll() is None:
        run.process.kill()


def botyard(run: Run, *words: str, answer: str | None = None) -> "subprocess.CompletedProcess[str]":
    return commands.botyard(run.environment, *words, given=answer or "")


def said(telegram: Simulator, bot: int) -> list[str]:
    calls = [event for event in telegram.history() if event["kind"] == "call" and event["bot_id"] == bot]
    return [event["params"]["text"] for event in calls if event["method"] == "sendMessage"]


def write(telegram: Simulator, bot: int, text: str) -> None:
    telegram.post("/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": text}])


def report(job: str, seconds: float, steps: str) -> None:
    print(f"{job}: {seconds:.1f} s, {steps}")


def test_1_one_command_and_the_page_is_open_within_a_minute(evening: Run) -> None:
    began = time.monotonic()
    evening.start()
    address = f"http://127.0.0.1:{evening.environment['SIMULATOR_PORT']}/"
    with urllib.request.urlopen(address, timeout=5) as page:
        assert b"<html" in page.read()
    assert address in evening.log.read_text()
    seconds = time.monotonic() - began
    report("start", seconds, "1 command")
    assert seconds < 60


def test_2_a_bot_answers_without_telegram(evening: Run) -> None:
    simulator = Simulator(int(evening.environment["SIMULATOR_PORT"]))
    began = time.monotonic()
    write(simulator, DEMO, "/start")
    wait_until(lambda: bool(said(simulator, DEMO)), 15, "the demo bot answers")
    report("first answer of the demo bot", time.monotonic() - began, "0 steps, 1 message")


def test_3_a_real_bot_is_connected_by_one_command(evening: Run, telegram: Simulator) -> None:
    began = time.monotonic()
    added = botyard(evening, "bot", "add", "--kind", "demo", answer=f"{TOKEN}\n")
    seconds = time.monotonic() - began
    assert added.returncode == 0, added.stderr
    assert "@own_bot is connected by long polling" in added.stdout
    report("a bot of one's own", seconds, "1 command, 1 field")
    write(telegram, BOT, "/count")
    wait_until(lambda: bool(said(telegram, BOT)), 20, "it answers")


def test_4_why_it_is_silent_is_one_sentence_with_its_remedy(evening: Run, telegram: Simulator) -> None:
    telegram.post("/sim/bots", token=NEW_TOKEN, username="own_bot", name="Own")
    began = time.monotonic()
    why = botyard(evening, "bot", "why", "@own_bot")
    report("why a bot is silent", time.monotonic() - began, "1 command")
    assert why.returncode == 1
    assert "token" in why.stdout.lower()
    assert "→" in why.stdout, "each trouble has its remedy"
    assert TOKEN.partition(":")[2] not in why.stdout + why.stderr


def test_5_a_new_token_mends_it(evening: Run, telegram: Simulator) -> None:
    before = len(said(telegram, BOT))
    added = botyard(evening, "bot", "add", answer=f"{NEW_TOKEN}\n")
    assert added.returncode == 0, added.stderr
    write(telegram, BOT, "/count")
    wait_until(lambda: len(said(telegram, BOT)) > before, 60, "it answers again")


def test_6_a_pause_is_one_command_and_loses_nothing(evening: Run, telegram: Simulator) -> None:
    before = len(said(telegram, BOT))
    assert botyard(evening, "bot", "pause", "@own_bot").returncode == 0
    time_to_notice = time.monotonic()
    write(telegram, BOT, "/count")
    wait_until(lambda: telegram.get("/sim/pending")["bots"][str(BOT)] == 0, 30, "it was taken in")
    assert botyard(evening, "bot", "resume", "@own_bot").returncode == 0
    wait_until(lambda: len(said(telegram, BOT)) == before + 1, 30, "what waited is answered")
    report("pause and go on", time.monotonic() - time_to_notice, "2 commands")


def test_7_an_upgrade_is_one_command_and_keeps_everything(evening: Run, telegram: Simulator) -> None:
    before = len(said(telegram, BOT))
    evening.interrupt()
    write(telegram, BOT, "/count")
    began = time.monotonic()
    evening.start()
    wait_until(lambda: len(said(telegram, BOT)) == before + 1, 60, "what was written meanwhile is answered")
    seconds = time.monotonic() - began
    count = before + 1
    assert said(telegram, BOT)[-1] == f"This is message number {count} from you."
    report("stop, start again with what was there", seconds, "1 command")
    assert seconds < 60


def test_8_everything_is_removed_by_one_command(evening: Run) -> None:
    state = Path(evening.environment["STATE_DIR"])
    refused = botyard(evening, "erase", "--yes")
    assert refused.returncode == 1
    assert "Stop it first" in refused.stderr
    evening.interrupt()
    unasked = botyard(evening, "erase")
    assert unasked.returncode == 2
    assert state.exists()
    began = time.monotonic()
    assert botyard(evening, "erase", "--yes").returncode == 0
    assert not state.exists()
    report("remove everything", time.monotonic() - began, "1 command")


def test_a_folder_that_is_not_ours_is_never_erased(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter.txt").write_text("dear")
    refused = botyard(Run(precious), "erase", "--yes")
    assert refused.returncode == 1
    assert (precious / "letter.txt").exists()
