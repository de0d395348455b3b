"""The chat page in other hands: a small screen, no mouse, a long conversation, a simulator that goes away."""

import pytest
from playwright.sync_api import expect

from tests.e2e.page_stage import (
    OTHER_TOKEN,
    Stage,
    assert_no_sideways_scroll,
    bubbles,
    last,
    picture,
    write,
)
from tests.e2e.yard import wait_until
from tests.unit.simulator.process import BOT

pytestmark = pytest.mark.timeout(120)


def test_on_a_phone_there_is_one_view_at_a_time_and_nothing_scrolls_sideways(stage: Stage) -> None:
    stage.hears("hi")
    long = "Averylongwordwithoutanyspaces" * 8
    stage.says(
        long, reply_markup={"inline_keyboard": [[{"text": long[:60], "callback_data": str(n)} for n in range(4)]]}
    )
    page = stage.open(width=360, height=640, wait=False)
    row = page.locator(".open", has_text="Kennel demo")
    expect(row).to_be_visible()
    assert_no_sideways_scroll(page)
    row.click()
    expect(last(page)).to_be_visible()
    expect(row).not_to_be_visible()
    assert_no_sideways_scroll(page)
    page.get_by_role("button", name="Back to the list").click()
    expect(row).to_be_visible()
    page.get_by_role("button", name="Faults").click()
    expect(page.get_by_role("button", name="Outage")).to_be_visible()
    assert_no_sideways_scroll(page)


def test_on_a_phone_nothing_that_others_make_long_is_wider_than_its_place(stage: Stage) -> None:
    long = "Averylongwordwithoutanyspaces" * 6
    bea = stage.person(long[:60])
    group = {"title": long[:100], "member_ids": [stage.alex, bea], "bot_ids": [BOT], "creator_id": stage.alex}
    chat = stage.simulator.post("/sim/groups", **group)["id"]
    quoted = stage.hears(long, person=bea, chat_id=chat)["message_id"]
    stage.hears("so long", chat_id=chat, reply_to=quoted)
    stage.hears("a copy", person=bea, chat_id=chat, forward={"message_id": quoted, "chat_id": chat})
    stage.call("forwardMessage", chat_id=chat, from_chat_id=chat, message_id=quoted)
    stage.call("sendPoll", chat_id=chat, question=long, options=[{"text": long[:100]}, {"text": "Short"}])
    stage.upload("sendPhoto", {"chat_id": chat, "caption": long}, {"photo": ("a.png", picture(1200, 300))})
    stage.upload("sendDocument", {"chat_id": chat}, {"document": (f"{long}.txt", b"text")})
    stage.call("sendContact", chat_id=chat, phone_number="+491", first_name=long[:64])
    stage.call("sendVenue", chat_id=chat, latitude=52.5, longitude=13.4, title=long[:64], address=long)
    stage.simulator.post("/sim/notes", bot_id=BOT, chat_id=chat, title=long, text=long)
    stage.says("Keys", chat_id=chat, reply_markup={"keyboard": [[long[:60], "Green", "Blue"]]})
    page = stage.open(width=360, height=640, wait=False)
    page.get_by_role("button", name="Faults").click()
    assert_no_sideways_scroll(page)
    page.locator(".open", has_text="Averylong").click()
    expect(last(page)).to_contain_text("Keys")
    assert_no_sideways_scroll(page)
    page.get_by_role("button", name="About this chat").click()
    expect(page.get_by_role("dialog")).to_contain_text(long[:60])
    assert_no_sideways_scroll(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to the list").click()
    page.get_by_role("button", name="New group or channel").click()
    expect(page.get_by_role("dialog")).to_contain_text(long[:60])
    assert_no_sideways_scroll(page)


def test_everything_can_be_done_by_keys(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    page = stage.open()
    page.keyboard.press("Alt+2")
    expect(page.get_by_role("heading", name="Weather")).to_be_visible()
    page.keyboard.press("Alt+1")
    field = page.get_by_role("textbox", name="Message")
    expect(page.get_by_role("heading", name="Kennel demo")).to_be_visible()
    expect(field).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(last(page).locator(".text")).to_have_text("one\ntwo")
    stage.says("A button", reply_markup={"inline_keyboard": [[{"text": "Press me", "callback_data": "a"}]]})
    expect(bubbles(page)).to_have_count(2)
    page.get_by_role("region", name="Conversation").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Details")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Message 1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Press me").focus()
    page.keyboard.press("Enter")
    wait_until(lambda: "callback_query" in stage.call("getUpdates")[-1], 5, "the press has come")
    assert stage.call("getUpdates")[-1]["callback_query"]["data"] == "a"
    page.get_by_role("region", name="Conversation").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".open").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".open").nth(1)).to_be_focused()


def test_the_place_in_a_long_conversation_is_kept(stage: Stage) -> None:
    stage.simulator.post(
        "/sim/batch", bot_id=BOT, messages=[{"person_id": stage.alex, "text": f"line {n}"} for n in range(260)]
    )
    page = stage.open()
    expect(last(page)).to_contain_text("line 259")
    scroller = page.get_by_role("region", name="Conversation")
    atend = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 3"
    page.wait_for_function(atend, arg=scroller.element_handle())
    stage.says("at the end")
    expect(last(page)).to_contain_text("at the end")
    page.wait_for_function(atend, arg=scroller.element_handle())
    scroller.evaluate("(box) => { box.scrollTop = 900; }")
    page.wait_for_function("(box) => Math.abs(box.scrollTop - 900) < 2", arg=scroller.element_handle())
    expect(page.get_by_role("button", name="To the newest message")).to_be_visible()
    stage.says("while reading above")
    expect(last(page)).to_contain_text("while reading above")
    assert abs(scroller.evaluate("(box) => box.scrollTop") - 900) < 3
    scroller.evaluate("(box) => { box.scrollTop = 0; }")
    page.get_by_role("button", name="Show earlier messages").click()
    expect(bubbles(page).first).to_contain_text("line 0")


def test_the_page_says_when_the_simulator_is_away_and_comes_back_with_it(stage: Stage) -> None:
    page = stage.open()
    stage.process.stop()
    expect(page.get_by_text("The simulator does not answer. Trying again…")).to_be_visible()
    write(page, "lost?")
    expect(page.locator("#toasts")).to_contain_text("does not answer")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("lost?")
    stage.process = type(stage.process)(port=stage.process.port).wait_until_ready()
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    expect(page.get_by_text("Trying again…")).not_to_be_visible()
    expect(page.locator(".open", has_text="Weather")).to_be_visible()
    stage.complaints = [line for line in stage.complaints if "ERR_" not in line]
