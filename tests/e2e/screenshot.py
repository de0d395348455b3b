"""``make screenshot``: start everything, chat with the demo bot, and take the picture that the README shows."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from botyard.embedded import free_port
from tests.e2e.running import Run

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "chat-page.png"
TEXTS = (
    ("/order", "your dog's name?"),
    ("Rex", "colour does Rex like?"),
    ("blue", "yes or no"),
    ("yes", "a blue kennel"),
)


def main() -> None:
    """Take the picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("make screenshot needs chromium: apt install chromium")
    ports = {name: str(free_port()) for name in ("WEB_PORT", "SIMULATOR_PORT", "FLOWER_PORT")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        run = Run(Path(folder) / "state", **ports)
        run.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1120, "height": 760}, color_scheme="light", reduced_motion="reduce")
        page.goto(f"http://127.0.0.1:{ports['SIMULATOR_PORT']}/")
        page.click("#start")
        expect(page.locator(".bubble[data-from=bot]").last).to_contain_text("I am the demo bot", timeout=15_000)
        for text, answer in (*TEXTS, ("/button", "Not pressed yet.")):
            page.fill("#message", text)
            page.press("#message", "Enter")
            expect(page.locator(".bubble[data-from=bot]").last).to_contain_text(answer, timeout=15_000)
        page.screenshot(path=PICTURE)
        browser.close()
        run.interrupt()
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)} is new.\n")


if __name__ == "__main__":
    main()
