from typing import Any

import pytest

from botyard.simulator import schema
from botyard.simulator.forms import Upload
from botyard.simulator.groups import migrate
from botyard.simulator.images import blank_picture
from botyard.simulator.people import membership
from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest
from tests.unit.simulator.shapes import assert_shape

KEYBOARD = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
TEXT = {"message_text": "<b>Hi</b>", "parse_mode": "HTML"}
ARTICLE: dict[str, Any] = {"type": "article", "id": "1", "title": "Greet", "input_message_content": TEXT}
PICTURE = "https://example.org/a.jpg"
FILM = "https://example.org/a.mp4"
URLS: dict[str, dict[str, Any]] = {
    "photo": {"photo_url": PICTURE, "thumbnail_url": PICTURE, "caption": "c"},
    "gif": {"gif_url": "https://example.org/a.gif", "thumbnail_url": PICTURE},
    "mpeg4_gif": {"mpeg4_url": "https://example.org/a.mp4", "thumbnail_url": PICTURE, "mpeg4_width": 7},
    "video": {"video_url": FILM, "mime_type": "video/mp4", "thumbnail_url": PICTURE, "title": "v"},
    "audio": {"audio_url": "https://example.org/a.mp3", "title": "La", "performer": "Ann"},
    "voice": {"voice_url": "https://example.org/a.ogg", "title": "v"},
    "document": {"document_url": "https://example.org/a.pdf", "mime_type": "application/pdf", "title": "d"},
    "location": {"latitude": 1.5, "longitude": 2, "title": "Here"},
    "venue": {"latitude": 1.5, "longitude": 2, "title": "Café", "address": "Street 1"},
    "contact": {"phone_number": "+123", "first_name": "Bob"},
}  # fmt: skip

UNREAD = "can't parse inline query result: "


def ask(stage: Stage, query: str = "hello", **params: Any) -> str:
    asked = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=stage.person.id, query=query, **params)
    return str(asked["query_id"])


def offer(stage: Stage, *results: Any, **params: Any) -> str:
    query_id = ask(stage)
    assert stage.call("answerInlineQuery", inline_query_id=query_id, results=list(results), **params) is True
    return query_id


def test_a_query_is_asked_answered_and_its_result_sent(stage: Stage) -> None:
    query_id = ask(stage, "hello", chat_type="group")
    (asked,) = updates(stage, "inline_query")
    assert (asked["query"], asked["chat_type"], asked["id"]) == ("hello", "group", query_id)
    assert order(stage, "/sim/query", "GET", query_id=query_id)["state"] == "waiting"
    results = [ARTICLE, ARTICLE | {"id": "2", "reply_markup": KEYBOARD}]
    stage.call("answerInlineQuery", inline_query_id=query_id, results=results, next_offset="2")
    answer = order(stage, "/sim/query", "GET", query_id=query_id)["answer"]
    assert [result["title"] for result in answer["results"]] == ["Greet", "Greet"]
    assert answer["next_offset"] == "2"
    group = stage.world.add_group("Others", [stage.person.id])
    sent = order(stage, "/sim/inline/choose", query_id=query_id, result_id="2", chat_id=group.id)
    shown = stage.world.show(group, group.messages[sent["message_id"]])
    assert_shape(shown, "Message")
    assert (shown["text"], shown["via_bot"]["id"], shown["from"]["id"]) == ("Hi", stage.bot.id, stage.person.id)
    (chosen,) = updates(stage, "chosen_inline_result")
    assert (chosen["result_id"], chosen["inline_message_id"]) == ("2", sent["inline_message_id"])
    assert not updates(stage, "message")


def test_a_message_with_a_keyboard_is_pressed_and_edited_by_its_inline_id(stage: Stage) -> None:
    group = stage.world.add_group("Others", [stage.person.id, stage.bot.id])
    query_id = offer(stage, ARTICLE | {"reply_markup": KEYBOARD})
    sent = order(stage, "/sim/inline/choose", query_id=query_id, chat_id=group.id)
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id, "chat_id": group.id}
    order(stage, "/sim/press", **place, message_id=sent["message_id"], data="a")
    (pressed,) = updates(stage, "callback_query")
    assert pressed["inline_message_id"] == sent["inline_message_id"]
    assert "message" not in pressed
    assert stage.call("answerCallbackQuery", callback_query_id=pressed["id"], text="ok") is True
    assert group.answers[0]["text"] == "ok"
    edited = stage.call(
        "editMessageText", inline_message_id=sent["inline_message_id"], text="Bye", reply_markup=KEYBOARD
    )
    assert edited is True
    shown = stage.world.show(group, group.messages[sent["message_id"]])
    assert (shown["text"], shown["via_bot"]["id"]) == ("Bye", stage.bot.id)


