import contextlib
import itertools
from typing import Any

import orjson
import pytest

from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.methods import REGISTRY
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from tests.unit.simulator.conftest import Stage

GARBAGE: list[Any] = [
    None, True, 0, -1, 1.5, 10**18, "", "x", "-5", "[]", "{", "nan", [], [[]], [5], [["x"]], {}, {"type": []},
    [{}], {"inline_keyboard": 5}, {"inline_keyboard": [[{"text": 5}]]}, {"keyboard": [[5]]}, {"message_id": []},
    [{"type": "bold", "offset": "0"}], [[{"text": "A", "url": 5}]], {"inline_keyboard": [[{"text": "A", "url": {}}]]},
]  # fmt: skip
METHOD_PARAMS = (
    "chat_id", "text", "message_id", "parse_mode", "entities", "reply_markup", "reply_parameters", "action",
    "callback_query_id", "show_alert", "commands", "scope", "language_code", "url", "secret_token",
    "max_connections", "allowed_updates", "drop_pending_updates", "reply_to_message_id",
)  # fmt: skip
ORDER_PARAMS = (
    "bot_id", "person_id", "chat_id", "text", "message_id", "data", "token", "username", "name", "first_name",
    "id", "title", "member_ids", "bot_ids", "messages", "fault", "methods", "seconds", "count", "redeliver",
    "retry_scale", "seed", "flood", "blocked", "reply_to",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(REGISTRY))
async def test_no_parameter_breaks_a_method(stage: Stage, name: str) -> None:
    message_id = stage.write().message_id
    good = {"chat_id": stage.person.id, "text": "x", "message_id": message_id, "commands": []}
    for parameter, value in itertools.product(METHOD_PARAMS, GARBAGE):
        outcome = stage.call(name, **(good | {parameter: value}))
        assert isinstance(outcome, ApiError) or orjson.dumps(outcome, default=str)
    stage.simulator.stop()


@pytest.mark.parametrize(("http", "path"), sorted(ORDERS))
def test_no_parameter_breaks_an_order(stage: Stage, http: str, path: str) -> None:
    person = {"bot_id": stage.bot.id, "person_id": stage.person.id, "first_name": "Ann", "title": "Friends"}
    good = person | {"token": "42:A", "username": "x_bot", "fault": "500", "text": "x"}
    for parameter, value in itertools.product(ORDER_PARAMS, GARBAGE):
        with contextlib.suppress(ApiError, ControlError):
            assert orjson.dumps(ORDERS[http, path](stage.simulator, Params(good | {parameter: value})))
