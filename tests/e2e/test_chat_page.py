"""The chat page, as a person uses it: conversation, groups, files, details, faults."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.page_stage import (
    OTHER_BOT,
    OTHER_TOKEN,
    Stage,
    bubbles,
    choose,
    last,
    picture,
    write,
)
from tests.unit.simulator.process import BOT

pytestmark = pytest.mark.timeout(120)


def test_a_person_and_a_bot_converse(stage: Stage) -> None:
    page = stage.open()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(last(page)).to_contain_text("/start")
    markup = {
        "inline_keyboard": [[{"text": "Press me", "callback_data": "a"}, {"text": "Site", "url": "https://a.b/"}]]
    }
    message_id = stage.says("Hello, <b>you</b>", reply_markup=markup)
    page.get_by_role("button", name="Press me").click()
    query = stage.call("getUpdates")[-1]["callback_query"]
    assert query["data"] == "a"
    expect(page.get_by_role("button", name="Press me")).to_have_attribute("aria-busy", "true")
    stage.call("answerCallbackQuery", callback_query_id=query["id"], text="Thank you")
    expect(page.locator("#toasts")).to_contain_text("Thank you")
    expect(page.get_by_role("button", name="Press me")).not_to_have_attribute("aria-busy", "true")
    stage.call("editMessageText", chat_id=stage.alex, message_id=message_id, text="Pressed")
    expect(last(page)).to_contain_text("Pressed")
    expect(last(page).locator(".edited")).to_be_visible()
    stage.call("deleteMessage", chat_id=stage.alex, message_id=message_id)
    expect(page.locator(".trace")).to_have_text("Message deleted")
    expect(page.locator(".trace")).to_have_count(0)
    expect(bubbles(page)).to_have_count(1)


def test_an_alert_is_a_dialogue_and_an_old_one_is_not_shown_again(stage: Stage) -> None:
    markup = {"inline_keyboard": [[{"text": "Press me", "callback_data": "a"}]]}
    stage.hears("hi")
    stage.says("Hello", reply_markup=markup)
    page = stage.open()
    page.get_by_role("button", name="Press me").click()
    expect(page.get_by_role("button", name="Press me")).to_have_attribute("aria-busy", "true")
    query = stage.call("getUpdates")[-1]["callback_query"]
    stage.call("answerCallbackQuery", callback_query_id=query["id"], text="Look out", show_alert=True)
    expect(page.get_by_role("dialog")).to_contain_text("Look out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(last(page)).to_be_visible()
    assert page.get_by_role("dialog").count() == 0


def test_people_reply_edit_delete_and_react(stage: Stage) -> None:
    stage.hears("first")
    stage.says("What do you think?")
    page = stage.open()
    choose(page, last(page), "Reply")
    write(page, "I like it")
    expect(last(page).locator(".quote")).to_contain_text("What do you think?")
    update = stage.call("getUpdates")[-1]["message"]
    assert update["reply_to_message"]["text"] == "What do you think?"
    choose(page, last(page), "Edit")
    write(page, "I love it")
    expect(last(page).locator(".text")).to_have_text("I love it")
    assert stage.call("getUpdates")[-1]["edited_message"]["text"] == "I love it"
    page.get_by_role("textbox", name="Message").press("ArrowUp")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("I love it")
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    bot_message = page.locator(".bubble[data-from=bot]")
    choose(page, bot_message, "React with 👍")
    reaction = page.get_by_role("button", name=re.compile("👍, 1 reaction: Alex"))
    expect(reaction).to_have_attribute("aria-pressed", "true")
    reaction.click()
    expect(reaction).to_have_count(0)
    choose(page, last(page), "Delete")
    expect(bubbles(page)).to_have_count(2)


def test_keyboards_placeholder_and_forced_replies(stage: Stage) -> None:
    stage.hears("hi")
    keyboard = {"keyboard": [["Red", "Green"]], "one_time_keyboard": True, "input_field_placeholder": "A colour"}
    stage.says("Which?", reply_markup=keyboard)
    page = stage.open()
    field = page.get_by_role("textbox", name="Message")
    expect(field).to_have_attribute("placeholder", "A colour")
    page.get_by_role("button", name="Green", exact=True).click()
    expect(last(page)).to_contain_text("Green")
    expect(page.get_by_role("button", name="Green", exact=True)).to_have_count(0)
    stage.says("Your name?", reply_markup={"force_reply": True, "input_field_placeholder": "Name"})
    expect(page.locator(".strip")).to_contain_text("Your name?")
    expect(field).to_have_attribute("placeholder", "Name")
    stage.says("Again?", reply_markup={"keyboard": [[{"text": "My contact", "request_contact": True}]]})
    expect(page.get_by_role("button", name="My contact", exact=True)).to_be_visible()
    stage.says("Enough", reply_markup={"remove_keyboard": True})
    expect(page.get_by_role("button", name="My contact", exact=True)).to_have_count(0)


def test_commands_are_offered_while_typing(stage: Stage) -> None:
    stage.hears("hi")
    commands = [{"command": "order", "description": "Order"}, {"command": "help", "description": "Help me"}]
    stage.call("setMyCommands", commands=commands)
    page = stage.open()
    field = page.get_by_role("textbox", name="Message")
    page.get_by_role("button", name="Commands").click()
    expect(page.get_by_role("option")).to_have_count(2)
    field.press("Escape")
    field.press_sequentially("/h")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("ArrowDown")
    field.press("Enter")
    expect(last(page)).to_contain_text("/help")
    expect(field).to_have_value("")


def test_a_group_with_two_people_and_what_is_unread(stage: Stage) -> None:
    bea = stage.person("Bea")
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    page = stage.open()
    page.get_by_role("button", name="New group or channel").click()
    page.get_by_label("Title").fill("Dog people")
    page.get_by_label("Bea").check()
    page.get_by_role("checkbox", name="Kennel demo").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Dog people")).to_be_visible()
    write(page, "Who is here?")
    group = stage.simulator.get(f"/sim/chats?person_id={stage.alex}")["chats"][-1]["chat_id"]
    stage.hears("I am", person=bea, chat_id=group)
    expect(last(page)).to_contain_text("I am")
    expect(page.locator(".name", has_text="Bea")).to_be_visible()
    page.get_by_label("You act as").select_option(label="as Bea")
    write(page, "And I write as Bea")
    updates = [update for update in stage.call("getUpdates") if "text" in update.get("message", {})]
    assert updates[-1]["message"]["from"]["first_name"] == "Bea"
    for text in ("Sunny", "Rain"):
        stage.hears(text, bot=OTHER_BOT)
        stage.call("sendMessage", token=OTHER_TOKEN, chat_id=stage.alex, text=text)
    row = page.locator(".open", has_text="Weather")
    expect(row.locator(".unreadcount")).to_have_text("2 unread")
    row.click()
    expect(page.locator(".unread")).to_have_count(0)
    expect(row.locator(".unreadcount")).to_have_count(0)
    page.reload()
    expect(row).to_be_visible()
    expect(row.locator(".unreadcount")).to_have_count(0)


def test_chats_side_by_side_each_with_its_person_and_its_draft(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Weather")
    page = stage.open(width=1600)
    page.locator(".open", has_text="Kennel demo").click()
    page.locator(".chats li", has_text="Weather").hover()
    page.get_by_role("button", name="Open Weather beside").click()
    columns = page.get_by_role("region", name=re.compile("^Chat "))
    expect(columns).to_have_count(2)
    columns.nth(0).get_by_role("textbox", name="Message").fill("a draft for kennels")
    second = columns.nth(1).get_by_role("textbox", name="Message")
    second.fill("to the weather")
    second.press("Enter")
    expect(columns.nth(1).locator(".bubble")).to_have_text(re.compile("to the weather"))
    page.reload()
    expect(columns).to_have_count(2)
    expect(columns.nth(0).get_by_role("textbox", name="Message")).to_have_value("a draft for kennels")
    columns.nth(1).get_by_role("button", name="Close this chat").click()
    expect(columns).to_have_count(1)


def test_another_person_has_chats_of_their_own(stage: Stage) -> None:
    stage.hears("from Alex")
    page = stage.open()
    expect(bubbles(page)).to_have_count(1)
    page.get_by_role("button", name="You are Alex").click()
    page.get_by_role("menuitem", name="Add a person…").click()
    page.get_by_label("First name").fill("Cleo")
    page.get_by_role("button", name="Add and become").click()
    expect(page.get_by_role("button", name="You are Cleo")).to_be_visible()
    page.locator(".open", has_text="Kennel demo").click()
    expect(page.locator(".column")).to_have_count(1)
    write(page, "from Cleo")
    expect(bubbles(page)).to_have_count(1)
    page.get_by_role("button", name="You are Cleo").click()
    page.get_by_role("menuitem", name="Alex").click()
    expect(last(page)).to_contain_text("from Alex")


def test_files_pictures_and_albums_go_both_ways(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    files = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": picture()} for name in "ab"]
    page.get_by_label("Files to attach").set_input_files(files)  # type: ignore[arg-type]
    expect(page.get_by_role("list", name="Files to send").get_by_role("listitem")).to_have_count(2)
    write(page, "Two pictures")
    expect(last(page).locator(".album img")).to_have_count(2)
    expect(last(page)).to_contain_text("Two pictures")
    sent = [update["message"] for update in stage.call("getUpdates")][-2:]
    assert sent[0]["media_group_id"] == sent[1]["media_group_id"]
    page.get_by_label("Files to attach").set_input_files(files[:1])  # type: ignore[arg-type]
    page.get_by_label("Send as").select_option(label="File")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(last(page).locator("a.document")).to_have_attribute("download", "a.png")
    stage.upload("sendPhoto", {"chat_id": stage.alex, "caption": "From the bot"}, {"photo": ("p.png", picture())})
    image = last(page).get_by_role("img", name="Photo: From the bot")
    expect(image).to_be_visible()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    last(page).get_by_role("button", name="Photo: From the bot, open").click()
    expect(page.get_by_role("dialog").locator("img")).to_be_visible()
    page.keyboard.press("Escape")


def test_details_show_the_update_its_deliveries_and_the_calls(stage: Stage) -> None:
    page = stage.open()
    write(page, "What is behind this?")
    expect(bubbles(page)).to_have_count(1)
    update = stage.call("getUpdates")[-1]
    stage.says("An answer")
    expect(bubbles(page)).to_have_count(2)
    choose(page, bubbles(page).first, "Details")
    sheet = page.get_by_role("dialog", name=re.compile("^Message 1"))
    expect(sheet.get_by_role("heading", name=re.compile(f"^Update {update['update_id']}"))).to_be_visible()
    shown = sheet.get_by_label(f"Update {update['update_id']}", exact=True).inner_text()
    assert json.loads(shown) == update
    expect(sheet.locator(".calls summary")).to_contain_text(["sendMessage"])
    expect(sheet.locator(".calls")).not_to_contain_text("getUpdates")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    choose(page, last(page), "Details")
    expect(page.get_by_role("dialog").get_by_role("heading", name=re.compile(str(update["update_id"])))).to_be_visible()


def test_an_error_of_the_bot_stands_beside_the_message_that_caused_it(stage: Stage) -> None:
    page = stage.open()
    write(page, "/crash")
    expect(bubbles(page)).to_have_count(1)
    update_id = stage.call("getUpdates")[-1]["update_id"]
    write(page, "and go on")
    expect(bubbles(page)).to_have_count(2)
    text = "Traceback:\n<img src=x onerror=alert(1)>"
    stage.simulator.post("/sim/notes", bot_id=BOT, update_id=update_id, title="ZeroDivisionError", text=text)
    note = page.get_by_role("group", name="Error: ZeroDivisionError")
    expect(note).to_be_visible()
    order = page.locator(".messages > .item, .messages > .note")
    assert [node.get_attribute("class") or "" for node in order.all()][1].startswith("note")
    note.locator("summary").click()
    expect(note.get_by_label("Text of the error")).to_have_text(text)
    note.get_by_role("button", name=f"Update {update_id}").click()
    expect(page.get_by_role("dialog", name="Message 1")).to_be_visible()


def test_the_fault_bar_orders_faults_and_ends_them(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    page.get_by_role("button", name="Faults").click()
    page.get_by_label("Seconds").fill("7")
    page.get_by_role("button", name="Too many requests").click()
    expect(page.get_by_role("list", name="In force")).to_contain_text("retry after 7 s")
    fault = stage.simulator.get("/sim/faults")["faults"][0]
    assert (fault["kind"], fault["bot_id"], fault["chat_id"], fault["retry_after"]) == ("429", BOT, stage.alex, 7)
    page.get_by_label("Faults for").select_option(label="Everything")
    page.get_by_role("button", name="Outage").click()
    expect(page.get_by_role("list", name="In force").get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="All off").click()
    expect(page.get_by_role("list", name="In force")).to_have_count(0)
    assert stage.simulator.get("/sim/faults")["faults"] == []
    page.get_by_role("button", name="Block the bot").click()
    page.get_by_role("button", name="Unblock the bot").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def test_a_group_that_becomes_a_supergroup_stays_open(stage: Stage) -> None:
    group = {"title": "Dogs", "member_ids": [stage.alex], "bot_ids": [BOT], "creator_id": stage.alex}
    stage.simulator.post("/sim/groups", **group)
    page = stage.open()
    page.locator(".open", has_text="Dogs").click()
    write(page, "before")
    page.get_by_role("button", name="Faults").click()
    page.get_by_role("button", name="Make it a supergroup").click()
    expect(page.locator(".subtitle")).to_contain_text("Supergroup")
    expect(page.locator(".open", has_text="Dogs")).to_have_count(1)
    write(page, "after")
    expect(last(page)).to_contain_text("after")


HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'


def test_nothing_that_others_write_becomes_markup(stage: Stage) -> None:
    stage.simulator.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name=HOSTILE)
    evil = stage.person(HOSTILE)
    group = {"title": HOSTILE, "member_ids": [stage.alex, evil], "bot_ids": [BOT], "creator_id": stage.alex}
    chat = stage.simulator.post("/sim/groups", **group)["id"]
    stage.hears(HOSTILE, person=evil, chat_id=chat)
    stage.hears("hi")
    entities = [{"type": "text_link", "offset": 0, "length": 4, "url": "javascript:window.broken=1"}]
    stage.says("Link", entities=entities)
    stage.says(HOSTILE, reply_markup={"inline_keyboard": [[{"text": HOSTILE, "callback_data": "a"}]]})
    files = {"document": ("&lt;img src=x onerror=window.broken=1&gt;.html", b"<script>window.broken=1</script>")}
    stage.upload("sendDocument", {"chat_id": stage.alex, "caption": HOSTILE}, files)
    stage.simulator.post("/sim/notes", bot_id=BOT, chat_id=stage.alex, title=HOSTILE, text=HOSTILE)
    stage.says("Keys", reply_markup={"keyboard": [[HOSTILE]]})
    page = stage.open()
    page.locator(".open", has_text="Kennel demo").click()
    expect(page.locator(".reply")).to_have_text(HOSTILE)
    assert page.locator("a[href^='javascript']").count() == 0
    page.locator(".open", has_text="Supergroup").or_(page.locator(".sectionname + ul .open")).last.click()
    expect(page.locator(".bubble .text")).to_have_text(HOSTILE)
    page.get_by_role("button", name="About this chat").click()
    expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
    assert page.evaluate("window.broken") is None
    assert page.locator("img[src=x]").count() == 0


def test_who_is_in_a_group_and_who_leads_it(stage: Stage) -> None:
    bea = stage.person("Bea")
    group = {"title": "Dogs", "member_ids": [stage.alex, bea], "bot_ids": [BOT], "creator_id": stage.alex}
    chat = stage.simulator.post("/sim/groups", **group)["id"]
    page = stage.open()
    page.locator(".open", has_text="Dogs").click()
    expect(page.locator(".subtitle")).to_contain_text("3 members")
    page.get_by_role("button", name="About this chat").click()
    page.get_by_role("button", name="What to do with Kennel demo").click()
    page.get_by_role("menuitem", name="Make administrator").click()
    expect(page.locator(".subtitle")).to_contain_text("Group")
    message_id = stage.says("The rules", chat_id=chat)
    stage.call("pinChatMessage", chat_id=chat, message_id=message_id)
    expect(page.get_by_role("button", name="Pinned: The rules")).to_be_visible()
    page.get_by_role("button", name="About this chat").click()
    page.get_by_role("button", name="What to do with Bea").click()
    page.get_by_role("menuitem", name="Remove from the chat").click()
    expect(page.locator(".service").last).to_contain_text("Alex removed Bea")
    page.get_by_role("button", name="About this chat").click()
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog", name="Leave Dogs?").get_by_role("button", name="Leave").click()
    expect(page.get_by_text("You are not a member.")).to_be_visible()
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
