from typing import Any

import pytest

from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape

HERE = {"latitude": 52.5, "longitude": 13.4}
FOREVER = 0x7FFFFFFF


def send(stage: Stage, name: str, **params: Any) -> dict[str, Any]:
    stage.write()
    message = stage.call(name, chat_id=stage.person.id, **params)
    assert_shape(message, "Message")
    return dict(message)


def test_a_place_a_contact_and_a_dice_are_shown(stage: Stage) -> None:
    assert send(stage, "sendLocation", **HERE, horizontal_accuracy=5)["location"] == HERE | {"horizontal_accuracy": 5.0}
    venue = send(stage, "sendVenue", **HERE, title="Café", address="Street 1", google_place_id="x")
    assert venue["venue"]["location"] == venue["location"] == HERE
    contact = send(stage, "sendContact", phone_number="+1234", first_name="Bob", vcard="")
    assert contact["contact"] == {"phone_number": "+1234", "first_name": "Bob"}
    assert send(stage, "sendDice", emoji="⚽️")["dice"]["value"] in range(1, 6)
    assert send(stage, "sendDice")["dice"]["emoji"] == "🎲"


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("sendLocation", {"latitude": 91, "longitude": 0}, "wrong location specified"),
        ("sendLocation", HERE | {"live_period": 59}, "wrong live location period specified"),
        ("sendLocation", HERE | {"live_period": 60, "heading": 361}, "wrong live location heading specified"),
        ("sendVenue", HERE | {"title": " ", "address": "x"}, "venue title must be non-empty"),
        ("sendContact", {"phone_number": "", "first_name": "x"}, "PHONE_NUMBER_INVALID"),
        ("sendDice", {"emoji": "🐱"}, "DICE_EMOJI_INVALID"),
    ],
)
def test_what_is_no_place_contact_or_dice_is_refused(
    stage: Stage, name: str, params: dict[str, Any], words: str
) -> None:
    stage.write()
    assert stage.refusal(name, chat_id=stage.person.id, **params) == f"Bad Request: {words}"


def test_a_live_location_moves_until_its_time_is_over(stage: Stage) -> None:
    sent = send(stage, "sendLocation", **HERE, live_period=60)
    where = {"chat_id": stage.person.id, "message_id": sent["message_id"]}
    moved = stage.call("editMessageLiveLocation", **where, latitude=1, longitude=2, heading=90)
    assert_shape(moved, "Message")
    assert moved["location"] == {"latitude": 1.0, "longitude": 2.0, "heading": 90, "live_period": 60}
    stage.clock.time += 61
    words = stage.refusal("editMessageLiveLocation", **where, latitude=3, longitude=2)
    assert words == "Bad Request: message can't be edited"


def test_a_live_location_is_prolonged_and_stopped(stage: Stage) -> None:
    sent = send(stage, "sendLocation", **HERE, live_period=60)
    where = {"chat_id": stage.person.id, "message_id": sent["message_id"]}
    moved = stage.call("editMessageLiveLocation", **where, **HERE, live_period=FOREVER)
    assert moved["location"]["live_period"] == FOREVER
    assert stage.call("stopMessageLiveLocation", **where)["location"] == HERE
    words = "Bad Request: there is no live location in the message to edit"
    assert stage.refusal("stopMessageLiveLocation", **where) == words