def test_an_inline_message_is_edited_by_its_own_bot_only(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    sent = order(stage, "/sim/inline/choose", query_id=offer(stage, ARTICLE | {"reply_markup": KEYBOARD}))
    params = {"inline_message_id": sent["inline_message_id"], "text": "x"}
    assert stage.call_as(other, "editMessageText", **params).description == "Bad Request: MESSAGE_ID_INVALID"
    assert stage.call("editMessageText", **params) is True


def test_without_a_keyboard_there_is_no_inline_id_and_without_feedback_no_word_of_the_choice(stage: Stage) -> None:
    stage.bot.inline_feedback = False
    sent = order(stage, "/sim/inline/choose", query_id=offer(stage, ARTICLE))
    assert sent == {"message_id": 1, "inline_message_id": None, "update_id": None}
    assert [message["via_bot"]["id"] for message in updates(stage, "message")] == [stage.bot.id]


@pytest.mark.parametrize("kind", sorted(URLS))
def test_every_type_of_result_becomes_a_message_of_its_kind(stage: Stage, kind: str) -> None:
    sent = order(stage, "/sim/inline/choose", query_id=offer(stage, {"type": kind, "id": "1"} | URLS[kind]))
    shown = stage.world.show(stage.private, stage.private.messages[sent["message_id"]])
    assert_shape(shown, "Message")
    assert {"gif": "animation", "mpeg4_gif": "animation"}.get(kind, kind) in shown


def test_a_file_that_the_bot_has_is_offered_by_its_id(stage: Stage) -> None:
    assert stage.private
    file_id = keep_photo(stage)
    query_id = offer(stage, {"type": "photo", "id": "1", "photo_file_id": file_id})
    sent = order(stage, "/sim/inline/choose", query_id=query_id)
    shown = stage.world.show(stage.private, stage.private.messages[sent["message_id"]])
    assert shown["photo"][-1]["file_id"] == file_id


def keep_photo(stage: Stage) -> str:
    upload = Upload("a.png", "image/png", blank_picture(64, 64))
    message = stage.call("sendPhoto", chat_id=stage.person.id, photo=upload)
    return str(message["photo"][-1]["file_id"])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"id": "1"}, UNREAD + 'Can\'t find field "type"'),
        ({"type": "article", "id": "1", "title": "x"}, UNREAD + 'Can\'t find field "message_text"'),
        ({"type": "moon", "id": "1"}, UNREAD + 'type "moon" is unsupported for the inline query result'),
        (ARTICLE | {"id": ""}, "RESULT_ID_INVALID"),
        (ARTICLE | {"id": "x" * 65}, "RESULT_ID_INVALID"),
        ({"type": "contact", "id": "1", "phone_number": "1"}, UNREAD + 'Can\'t find field "first_name"'),
        ("x", UNREAD + "Inline query result must be an object"),
    ],
)  # fmt: skip
def test_a_wrong_result_is_refused(stage: Stage, result: Any, words: str) -> None:
    query_id = ask(stage)
    assert stage.refusal("answerInlineQuery", inline_query_id=query_id, results=[result]) == f"Bad Request: {words}"


def test_ids_of_results_differ_and_there_are_fifty_at_most(stage: Stage) -> None:
    query_id = ask(stage)
    many = [ARTICLE | {"id": str(at)} for at in range(51)]
    params = {"inline_query_id": query_id}
    assert stage.refusal("answerInlineQuery", **params, results=[ARTICLE] * 2) == "Bad Request: RESULT_ID_DUPLICATE"
    assert "too many" in stage.refusal("answerInlineQuery", **params, results=many)
    assert stage.call("answerInlineQuery", **params, results=many[:50]) is True


def test_a_query_is_answered_within_half_a_minute_and_by_the_bot_that_was_asked(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    params = {"inline_query_id": ask(stage), "results": []}
    words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert stage.call_as(other, "answerInlineQuery", **params).description == words
    stage.clock.time += 31
    assert stage.refusal("answerInlineQuery", **params) == words
    stage.bot.inline = False
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id}
    assert "no inline mode" in told(stage, "/sim/inline", **place, query="x")
    assert stage.call("getMe")["supports_inline_queries"] is False


def test_the_button_above_the_results_opens_the_bot_or_a_mini_app(stage: Stage) -> None:
    offer(stage, button={"text": "Log in", "start_parameter": "in"})
    offer(stage, button={"text": "Log in", "web_app": {"url": "https://example.org"}})
    params = {"inline_query_id": ask(stage), "results": []}
    assert "exactly one" in stage.refusal("answerInlineQuery", **params, button={"text": "x"})
    words = stage.refusal("answerInlineQuery", **params, button={"text": "x", "start_parameter": "a b"})
    assert words == "Bad Request: START_PARAM_INVALID"


