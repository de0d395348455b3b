import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.unit.simulator.process import Client, Process

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    started = Process().wait_until_ready()
    yield started
    started.stop()


async def serve(client: Client) -> None:
    """Be the bot behind the page: a greeting with a button, an edit after the press, echoes."""
    offset = 0
    while True:
        answer = await client.call("getUpdates", offset=offset, timeout=10)
        for update in answer["result"]:
            offset = update["update_id"] + 1
            await react(client, update)


async def react(client: Client, update: dict[str, Any]) -> None:
    if "callback_query" in update:
        query = update["callback_query"]
        place = {"chat_id": query["message"]["chat"]["id"], "message_id": query["message"]["message_id"]}
        await client.call("answerCallbackQuery", callback_query_id=query["id"], text="Thank you")
        await client.call("editMessageText", text="Pressed", **place)
    elif "message" in update:
        chat_id, text = update["message"]["chat"]["id"], update["message"]["text"]
        buttons = {"inline_keyboard": [[{"text": "Press me", "callback_data": "a"}]]}
        keyboard = {"keyboard": [["Red", "Green"]]}
        markup = buttons if text == "/start" else keyboard
        await client.call("sendMessage", chat_id=chat_id, text=f"You said {text}", reply_markup=markup)


@pytest.fixture
async def page(process: Process) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session, async_playwright() as playwright:
        client = Client(process.url, session)
        await client.prepare()
        bot = asyncio.create_task(serve(client))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = await browser.new_page(viewport={"width": 360, "height": 640})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(process.url)
        yield page
        await browser.close()
        bot.cancel()
        assert complaints == []


async def test_a_person_talks_with_a_bot_on_the_page(page: Page) -> None:
    await page.click("#start")
    await expect(page.locator(".bubble[data-from=person] .text")).to_have_text("/start")
    await page.click("button.inline")
    await expect(page.locator("#toast")).to_have_text("Thank you")
    bubble = page.locator(".bubble[data-from=bot][data-message-id='2']")
    await expect(bubble.locator(".text")).to_have_text("Pressed")
    await expect(bubble.locator(".edited")).to_be_visible()
    await page.fill("#message", "<b>not bold</b>")
    await page.press("#message", "Enter")
    await expect(page.locator(".bubble[data-from=bot] .text").last).to_have_text("You said <b>not bold</b>")
    await page.click("button.reply >> text=Green")
    await expect(page.locator(".bubble[data-from=bot] .text").last).to_have_text("You said Green")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    await page.reload()
    await expect(page.locator(".bubble")).to_have_count(6)
    await page.click("#block")
    await page.click("#unblock")
    await expect(page.locator("#message")).to_be_visible()


async def test_the_page_is_served_strictly(process: Process) -> None:
    async with aiohttp.ClientSession(process.url) as session:
        for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/page.css", "text/css")):
            async with session.get(path) as response:
                assert response.status == 200
                assert response.content_type == kind
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        async with session.get("/world.py") as response:
            assert response.status == 404
