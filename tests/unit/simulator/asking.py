"""What the tests of queries, polls and payments share: updates as a bot reads them, and orders."""

from typing import Any

import orjson

from botyard.simulator.errors import ControlError
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape


def updates(stage: Stage, kind: str = "") -> list[Any]:
    """Return the bot's waiting updates of one kind, each held against the Bot API's description."""
    bodies = [orjson.loads(update.body) for update in stage.bot.pending.values()]
    for body in bodies:
        assert_shape(body, "Update")
    return [body[kind] for body in bodies if kind in body] if kind else bodies


def order(stage: Stage, path: str, http: str = "POST", /, **params: Any) -> Any:
    """Carry out an order of the control API."""
    return ORDERS[http, path](stage.simulator, Params(params))


def told(stage: Stage, path: str, http: str = "POST", /, **params: Any) -> str:
    """Carry out an order that is refused; return why."""
    try:
        outcome = order(stage, path, http, **params)
    except ControlError as refusal:
        return refusal.message
    raise AssertionError(outcome)
