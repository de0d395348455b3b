"""The chat page in a browser, the simulator behind it, and a bot that does what a test says."""

import json
import os
import shutil
import struct
import urllib.request
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.e2e.yard import Simulator
from tests.unit.simulator.process import BOT, TOKEN, Process

_PATIENCE_SECONDS = 20
PERSON_KEY = "botyard-simulator-person"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
STILL = """() => document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getTiming().iterations > 9)"""
WIDER = """() => [document.documentElement, ...document.querySelectorAll(".scroller, .chats, .foot, #faults, dialog")]
    .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth)
    .map((box) => `${box.id || box.className || box.tagName}: ${box.scrollWidth} in ${box.clientWidth}`)"""
OTHER_BOT = 4200000002
OTHER_TOKEN = "4200000002:BBBB"


class Stage:
    """One simulator with a bot and Alex, and pages that look at it.

    Args:
        process: the running simulator.
        browser: opens the pages.
    """

    def __init__(self, process: Process, browser: Browser) -> None:
        self.process = process
        self.simulator = Simulator(process.port)
        self.browser = browser
        self.complaints: list[str] = []
        self.contexts: list[BrowserContext] = []
        self.simulator.post("/sim/bots", token=TOKEN, username="demo_bot", name="Kennel demo")
        self.simulator.post("/sim/settings", flood=False)
        self.alex: int = self.person("Alex")

    def person(self, name: str) -> int:
        """A new person; their id."""
        return int(self.simulator.post("/sim/people", first_name=name, language_code="en")["id"])

    def call(self, method: str, *, token: str = TOKEN, **params: Any) -> Any:
        """The bot calls a method; what it returns."""
        return self.simulator.post(f"/bot{token}/{method}", **params)["result"]

    def says(self, text: str, **more: Any) -> int:
        """The bot writes to Alex; the message's id."""
        params: dict[str, Any] = {"chat_id": self.alex, "text": text} | more
        return int(self.call("sendMessage", **params)["message_id"])

    def hears(self, text: str, *, person: int = 0, bot: int = BOT, **more: Any) -> dict[str, Any]:
        """A person writes to the bot, past the page."""
        sent: dict[str, Any] = self.simulator.post(
            "/sim/send", bot_id=bot, person_id=person or self.alex, text=text, **more
        )
        return sent

    def upload(self, method: str, fields: dict[str, Any], files: dict[str, tuple[str, bytes]]) -> Any:
        """The bot calls a method with files, as a form."""
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
            + (value if isinstance(value, str) else json.dumps(value)).encode()
            for name, value in fields.items()
        ]
        parts += [
            f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{shown}"\r\n\r\n'.encode() + content
            for name, (shown, content) in files.items()
        ]
        request = urllib.request.Request(
            f"{self.simulator.url}/bot{TOKEN}/{method}",
            data=b"\r\n".join(parts) + b"\r\n--x--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]

    def open(self, *, width: int = 1180, height: int = 800, theme: str = "light", wait: bool = True) -> Page:
        """Alex opens the page."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
        )
        self.contexts.append(context)
        remembered = json.dumps(json.dumps({"id": self.alex, "first_name": "Alex"}))
        context.add_init_script(
            f"localStorage.getItem('{PERSON_KEY}') ?? localStorage.setItem('{PERSON_KEY}', {remembered})"
        )
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.simulator.url)
        if wait:
            expect(page.get_by_role("textbox", name="Message")).to_be_visible()
        return page

    def close(self) -> None:
        """Close all pages and stop the simulator."""
        for context in self.contexts:
            context.close()
        self.process.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without one the tests are skipped, but fail in CI."""
    found = shutil.which("chromium")
    if found is None:
        reason = "no chromium on this machine: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Of a module and not of the session: while Playwright runs, no asynchronous test can.
    with sync_playwright() as playwright:
        # Longer than its own five seconds: of a password that takes a core for a moment while four tests share two.
        expect.set_options(timeout=_PATIENCE_SECONDS * 1000)
        launched = playwright.chromium.launch(executable_path=found, headless=True, args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    made = Stage(Process().wait_until_ready(), browser)
    yield made
    made.close()
    # A picture or sound that a bot made up is no fault of the page.
    assert [line for line in made.complaints if "Failed to load resource" not in line] == []


def bubbles(page: Page) -> Locator:
    """All messages that are shown."""
    return page.locator(".bubble")


def last(page: Page) -> Locator:
    """The newest message."""
    return page.locator(".bubble").last


def write(page: Page, text: str) -> None:
    """Type and send."""
    field = page.get_by_role("textbox", name="Message")
    field.fill(text)
    field.press("Enter")


def choose(page: Page, message: Locator, entry: str) -> None:
    """Choose an entry of a message's menu."""
    message.hover()
    message.locator("xpath=..").get_by_role("button", name="More about this message").click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def assert_accessible(page: Page, where: str) -> None:
    """Let axe look at the page as it is now, with movement over."""
    page.wait_for_function(STILL)
    found = Axe().run(page).response["violations"]
    told = [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]
    assert told == [], f"{where}: {told}"


def assert_no_sideways_scroll(page: Page) -> None:
    """Nothing is wider than its place: neither the page in its window nor what scrolls within it."""
    wide = page.evaluate(WIDER)
    assert wide == [], wide


def picture(width: int = 320, height: int = 200) -> bytes:
    """A PNG with a gradient."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (90, y % 256, x % 256)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
