from collections.abc import Callable
from typing import Any

import pytest

from botyard.simulator import people
from botyard.simulator.errors import ApiError
from botyard.simulator.model import Person
from tests.unit.simulator.conftest import Stage

Buttons = Callable[..., dict[str, Any]]
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)


def test_a_bot_cannot_write_to_a_chat_it_does_not_know(stage: Stage) -> None:
    assert stage.refusal("sendMessage", chat_id=stage.person.id, text="hi") == "Bad Request: chat not found"
    assert stage.refusal("sendMessage", chat_id="@somebody", text="hi") == "Bad Request: chat not found"
    assert stage.refusal("sendMessage", text="hi") == "Bad Request: chat_id is empty"


def test_a_bot_cannot_begin_a_talk_with_someone_it_knows_from_a_group(stage: Stage) -> None:
    stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    words = stage.refusal("sendMessage", chat_id=stage.person.id, text="hi")
    assert words == "Forbidden: bot can't initiate conversation with a user"


def test_a_blocked_bot_is_told_so_until_it_is_unblocked(stage: Stage) -> None:
    stage.write()
    people.block(stage.world, stage.bot, stage.person, blocked=True)
    for name, params in (("sendMessage", {"text": "hi"}), ("sendChatAction", {"action": "typing"})):
        words = stage.refusal(name, chat_id=stage.person.id, **params)
        assert words == "Forbidden: bot was blocked by the user"
    people.block(stage.world, stage.bot, stage.person, blocked=False)
    assert stage.say()


