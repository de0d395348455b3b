"""What lasts on the chat page: who one is, what one is doing, what one has typed, whatever happens around it."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.e2e.page_stage import OTHER_BOT, OTHER_TOKEN, PERSON_KEY, Stage, bubbles, choose, last, picture, write
from tests.unit.simulator.process import BOT

pytestmark = pytest.mark.timeout(120)

BUTTON = {"inline_keyboard": [[{"text": "Press me", "callback_data": "a"}]]}
COLOURS = [{"text": "Red"}, {"text": "Green"}]


def field_of(page: Page) -> Any:
    return page.get_by_role("textbox", name="Message")


def test_a_person_is_the_same_after_a_reload_and_in_a_simulator_that_was_started_afresh(stage: Stage) -> None:
    card = {"first_name": "Ann", "last_name": "Lee", "username": "ann", "language_code": "de"}
    ann = stage.simulator.post("/sim/people", **card)
    stage.simulator.post("/sim/photo", person_id=ann["id"], file={})
    stage.alex = ann["id"]
    page = stage.open()
    expect(page.get_by_role("button", name="You are Ann Lee")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="You are Ann Lee")).to_be_visible()
    assert ann in stage.simulator.get("/sim/people")["people"]
    assert stage.call("getUserProfilePhotos", user_id=ann["id"])["total_count"] == 1
    remembered = json.loads(page.evaluate(f"localStorage.getItem('{PERSON_KEY}')"))
    assert {name: remembered[name] for name in card} == card
    stage.process.stop()
    stage.process = type(stage.process)(port=stage.process.port).wait_until_ready()
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    expect(page.locator(".open", has_text="Weather")).to_be_visible()
    assert ann in stage.simulator.get("/sim/people")["people"]
    stage.complaints = [line for line in stage.complaints if "ERR_" not in line]


def test_who_deletes_their_account_is_told_so_and_can_have_it_back(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    stage.simulator.post("/sim/deactivate", person_id=stage.alex)
    expect(page.get_by_text("This account is deleted.")).to_be_visible()
    expect(page.get_by_role("button", name="You are Deleted account")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Have it back").click()
    expect(field_of(page)).to_be_visible()
    expect(page.get_by_role("button", name="You are Alex")).to_be_visible()
    expect(page.get_by_text("Trying again…")).not_to_be_visible()


def test_a_button_can_be_pressed_again_when_the_bot_did_not_answer(stage: Stage) -> None:
    stage.hears("hi")
    stage.says("Hello", reply_markup=BUTTON)
    page = stage.open(wait=False)
    page.clock.install()
    page.reload()
    button = page.get_by_role("button", name="Press me")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    page.clock.fast_forward(16_000)
    expect(button).not_to_have_attribute("aria-busy", "true")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    assert len([update for update in stage.call("getUpdates") if "callback_query" in update]) == 2


def test_a_button_that_came_through_another_bot_works_where_it_stands(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    stage.hears("hi", bot=OTHER_BOT)
    content = {"message_text": "A small kennel"}
    result = {"type": "article", "id": "1", "title": "S", "input_message_content": content, "reply_markup": BUTTON}
    query = stage.simulator.post("/sim/inline", bot_id=BOT, person_id=stage.alex, query="s")["query_id"]
    stage.call("answerInlineQuery", inline_query_id=query, results=[result])
    stage.simulator.post("/sim/inline/choose", query_id=query, bot_id=OTHER_BOT)
    page = stage.open()
    page.locator(".open", has_text="Weather").click()
    page.get_by_role("button", name="Press me").click()
    expect(page.get_by_role("button", name="Press me")).to_have_attribute("aria-busy", "true")
    pressed = next(one["callback_query"] for one in stage.call("getUpdates") if "callback_query" in one)
    stage.call("answerCallbackQuery", callback_query_id=pressed["id"], text="Pressed")
    expect(page.locator("#toasts")).to_contain_text("Pressed")


def test_a_key_of_a_keyboard_in_a_group_answers_the_message_that_brought_it(stage: Stage) -> None:
    chat = stage.simulator.post("/sim/groups", title="Dogs", member_ids=[stage.alex], bot_ids=[BOT])["id"]
    stage.simulator.post("/sim/privacy", bot_id=BOT, enabled=True)
    asked = stage.says("Which?", chat_id=chat, reply_markup={"keyboard": [["Red"]]})
    page = stage.open()
    page.locator(".open", has_text="Dogs").click()
    page.get_by_role("button", name="Red", exact=True).click()
    expect(last(page).locator(".quote")).to_contain_text("Which?")
    assert stage.call("getUpdates")[-1]["message"]["reply_to_message"]["message_id"] == asked


def test_nothing_is_unread_when_the_bot_deletes_its_newest_message(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    stage.hears("hi")
    stage.says("first")
    second = stage.says("second")
    page = stage.open()
    expect(bubbles(page)).to_have_count(3)
    page.locator(".open", has_text="Weather").click()
    stage.call("deleteMessage", chat_id=stage.alex, message_id=second)
    row = page.locator(".open", has_text="Kennel demo")
    expect(row).to_contain_text("first")
    expect(row.locator(".unreadcount")).to_have_count(0)


def test_a_message_that_cannot_be_drawn_says_so_and_the_others_go_on(stage: Stage) -> None:
    stage.hears("hi")
    broken = stage.says("broken")
    page = stage.open(wait=False)

    def spoil(route: Route) -> None:
        view = route.fetch().json()
        for message in view["messages"]:
            if message["message_id"] == broken:
                message["poll"] = {}
        route.fulfill(json=view)

    page.route("**/sim/view?*", spoil)
    page.reload()
    expect(page.get_by_text("This message cannot be shown here")).to_be_visible()
    stage.says("and on")
    expect(last(page)).to_contain_text("and on")
    page.unroute_all(behavior="wait")
    assert any("TypeError" in line for line in stage.complaints)
    stage.complaints.clear()


def test_enter_sends_what_was_typed_and_the_list_of_commands_keeps_nobody_in_the_field(stage: Stage) -> None:
    stage.hears("hi")
    stage.call("setMyCommands", commands=[{"command": "startgame", "description": "Play"}])
    page = stage.open()
    field = field_of(page)
    field.press_sequentially("/start")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("Shift+Tab")
    expect(field).not_to_be_focused()
    expect(page.get_by_role("option")).to_have_count(0)
    field.press("Enter")
    expect(last(page).locator(".text")).to_have_text("/start")
    field.press_sequentially("/start")
    field.press("ArrowUp")
    field.press("Enter")
    expect(last(page).locator(".text")).to_have_text("/startgame")


def test_what_happens_is_told_inside_the_details(stage: Stage) -> None:
    stage.hears("hi")
    stage.call("getUpdates")
    page = stage.open()
    choose(page, last(page), "Details")
    sheet = page.get_by_role("dialog")
    sheet.get_by_role("button", name="Deliver again").click()
    expect(sheet.get_by_role("status")).to_contain_text("on its way again")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(page.locator("body > #toasts")).to_have_count(1)


def test_files_go_once_however_often_enter_is_pressed_and_come_back_when_they_did_not_go(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/sim/send", hold)
    file = FilePayload(name="a.png", mimeType="image/png", buffer=picture())
    page.get_by_label("Files to attach").set_input_files(file)
    tray = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    expect(tray).to_have_count(1)
    with page.expect_request("**/sim/send"):
        field_of(page).press("Enter")
    field_of(page).press("Enter")
    expect(tray).to_have_count(0)
    held[0].fulfill(status=409, json={"error": "the chat is closed"})
    expect(tray).to_have_count(1)
    page.unroute("**/sim/send")
    field_of(page).press("Enter")
    expect(page.locator(".photo")).to_have_count(1)
    expect(tray).to_have_count(0)
    assert len(held) == 1


def test_ticks_and_hidden_text_stay_as_they_are_when_a_message_is_drawn_anew(stage: Stage) -> None:
    stage.hears("hi")
    hidden = stage.says("<tg-spoiler>secret</tg-spoiler>", parse_mode="HTML")
    poll: dict[str, Any] = {"question": "Which?", "options": COLOURS, "allows_multiple_answers": True}
    asked = stage.call("sendPoll", chat_id=stage.alex, **poll)["message_id"]
    page = stage.open()
    page.get_by_role("button", name="Hidden text, press to show").click()
    page.get_by_role("checkbox", name="Green").check()
    for message_id in (hidden, asked):
        reaction = [{"type": "emoji", "emoji": "👍"}]
        stage.call("setMessageReaction", chat_id=stage.alex, message_id=message_id, reaction=reaction)
    expect(page.locator(".reaction")).to_have_count(2)
    expect(page.get_by_role("checkbox", name="Green")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Green")).to_be_focused()
    expect(page.get_by_text("secret")).to_be_visible()
    page.get_by_role("button", name="Vote").click()
    expect(last(page).locator(".results li").nth(1)).to_contain_text("your vote")


def test_a_bot_that_asks_for_a_reply_takes_nobody_out_of_another_field(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    stage.hears("hi")
    page = stage.open(width=1600)
    page.locator(".chats li", has_text="Weather").hover()
    page.get_by_role("button", name="Open Weather beside").click()
    columns = page.get_by_role("region", name=re.compile("^Chat "))
    expect(columns).to_have_count(2)
    second = columns.nth(1).get_by_role("textbox", name="Message")
    second.press_sequentially("half a ")
    stage.says("Your name?", reply_markup={"force_reply": True})
    expect(columns.nth(0).locator(".strip")).to_contain_text("Your name?")
    page.keyboard.type("sentence")
    expect(second).to_have_value("half a sentence")
    write_to = columns.nth(0).get_by_role("textbox", name="Message")
    expect(write_to).to_have_value("")


def test_who_changes_a_message_goes_on_with_it_when_a_bot_asks_for_a_reply(stage: Stage) -> None:
    page = stage.open()
    write(page, "frist")
    expect(bubbles(page)).to_have_count(1)
    field_of(page).press("ArrowUp")
    field_of(page).fill("first")
    stage.says("Your name?", reply_markup={"force_reply": True})
    expect(last(page)).to_contain_text("Your name?")
    field_of(page).press("Enter")
    expect(bubbles(page).first.locator(".text")).to_have_text("first")
    expect(bubbles(page)).to_have_count(2)
