"""axe finds nothing on the chat page, in both themes, wherever a person gets to."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page_stage import Stage, assert_accessible, choose, last, picture
from tests.e2e.yard import Simulator
from tests.unit.simulator.process import BOT, TOKEN, Process

pytestmark = [pytest.mark.timeout(120), pytest.mark.parametrize("theme", ["light", "dark"])]

TEXT = (
    "<b>bold</b> <i>italic</i> <u>under</u> <s>gone</s> <code>code</code> <a href='https://a.b/'>link</a> "
    "<tg-spoiler>hidden</tg-spoiler> #tag @somebody /command <pre>block</pre><blockquote>quote</blockquote>"
    "<blockquote expandable>long\nlonger\nstill\nmore\nlines\nhere</blockquote>"
)


def everything(stage: Stage) -> None:
    """One message of every kind, from both sides."""
    alex: dict[str, Any] = {"chat_id": stage.alex}
    stage.call("setMyCommands", commands=[{"command": "start", "description": "Begin"}])
    own = stage.hears("Hello, it is me. /start")["message_id"]
    inline = [[{"text": "Press", "callback_data": "a"}, {"text": "Open", "url": "https://a.b/"}]]
    stage.says(TEXT, parse_mode="HTML", reply_markup={"inline_keyboard": inline})
    stage.says("A reply", reply_parameters={"message_id": own})
    stage.call("setMessageReaction", message_id=own, reaction=[{"type": "emoji", "emoji": "👍"}], **alex)
    stage.upload("sendPhoto", alex | {"caption": "Photo"}, {"photo": ("a.png", picture())})
    stage.upload("sendDocument", alex, {"document": ("a.txt", b"text")})
    stage.upload("sendVoice", alex | {"duration": 3}, {"voice": ("a.ogg", b"OggS")})
    stage.upload("sendAudio", alex | {"title": "Song"}, {"audio": ("a.mp3", b"ID3")})
    stage.upload("sendVideo", alex, {"video": ("a.mp4", b"....ftyp")})
    stage.upload("sendSticker", alex, {"sticker": ("a.webp", b"RIFF")})
    media = [{"type": "photo", "media": f"attach://{name}"} for name in "abc"]
    stage.upload("sendMediaGroup", alex | {"media": media}, {name: (f"{name}.png", picture()) for name in "abc"})
    stage.call("sendLocation", latitude=52.5, longitude=13.4, **alex)
    stage.call("sendVenue", latitude=52.5, longitude=13.4, title="Yard", address="Street 1", **alex)
    stage.call("sendContact", phone_number="+491", first_name="Rex", **alex)
    stage.call("sendDice", **alex)
    stage.call("sendPoll", question="Which?", options=[{"text": "One"}, {"text": "Two"}], **alex)
    price = [{"label": "Kennel", "amount": 100}]
    bill: dict[str, Any] = {"title": "Kennel", "description": "Oak", "payload": "k", "currency": "XTR", "prices": price}
    stage.call("sendInvoice", **alex, **bill)
    update = stage.hears("/crash")["update_id"]
    stage.simulator.post("/sim/notes", bot_id=BOT, update_id=update, title="ValueError", text="Traceback")
    edited = stage.says("Wrong")
    stage.call("editMessageText", message_id=edited, text="Right", **alex)
    stage.says("Keys", reply_markup={"keyboard": [["Red", {"text": "Me", "request_contact": True}]]})


def look_everywhere(page: Page, where: str) -> None:
    """The whole conversation counts, not only its end."""
    scroller = page.get_by_role("region", name="Conversation")
    for part in (0, 0.5, 1):
        scroller.evaluate("(box, part) => { box.scrollTop = box.scrollHeight * part; }", part)
        assert_accessible(page, f"{where} at {part}")


def test_a_page_before_there_is_a_bot_and_an_empty_chat(browser: Browser, theme: str) -> None:
    process = Process().wait_until_ready()
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = context.new_page()
    page.goto(process.url)
    expect(page.get_by_text("Waiting for a bot to be added.")).to_be_visible()
    assert_accessible(page, "no bot")
    Simulator(process.port).post("/sim/bots", token=TOKEN, username="demo_bot", name="Demo")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    assert_accessible(page, "empty chat")
    context.close()
    process.stop()


def test_a_chat_with_all_kinds_of_content_at_any_width(stage: Stage, theme: str) -> None:
    everything(stage)
    page = stage.open(theme=theme)
    expect(last(page)).to_contain_text("Keys")
    look_everywhere(page, "all kinds")
    page.set_viewport_size({"width": 360, "height": 640})
    assert_accessible(page, "list at 360 px")
    page.locator(".open").first.click()
    look_everywhere(page, "all kinds at 360 px")


def test_a_group_dialogues_menus_and_the_details(stage: Stage, theme: str) -> None:
    bea = stage.person("Bea")
    group = {"title": "Dogs", "member_ids": [stage.alex, bea], "bot_ids": [BOT], "creator_id": stage.alex}
    chat = stage.simulator.post("/sim/groups", **group)["id"]
    stage.hears("Hello", person=bea, chat_id=chat)
    page = stage.open(theme=theme)
    page.locator(".open", has_text="Dogs").click()
    expect(last(page)).to_contain_text("Hello")
    assert_accessible(page, "group")
    for opener in ("New group or channel", "Keys and help", "About this chat"):
        page.get_by_role("button", name=opener).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert_accessible(page, opener)
        page.keyboard.press("Escape")
    page.get_by_role("button", name="You are Alex").click()
    assert_accessible(page, "menu of people")
    page.get_by_role("menuitem", name="Add a person…").click()
    assert_accessible(page, "adding a person")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Faults").click()
    page.get_by_role("button", name="Outage").click()
    expect(page.get_by_role("list", name="In force")).to_be_visible()
    assert_accessible(page, "faults")
    choose(page, last(page), "Details")
    expect(page.get_by_role("dialog").locator(".update")).to_be_visible()
    assert_accessible(page, "details")
