"""Nothing that a bot or a test sends about queries, polls and payments breaks the simulator."""

import contextlib
import itertools
from typing import Any

import orjson
import pytest

from botyard.simulator import schema
from botyard.simulator.errors import ApiError, ControlError
from tests.unit.simulator.asking import order
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.test_garbage import GARBAGE
from tests.unit.simulator.test_inline import ARTICLE, KEYBOARD
from tests.unit.simulator.test_payments import OPTIONS, STARS
from tests.unit.simulator.test_polls import QUIZ
from tests.unit.simulator.test_tapping import BUTTONS

NESTED: list[Any] = [
    *GARBAGE, [None], [{"text": 5}], [{"label": "x", "amount": []}], {"text": "x", "start_parameter": 5},
    [True], [10**18],
    {"type": "web_app", "text": "x", "web_app": 5}, [{"id": "x", "title": "x", "prices": 5}],
    {"latitude": [], "longitude": 0},
    [{"command": [], "description": "x"}], {"shipping_address": 5}, {"update_id": [], "message": {"chat": 5}},
    {"message": {"chat": {"id": "x"}, "from": []}}, [[1]], ["1"], {"type": "quiz"},
]  # fmt: skip
METHODS: dict[str, dict[str, Any]] = {
    "sendPoll": QUIZ,
    "sendInvoice": STARS,
    "createInvoiceLink": STARS,
    "answerShippingQuery": {"ok": True, "shipping_options": OPTIONS},
    "answerInlineQuery": {"results": [ARTICLE]},
    "savePreparedInlineMessage": {"result": ARTICLE, "allow_user_chats": True},
    "answerWebAppQuery": {"result": ARTICLE},
    "setChatMenuButton": {},
    "setMyCommands": {"commands": [{"command": "a", "description": "b"}]},
    "setMyDefaultAdministratorRights": {},
    "setGameScore": {"score": 1},
    "setMyName": {"name": "x"},
    "refundStarPayment": {"telegram_payment_charge_id": "x"},
}
ORDERS: dict[str, dict[str, Any]] = {
    "/sim/tap": {"text": "Where", "location": {"latitude": 1, "longitude": 2}},
    "/sim/vote": {"options": [0]},
    "/sim/pay": {"order_info": {}, "tip": 0},
    "/sim/inline": {"query": "", "offset": "", "chat_type": "sender"},
    "/sim/replay": {"update": {"message": {"chat": {"id": 5}}}, "fresh": True},
    "/sim/clock": {"at": 1, "offset": 1, "advance": 1, "speed": 1, "reset": False},
    "/sim/faults": {"fault": "429", "hold": True, "probability": 1, "seed": 1, "after": 1},
    "/sim/games": {"short_name": "x"},
    "/sim/web-app": {"start_param": "x"},
}


@pytest.mark.parametrize("name", METHODS)
def test_no_parameter_breaks_a_method_that_is_called_rightly(stage: Stage, name: str) -> None:
    asked = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=stage.person.id, query="")
    places = {"chat_id": stage.private.id, "user_id": stage.person.id, "inline_query_id": asked["query_id"]}
    good = places | METHODS[name]
    for parameter, value in itertools.product(schema.methods()[name.lower()], NESTED):
        outcome = stage.call(name, **(good | {parameter: value}))
        assert isinstance(outcome, ApiError) or orjson.dumps(outcome, default=str)


@pytest.mark.parametrize("path", ORDERS)
def test_no_parameter_breaks_an_order_that_is_given_rightly(stage: Stage, path: str) -> None:
    assert stage.private
    stage.say(reply_markup={"keyboard": BUTTONS})
    poll = stage.call("sendPoll", chat_id=stage.person.id, question="?", options=["a", "b"])["message_id"]
    bill = stage.call("sendInvoice", chat_id=stage.person.id, **STARS)["message_id"]
    message = {"/sim/vote": poll, "/sim/pay": bill}.get(path, 1)
    good = {"bot_id": stage.bot.id, "person_id": stage.person.id, "message_id": message} | ORDERS[path]
    names = [*good, "user_ids", "shared_chat_id", "data", "phone_number", "link", "text"]
    texts = [button if isinstance(button, str) else button["text"] for row in BUTTONS for button in row]
    for text, parameter, value in itertools.product(texts if path == "/sim/tap" else [""], names, NESTED):
        with contextlib.suppress(ApiError, ControlError):
            assert orjson.dumps(order(stage, path, **(good | ({"text": text} if text else {}) | {parameter: value})))


def test_a_keyboard_of_a_result_may_be_anything(stage: Stage) -> None:
    for value in [*NESTED, KEYBOARD, {"inline_keyboard": []}, {"inline_keyboard": [[]]}]:
        asked = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=stage.person.id, query="")
        result = ARTICLE | {"reply_markup": value}
        stage.call("answerInlineQuery", inline_query_id=asked["query_id"], results=[result])
