import pytest

from bots.demo import build
from botyard.state.codec import Codec
from botyard.telegram.run import Lane, UpdateRun
from tests.factories import CHAT, callback, message
from tests.unit.conftest import Start, Talk


@pytest.fixture
async def talk(talk_with: Start) -> Talk:
    return await talk_with(build)


def texts(run: UpdateRun) -> list[str]:
    assert run.errors == []
    return [send.params["text"] for send in run.sends]


async def test_it_greets_by_name(talk: Talk) -> None:
    run = await talk.give(message(1, "/start"))
    assert texts(run)[0].startswith("Hello Ann! I am the demo bot.")
    assert (run.sends[0].method, run.sends[0].chat_key, run.sends[0].lane) == ("sendMessage", str(CHAT), Lane.REPLY)
    assert talk.network.calls == [], "a send goes to the outbox and nowhere else"


async def test_it_repeats_anything_else(talk: Talk) -> None:
    assert texts(await talk.give(message(1, "wuff <b>"))) == ["You said: wuff <b>"]


async def test_it_counts_what_a_person_writes(talk: Talk) -> None:
    await talk.give(message(1, "/start"))
    await talk.give(message(2, "hello"))
    assert texts(await talk.give(message(3, "/count"))) == ["This is message number 3 from you."]
    assert talk.user.data == {"count": 3}


async def test_its_button_changes_the_message_and_answers_at_once(talk: Talk) -> None:
    shown = await talk.give(message(1, "/button"))
    assert shown.sends[0].params["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "press:1"
    answer, edit = (await talk.give(callback(2, "press:4", message_id=11))).sends
    assert (answer.method, answer.lane, answer.chat_key) == ("answerCallbackQuery", Lane.URGENT, str(CHAT))
    assert (edit.method, edit.params["message_id"], edit.params["text"]) == ("editMessageText", 11, "Pressed 4 times.")
    assert edit.params["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "press:5"


async def test_a_callback_of_somebody_elses_making_is_left_alone(talk: Talk) -> None:
    run = await talk.give(callback(2, "press:many"))
    assert (run.sends, run.errors) == ([], [])


async def test_an_order_goes_through_its_three_steps_and_ends(talk: Talk) -> None:
    said = []
    for number, text in enumerate(["/order", "Rex", "red", "Yes ", "after"], 1):
        said += texts(await talk.give(message(number, text)))
    assert said == [
        "Let us paint a kennel. What is your dog's name?",
        "And which colour does Rex like?",
        "Shall I paint it? yes or no",
        "Done: a red kennel for Rex.",
        "You said: after",
    ]
    assert talk.chat.talks == {"order": {}}


async def test_the_state_of_an_order_lies_in_the_chats_memory_and_survives_the_way_to_the_database(talk: Talk) -> None:
    await talk.give(message(1, "/order"))
    assert talk.chat.talks == {"order": {(CHAT, CHAT): 0}}
    talk.chat = Codec().load(Codec().dump(talk.chat, "chat_data"))
    assert texts(await talk.give(message(2, "Rex"))) == ["And which colour does Rex like?"]
    assert Codec().dump(talk.chat, "chat_data") == {"data": {"dog": "Rex"}, "talks": {"order": [[[CHAT, CHAT], 1]]}}


async def test_an_order_can_be_left(talk: Talk) -> None:
    await talk.give(message(1, "/order"))
    assert texts(await talk.give(message(2, "/cancel"))) == ["Cancelled."]
    assert texts(await talk.give(message(3, "hello"))) == ["You said: hello"]


async def test_two_people_of_a_group_order_without_each_other(talk: Talk) -> None:
    group = -1001
    await talk.give(message(1, "/order", group, user_id=1))
    await talk.give(message(2, "/order", group, user_id=2))
    await talk.give(message(3, "Rex", group, user_id=1))
    assert talk.chat.talks == {"order": {(group, 1): 1, (group, 2): 0}}


async def test_an_edited_message_is_handled_as_one(talk: Talk) -> None:
    update = message(1, "typo")
    update["edited_message"] = update.pop("message") | {"edit_date": 1_800_000_001}
    assert texts(await talk.give(update)) == ["You said: typo"]