def test_message_ids_of_a_chat_grow_by_one(stage: Stage) -> None:
    assert [stage.write().message_id, stage.say(), stage.say(), stage.write().message_id] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "message text is empty"),
        ({"text": " \n "}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": ["x"]}, 'parameter "text" must be a string'),
        ({"text": "x", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ({"text": "x", "disable_notification": "perhaps"}, 'parameter "disable_notification" must be a boolean'),
        ({"text": "x", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ({"text": "x", "reply_markup": "{"}, "can't parse reply_markup JSON object"),
        ({"text": "x", "reply_markup": {"what": 1}}, "object expected as reply markup"),
    ],
)
def test_what_telegram_refuses_to_send_is_refused(stage: Stage, params: dict[str, Any], words: str) -> None:
    stage.write()
    assert stage.refusal("sendMessage", chat_id=stage.person.id, **params) == f"Bad Request: {words}"
    assert stage.private.last_message_id == 1


def test_the_longest_text_fits(stage: Stage) -> None:
    stage.write()
    assert stage.say("x" * 4096)


def test_the_data_of_a_button_is_counted_in_bytes(stage: Stage, buttons: Buttons) -> None:
    stage.write()
    assert stage.say(reply_markup=buttons("ü" * 32))
    words = stage.refusal("sendMessage", chat_id=stage.person.id, text="x", reply_markup=buttons("ü" * 33))
    assert words == "Bad Request: BUTTON_DATA_INVALID"


def test_a_button_without_anything_to_do_is_refused(stage: Stage) -> None:
    stage.write()
    markup = {"inline_keyboard": [[{"text": "Nothing"}]]}
    words = stage.refusal("sendMessage", chat_id=stage.person.id, text="x", reply_markup=markup)
    assert words.endswith("Text buttons are unallowed in the inline keyboard")


def test_a_reply_shows_the_message_it_answers(stage: Stage) -> None:
    asked = stage.write("a question")
    answer = stage.call(
        "sendMessage", chat_id=stage.person.id, text="x", reply_parameters={"message_id": asked.message_id}
    )
    assert answer["reply_to_message"]["text"] == "a question"


def test_only_inline_keyboards_are_shown_to_bots(stage: Stage, buttons: Buttons) -> None:
    stage.write()
    inline = stage.call("sendMessage", chat_id=stage.person.id, text="x", reply_markup=buttons("a"))
    plain = stage.call("sendMessage", chat_id=stage.person.id, text="x", reply_markup={"keyboard": [["Yes"]]})
    assert inline["reply_markup"] == buttons("a")
    assert "reply_markup" not in plain


def test_an_edit_changes_the_text_and_drops_the_keyboard(stage: Stage, buttons: Buttons) -> None:
    stage.write()
    message_id = stage.say("before", reply_markup=buttons("a"))
    edited = stage.call("editMessageText", chat_id=stage.person.id, message_id=message_id, text="after")
    assert edited["text"] == "after"
    assert edited["edit_date"]
    assert "reply_markup" not in edited


def test_an_edit_that_changes_nothing_is_refused(stage: Stage, buttons: Buttons) -> None:
    stage.write()
    place = {"chat_id": stage.person.id, "message_id": stage.say("same", reply_markup=buttons("a"))}
    assert stage.refusal("editMessageText", **place, text="same", reply_markup=buttons("a")) == NOT_MODIFIED
    assert stage.refusal("editMessageReplyMarkup", **place, reply_markup=buttons("a")) == NOT_MODIFIED
    assert isinstance(stage.call("editMessageReplyMarkup", **place, reply_markup=buttons("b")), dict)


def test_only_the_bots_own_messages_can_be_edited(stage: Stage) -> None:
    sent = stage.write()
    place = {"chat_id": stage.person.id, "text": "x"}
    words = stage.refusal("editMessageText", message_id=sent.message_id, **place)
    assert words == "Bad Request: message can't be edited"
    for unknown in (99, -1):
        words = stage.refusal("editMessageText", message_id=unknown, **place)
        assert words == "Bad Request: message to edit not found"
    assert stage.refusal("editMessageText", **place) == "Bad Request: message identifier is not specified"


def test_a_message_can_be_deleted_once(stage: Stage) -> None:
    stage.write()
    place = {"chat_id": stage.person.id, "message_id": stage.say()}
    assert stage.call("deleteMessage", **place) is True
    assert stage.refusal("deleteMessage", **place) == "Bad Request: message to delete not found"


def test_a_message_older_than_two_days_cannot_be_deleted(stage: Stage) -> None:
    stage.write()
    message_id = stage.say()
    stage.clock.time += 48 * 3600 + 1
    words = stage.refusal("deleteMessage", chat_id=stage.person.id, message_id=message_id)
    assert words == "Bad Request: message can't be deleted for everyone"


def test_a_pressed_button_can_be_answered_for_a_while_by_its_own_bot(stage: Stage, buttons: Buttons) -> None:
    stage.write()
    message_id = stage.say(reply_markup=buttons("a"))
    _, query = people.press(stage.world, stage.bot, stage.person, stage.private, message_id=message_id, data="a")
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    assert isinstance(stage.call_as(other, "answerCallbackQuery", callback_query_id=query), ApiError)
    assert stage.call("answerCallbackQuery", callback_query_id=query, text="Thanks") is True
    assert stage.private.answers[0]["text"] == "Thanks"
    stage.clock.time += 151
    words = stage.refusal("answerCallbackQuery", callback_query_id=query)
    assert words == "Bad Request: query is too old and response timeout expired or query ID is invalid"


def test_what_a_bot_is_doing_is_shown_until_its_next_message(stage: Stage) -> None:
    stage.write()
    assert stage.call("sendChatAction", chat_id=stage.person.id, action="typing") is True
    assert stage.private.action == "typing"
    stage.say()
    assert stage.private.action == ""
    words = stage.refusal("sendChatAction", chat_id=stage.person.id, action="dancing")
    assert words == "Bad Request: wrong parameter action in request"


def test_a_group_is_known_to_its_members_only(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    assert isinstance(stage.call("sendMessage", chat_id=group.id, text="hi"), dict)
    refused = stage.call_as(other, "sendMessage", chat_id=group.id, text="hi")
    assert refused.description == "Bad Request: chat not found"


def test_more_than_twenty_sends_in_ten_seconds_are_a_flood(stage: Stage) -> None:
    stage.write()
    for _ in range(20):
        stage.say()
    refused = stage.call("sendMessage", chat_id=stage.person.id, text="hi")
    assert refused.as_json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 10",
        "parameters": {"retry_after": 10},
    }
    stage.clock.time += 10
    assert stage.say()


def test_a_bot_may_not_send_more_than_sixty_a_second_in_all(stage: Stage) -> None:
    crowd = [stage.world.add_person(Person(0, f"Person {number}")) for number in range(61)]
    for person in crowd:
        stage.world.private_chat(stage.bot.id, person.id)
    outcomes = [stage.call("sendMessage", chat_id=person.id, text="hi") for person in crowd]
    assert [isinstance(outcome, ApiError) for outcome in outcomes] == [False] * 60 + [True]


def test_without_flood_limits_everything_passes(stage: Stage) -> None:
    stage.world.settings.flood = False
    stage.write()
    for _ in range(100):
        stage.say()