def test_a_mini_app_is_opened_with_signed_data_and_answered_once(stage: Stage) -> None:
    opened = order(stage, "/sim/web-app", bot_id=stage.bot.id, person_id=stage.person.id, start_param="x")
    assert f"query_id={opened['query_id']}" in opened["init_data"]
    params = {"web_app_query_id": opened["query_id"], "result": ARTICLE | {"reply_markup": KEYBOARD}}
    answer = stage.call("answerWebAppQuery", **params)
    assert_shape(answer, "SentWebAppMessage")
    assert stage.world.inline_messages[answer["inline_message_id"]][1] == stage.person.id
    assert "too old" in stage.refusal("answerWebAppQuery", **params)


def test_a_prepared_message_is_sent_within_a_day(stage: Stage) -> None:
    made = stage.call("savePreparedInlineMessage", user_id=stage.person.id, result=ARTICLE, allow_group_chats=True)
    assert_shape(made, "PreparedInlineMessage")
    order(stage, "/sim/inline/choose", query_id=made["id"])
    stage.clock.time += 86_401
    assert "too old" in told(stage, "/sim/inline/choose", query_id=made["id"])
    refusal = stage.refusal("savePreparedInlineMessage", user_id=stage.person.id, result=ARTICLE)
    assert refusal == "Bad Request: PEER_TYPES_INVALID"


NESTED: list[Any] = [None, True, 0, -1, 1.5, "", "x", "[", [], [5], {}, {"type": []}, [[{"text": 1}]]]


@pytest.mark.parametrize("kind", sorted(URLS))
def test_nothing_in_a_result_breaks_the_simulator(stage: Stage, kind: str) -> None:
    name = "InlineQueryResult" + "".join(part.capitalize() for part in kind.split("_"))
    for field in [*schema.types()[name], "photo_file_id", "input_message_content"]:
        for value in NESTED:
            result = {"type": kind, "id": "1"} | URLS[kind] | {field: value}
            stage.call("answerInlineQuery", inline_query_id=ask(stage), results=[result])
    for value in NESTED:
        for field in ("message_text", "latitude", "phone_number", "payload", "prices", "currency", "entities"):
            content = {"title": "t", "description": "d", "payload": "p", "currency": "XTR", "prices": []} | {
                field: value
            }
            result = ARTICLE | {"input_message_content": content}
            stage.call("answerInlineQuery", inline_query_id=ask(stage), results=[result])


def test_a_button_reaches_its_bot_in_any_chat_that_the_message_was_sent_to(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    group = stage.world.add_group("Others", [stage.person.id])
    stage.world.private_chat(other.id, stage.person.id)
    place = {"bot_id": other.id, "person_id": stage.person.id}
    for chat_id in (stage.person.id, group.id):
        query_id = offer(stage, ARTICLE | {"reply_markup": KEYBOARD})
        sent = order(stage, "/sim/inline/choose", query_id=query_id, bot_id=other.id, chat_id=chat_id)
        order(stage, "/sim/press", **place, chat_id=chat_id, message_id=sent["message_id"], data="a")
        assert updates(stage, "callback_query")[-1]["inline_message_id"] == sent["inline_message_id"]
    assert {update.kind for update in other.pending.values()} == {"message"}
    group.messages[1].content.pop("via_bot")
    assert "no message 1 of a bot" in told(stage, "/sim/press", **place, chat_id=group.id, message_id=1, data="a")


def test_a_result_passes_by_no_right_and_no_block(stage: Stage) -> None:
    channel, group = gather(stage, "channel"), gather(stage)
    bob = guest(stage, channel)
    membership.join(stage.world, bob, group)
    group.permissions["can_send_other_messages"] = False
    asked = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=bob.id, query="x")["query_id"]
    stage.call("answerInlineQuery", inline_query_id=asked, results=[ARTICLE])
    words = told(stage, "/sim/inline/choose", query_id=asked, chat_id=channel.id)
    assert words.endswith("they lack can_post_messages")
    words = told(stage, "/sim/inline/choose", query_id=asked, chat_id=group.id)
    assert words.endswith("they lack can_send_other_messages")
    order(stage, "/sim/block", bot_id=stage.bot.id, person_id=bob.id)
    assert "has blocked the bot" in told(stage, "/sim/inline/choose", query_id=asked)
    assert not channel.messages.get(channel.last_message_id, group.messages[1]).content.get("via_bot")


def test_after_a_migration_an_inline_message_is_still_itself(stage: Stage) -> None:
    group = gather(stage, "group")
    query_id = offer(stage, ARTICLE | {"reply_markup": KEYBOARD})
    sent = order(stage, "/sim/inline/choose", query_id=query_id, result_id="1", chat_id=group.id)
    new = migrate(stage.world, group)
    while new.last_message_id < sent["message_id"]:
        stage.call("sendMessage", chat_id=new.id, text="mine")
    inline_id = sent["inline_message_id"]
    assert stage.call("editMessageText", inline_message_id=inline_id, text="changed") is True
    assert group.messages[sent["message_id"]].content["text"] == "changed"
    assert all(message.content.get("text") != "changed" for message in new.messages.values())
