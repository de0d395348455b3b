import pytest

from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape, shape_faults

CHAT = {"id": 1, "type": "private"}


def test_what_the_simulator_returns_passes(stage: Stage) -> None:
    stage.write("/start")
    sent = stage.call("sendMessage", chat_id=stage.person.id, text="hi", reply_parameters={"message_id": 1})
    assert_shape(sent, "Message")
    assert_shape(stage.call("getMe"), "User")
    assert_shape([sent], "Array of Message")
    assert_shape(True, "Message or True")


@pytest.mark.parametrize(
    ("value", "words", "fault"),
    [
        ({"message_id": 1, "date": 2}, "Message", "Message.chat is missing"),
        (
            {"message_id": 1, "date": 2, "chat": CHAT, "txt": ""},
            "Message",
            "Message.txt is unknown to Message",
        ),
        (
            {"message_id": "1", "date": 2, "chat": CHAT},
            "Message",
            "Message.message_id is '1', not Integer",
        ),
        (
            {"message_id": True, "date": 2, "chat": CHAT},
            "Message",
            "Message.message_id is True, not Integer",
        ),
        ({"message_id": 1, "date": 2, "chat": CHAT, "photo": {}}, "Message", "Message.photo is no list"),
        (
            {"message_id": 1, "date": 2, "chat": CHAT, "photo": [{}]},
            "Message",
            "Message.photo[0].file_id is missing",
        ),
        ({"type": "emoji"}, "ReactionType", "ReactionType.emoji is missing"),
        (False, "True", "True is False, not True"),
    ],
)
def test_what_has_another_shape_is_told(value: object, words: str, fault: str) -> None:
    assert fault in shape_faults(value, words)
