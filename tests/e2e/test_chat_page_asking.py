"""The chat page where a bot asks and is asked: polls, payments, inline results, contacts, Mini Apps, actions."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.page_stage import Stage, bubbles, last, write

pytestmark = pytest.mark.timeout(120)


def answer_once(stage: Stage, kind: str, answer: Callable[[dict[str, Any]], None]) -> threading.Thread:
    """Let the bot answer the next update of a kind while the page waits for it."""

    def run() -> None:
        offset = 0
        while True:
            for update in stage.call("getUpdates", offset=offset, timeout=5):
                offset = update["update_id"] + 1
                if kind in update:
                    answer(update[kind])
                    return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_person_votes_and_takes_it_back(stage: Stage) -> None:
    stage.hears("hi")
    options = [{"text": "Red"}, {"text": "Green"}]
    stage.call("sendPoll", chat_id=stage.alex, question="Which colour?", options=options, is_anonymous=False)
    page = stage.open()
    vote = page.get_by_role("button", name="Vote")
    expect(vote).to_be_disabled()
    page.get_by_role("radio", name="Green").check()
    vote.click()
    expect(last(page).locator(".results li").nth(1)).to_contain_text("100 %")
    expect(last(page).locator(".results li").nth(1)).to_contain_text("your vote")
    answer = next(update["poll_answer"] for update in stage.call("getUpdates") if "poll_answer" in update)
    assert answer["option_ids"] == [1]
    page.get_by_role("button", name="Take back").click()
    expect(vote).to_be_visible()


def test_a_person_pays_with_the_test_provider(stage: Stage) -> None:
    stage.hears("hi")
    price = [{"label": "Kennel", "amount": 12900}]
    bill = {"title": "Kennel", "description": "Oak", "payload": "k", "provider_token": "TEST:1", "currency": "EUR"}
    stage.call("sendInvoice", chat_id=stage.alex, prices=price, **bill)
    page = stage.open()
    thread = answer_once(
        stage,
        "pre_checkout_query",
        lambda query: stage.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True),
    )
    last(page).locator("xpath=../..").get_by_role("button", name=re.compile("^Pay")).click()
    page.get_by_role("dialog", name="Pay for Kennel").get_by_role("button").click()
    expect(page.locator("#toasts")).to_contain_text("Paid.")
    thread.join(10)
    expect(page.locator(".service").last).to_contain_text("129")


def test_a_bot_offers_inline_results_and_one_is_sent(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    content = {"message_text": "A small kennel"}
    result = {
        "type": "article",
        "id": "1",
        "title": "Small",
        "description": "For a pug",
        "input_message_content": content,
    }
    answer_once(
        stage,
        "inline_query",
        lambda query: stage.call("answerInlineQuery", inline_query_id=query["id"], results=[result]),
    )
    field = page.get_by_role("textbox", name="Message")
    field.press_sequentially("@demo_bot small")
    option = page.get_by_role("option", name=re.compile("^Small"))
    expect(option).to_be_visible(timeout=10_000)
    expect(option).to_contain_text("For a pug")
    field.press("Enter")
    expect(last(page)).to_contain_text("A small kennel")
    expect(last(page)).to_contain_text("via @demo_bot")
    expect(field).to_have_value("")


def test_buttons_share_a_contact_a_place_and_data_of_a_mini_app(stage: Stage) -> None:
    stage.hears("hi")
    keys = [
        {"text": "My contact", "request_contact": True},
        {"text": "My place", "request_location": True},
        {"text": "The app", "web_app": {"url": "https://a.b/app"}},
    ]
    stage.says("Who, where, what?", reply_markup={"keyboard": [keys]})
    page = stage.open()
    page.get_by_role("button", name="My contact", exact=True).click()
    expect(last(page)).to_contain_text("Alex")
    page.get_by_role("button", name="My place", exact=True).click()
    page.get_by_label("Latitude").fill("48.1")
    page.get_by_role("button", name="Send", exact=True).last.click()
    expect(last(page)).to_contain_text("48.10000")
    page.get_by_role("button", name="The app", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("https://a.b/app")
    page.get_by_label("Data that the app sends back").fill("42")
    page.get_by_role("button", name="Send the data").click()
    expect(page.locator(".service").last).to_contain_text("42")
    kinds = [set(update["message"]) for update in stage.call("getUpdates") if "message" in update]
    assert [name for name in ("contact", "location", "web_app_data") if any(name in kind for kind in kinds)] == [
        "contact",
        "location",
        "web_app_data",
    ]


def test_what_a_bot_is_doing_is_shown_until_it_writes(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    expect(bubbles(page)).to_have_count(1)
    stage.call("sendChatAction", chat_id=stage.alex, action="upload_photo")
    expect(page.get_by_text("Kennel demo is sending a photo…")).to_be_visible()
    stage.says("Here it is")
    expect(page.get_by_text("Kennel demo is sending a photo…")).not_to_be_visible()


def test_a_menu_button_shows_the_address_of_its_app(stage: Stage) -> None:
    stage.call("setChatMenuButton", menu_button={"type": "web_app", "text": "Shop", "web_app": {"url": "https://a.b/"}})
    page = stage.open()
    page.get_by_role("button", name="Shop", exact=True).click()
    expect(page.get_by_role("dialog", name="Shop")).to_contain_text("https://a.b/")


def test_formatting_is_shown_and_hidden_text_only_when_asked_for(stage: Stage) -> None:
    stage.hears("hi")
    text = "<b>b</b><i>i</i><u>u</u><s>s</s><pre>p</pre><blockquote>q</blockquote><tg-spoiler>secret</tg-spoiler>"
    stage.says(text, parse_mode="HTML")
    page = stage.open()
    for tag in ("strong", "em", "u", "s", "pre", "blockquote"):
        expect(last(page).locator(f".text {tag}")).to_have_count(1)
    hidden = page.get_by_role("button", name="Hidden text, press to show")
    hidden.focus()
    page.keyboard.press("Enter")
    expect(hidden).to_have_count(0)
    expect(last(page)).to_contain_text("secret")


def test_a_request_that_is_refused_is_told_in_words_and_the_text_stays(stage: Stage) -> None:
    stage.hears("hi")
    page = stage.open()
    expect(bubbles(page)).to_have_count(1)
    page.route("**/sim/send", lambda route: route.fulfill(status=409, json={"error": "the chat is closed"}))
    write(page, "dear bot")
    expect(page.locator("#toasts")).to_contain_text("The chat is closed.")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("dear bot")
