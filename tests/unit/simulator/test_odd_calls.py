"""Calls and orders that nobody should make: they are refused, and the world can still be shown and saved."""

from typing import Any

import orjson
import pytest

from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.forms import read_values
from botyard.simulator.model import Member
from botyard.simulator.params import Params
from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.asking import order, told
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest

DEEP = '{"keyboard":[["A"]],"extra":' + "[" * 300 + "]" * 300 + "}"
INVOICE: dict[str, Any] = {
    "title": "Tea", "description": "A cup", "payload": "tea", "currency": "EUR", "provider_token": "provider",
}  # fmt: skip


@pytest.fixture(autouse=True)
def opened(stage: Stage) -> None:
    assert stage.private


@pytest.mark.parametrize("value", ["-9999999999999999999", "9999999999999999999", 1 << 63, -(1 << 63) - 1])
def test_an_integer_has_64_bits(value: Any) -> None:
    with pytest.raises(ApiError, match="must be an integer"):
        Params({"width": value}).integer("width")


@pytest.mark.parametrize("value", [(1 << 63) - 1, -(1 << 63)])
def test_the_largest_integers_are_read(value: int) -> None:
    assert Params({"width": value}).integer("width") == Params({"width": str(value)}).integer("width") == value


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sendVideo", {"video": "https://example.org/a.mp4", "width": "-9999999999999999999"}),
        ("sendMessage", {"text": "x", "reply_markup": DEEP}),
        ("sendInvoice", INVOICE | {"prices": [{"label": "A", "amount": (1 << 63) - 1}] * 3}),
        ("sendInvoice", INVOICE | {"prices": [{"label": "A", "amount": 900_000_000_000}] * 2}),
        ("sendInvoice", INVOICE | {"prices": [{"label": "A", "amount": 5}], "max_tip_amount": 10**18}),
    ],
)
def test_what_no_json_can_hold_gets_into_no_message(stage: Stage, name: str, params: dict[str, Any]) -> None:
    stage.refusal(name, chat_id=stage.person.id, **params)
    assert not stage.private.messages
    restore(World(), dump(stage.world))


def test_a_body_is_no_deeper_than_can_be_written_again() -> None:
    with pytest.raises(ApiError, match="can't parse JSON object"):
        read_values(b"", "application/json", DEEP.encode())
    wide = b'{"a":' + b"[" + b"{}," * 500 + b"{}]}"
    assert len(read_values(b"", "application/json", wide)["a"]) == 501


def test_a_file_name_with_broken_bytes_can_be_recorded() -> None:
    head = b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename*=utf-8''%ff.txt\r\n\r\n"
    values = read_values(b"", "multipart/form-data; boundary=x", head + b"y\r\n--x--\r\n")
    assert orjson.dumps(values)


@pytest.mark.parametrize(("path", "name"), [("/sim/restrict", "permissions"), ("/sim/promote", "rights")])
@pytest.mark.parametrize("value", [None, "yes", 1, []])
def test_a_right_is_given_or_taken_by_a_boolean_only(stage: Stage, path: str, name: str, value: Any) -> None:
    chat = gather(stage)
    user = {"person_id": stage.person.id, "chat_id": chat.id, "user_id": guest(stage, chat).id}
    words = told(stage, path, **user, **{name: {"can_send_messages": value}})
    assert words == f"{name}.can_send_messages must be true or false"
    restore(World(), dump(stage.world))


def test_a_group_with_nobody_in_it_stays_a_group(stage: Stage) -> None:
    chat = stage.world.add_group("Empty", [])
    assert told(stage, "/sim/migrate", chat_id=chat.id) == "there is nobody in the group; add somebody first"
    chat.members[stage.person.id] = Member("left")
    order(stage, "/sim/faults", fault="migrate")
    assert stage.simulator.faults.strike(stage.bot.id, chat.id, "sendMessage") is None


def test_an_inline_result_goes_into_the_chat_of_a_bot_that_is_there(stage: Stage) -> None:
    query = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=stage.person.id, query="x")
    assert told(stage, "/sim/inline/choose", query_id=query["query_id"], bot_id=77) == "there is no bot 77"
    assert (77, stage.person.id) not in stage.world.chats


@pytest.mark.parametrize("moment", [{"at": 1e300}, {"at": -1}, {"offset": 1e300}, {"advance": -1e12}])
def test_the_clock_shows_no_moment_without_a_date(stage: Stage, moment: dict[str, float]) -> None:
    before = stage.world.now()
    assert told(stage, "/sim/clock", **moment).startswith("the clock shows moments from 0 to 253402300799")
    assert stage.world.now() == before


def test_a_service_message_is_not_pinned_into_another_again_and_again(stage: Stage) -> None:
    chat = gather(stage)
    sent = stage.write(chat=chat)
    person = {"person_id": stage.person.id, "chat_id": chat.id}
    order(stage, "/sim/pin", **person, message_id=sent.message_id)
    with pytest.raises(ControlError, match="cannot be pinned"):
        order(stage, "/sim/pin", **person, message_id=chat.last_message_id)
