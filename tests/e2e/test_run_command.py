"""``botyard run``: from nothing to a conversation in the browser, and back to nothing."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.e2e.running import Run
from tests.e2e.yard import wait_until

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENSHOTS = Path(__file__).parent / "screenshots"


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        reason = "no chromium on this machine: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(QUIET))
        yield browser.new_page(viewport={"width": 1000, "height": 760})
        browser.close()


def _write(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def _last_answer(page: Page, text: str) -> None:
    expect(page.locator(".bubble[data-from=bot]").last).to_contain_text(text, timeout=15_000)


def _converse(page: Page) -> None:
    """Everything the demo bot can do."""
    page.click("#start")
    _last_answer(page, "I am the demo bot")
    steps = [("/order", "your dog's name?"), ("Rex", "colour does Rex like?"), ("blue", "yes or no")]
    for text, answer in [*steps, ("yes", "Done: a blue kennel for Rex."), ("/count", "message number 2 from you")]:
        _write(page, text)
        _last_answer(page, answer)
    _write(page, "/button")
    _last_answer(page, "Not pressed yet.")
    page.locator("button.inline").last.click()
    _last_answer(page, "Pressed 1 times.")


@pytest.mark.timeout(300)
def test_a_person_chats_with_the_demo_bot_and_finds_it_again_after_a_restart(
    run: Run, ports: dict[str, str], page: Page
) -> None:
    first = run.start()
    address = f"http://127.0.0.1:{ports['SIMULATOR_PORT']}/"
    page.goto(address)
    _converse(page)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "conversation.png")
    gone = run.interrupt()
    assert len(gone) > 8
    assert not [pid for pid in gone if psutil.pid_exists(pid)]

    began = time.monotonic()
    second = run.start()
    # What the browser had under way to the one that has ended may end here.
    wait_until(lambda: _opens(page, address), 10, "the page opens again")
    _write(page, "/count")
    _last_answer(page, "message number 3 from you")
    answered = time.monotonic() - began
    run.interrupt()
    print(f"first start {first:.1f} s, second {second:.1f} s, answered after {answered:.1f} s")


def _opens(page: Page, address: str) -> bool:
    try:
        page.goto(address)
    except Error:
        return False
    return True


@pytest.mark.timeout(120)
def test_a_busy_port_ends_the_start_with_one_line_that_says_what_to_do(tmp_path: Path, ports: dict[str, str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports["WEB_PORT"])))
        taken.listen()
        ended = _run_to_its_end(tmp_path, ports)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "WEB_PORT" in ended.stderr


def test_a_state_folder_that_cannot_be_used_ends_the_start_with_one_line(tmp_path: Path, ports: dict[str, str]) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    ended = _run_to_its_end(tmp_path, ports)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert str(tmp_path / "state") in ended.stderr


def test_secrets_that_cannot_be_read_end_the_start_with_one_line_and_are_kept(
    tmp_path: Path, ports: dict[str, str]
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "secrets.json").write_text("{half of it")
    ended = _run_to_its_end(tmp_path, ports)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert (state / "secrets.json").read_text() == "{half of it"


def _run_to_its_end(tmp_path: Path, ports: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    run = Run(tmp_path / "state", **ports)
    return subprocess.run(
        [sys.executable, "-m", "botyard.cli", "run"], env=run.environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
