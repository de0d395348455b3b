"""The Bot API over HTTP: ``/bot<token>/<method>``."""

import asyncio
import re
from typing import Any

import orjson

from botyard.simulator.asgi import JSON_TYPE, Headers, Receive, Scope, Send, header, read_body, respond
from botyard.simulator.errors import ApiError, too_many_requests
from botyard.simulator.faults import CHANGES, Fault
from botyard.simulator.forms import read_values
from botyard.simulator.methods.call import Described
from botyard.simulator.model import Bot
from botyard.simulator.params import INTEGER
from botyard.simulator.simulator import Simulator

TOKEN = re.compile(r"[1-9][0-9]{0,15}:[A-Za-z0-9_-]{1,80}", re.ASCII)
HTML_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"
REFUSALS = {
    "500": ApiError(500, "Internal Server Error"),
    "502": ApiError(502, "Bad Gateway"),
    "html": ApiError(502, "Bad Gateway"),
    "reset": ApiError(0, "the connection was broken before the call was carried out"),
}
"""What the record says of calls that were not carried out, and what most of them are told."""
ABORT = "botyard.abort"
"""Scope extension: its ``call`` breaks the connection."""


class BotApi:
    """Answers calls of bots.

    Args:
        simulator: what they act on.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._world = simulator.world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        arrived = self._world.now()
        body = await read_body(receive)
        try:
            bot, name = self._who(scope["path"])
            values = read_values(scope["query_string"], header(scope, b"content-type"), body)
        except ApiError as refusal:
            self._note_old_token(scope["path"], arrived, refusal)
            await _answer(send, refusal)
            return
        fault = self._simulator.faults.strike(bot.id, _chat_id(values), name)
        if fault:
            failure = await self._play(fault, bot, values)
            if failure:
                self._simulator.record(bot, name, values, arrived, failure)
                await self._fail(fault, failure, scope, receive, send)
                return
        outcome: Any
        if name.lower() == "getupdates":
            outcome = await self._simulator.get_updates(bot, values, arrived)
        else:
            outcome = self._simulator.execute(bot, name, values, arrived)
        if fault and fault.kind == "cut":
            await _break(scope, receive)
            return
        await _answer(send, outcome)

    def _who(self, path: str) -> tuple[Bot, str]:
        """Return the bot and the method named by a path."""
        token, _, name = path.removeprefix("/bot").partition("/")
        bot = self._world.tokens.get(token)
        if bot is None:
            raise ApiError(401, "Unauthorized") if TOKEN.fullmatch(token) else ApiError(404, "Not Found")
        name = name.removeprefix("test/").removesuffix("/")
        if not name or "/" in name:
            raise ApiError(404, "Not Found")
        return bot, name

    def _note_old_token(self, path: str, arrived: float, refusal: ApiError) -> None:
        """What comes with a token that a bot has no more stands in the record, too."""
        token, _, name = path.removeprefix("/bot").partition("/")
        number = token.partition(":")[0]
        if refusal.code == 401 and (bot := self._world.bots.get(int(number))):
            self._simulator.record(bot, name, {}, arrived, refusal)

    async def _play(self, fault: Fault, bot: Bot, values: dict[str, Any]) -> ApiError | None:
        """Play a fault; return the refusal, if there is one instead of the method."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.kind in CHANGES:
            self._simulator.faults.change(fault, bot.id, _chat_id(values))
        if fault.kind == "429":
            return too_many_requests(fault.retry_after)
        return REFUSALS.get(fault.kind)

    async def _fail(self, fault: Fault, refusal: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call that was not carried out, if it is answered at all."""
        if fault.kind == "reset":
            await _break(scope, receive)
        elif fault.kind == "html":
            await respond(send, 502, HTML_PAGE, [(b"content-type", b"text/html")])
        else:
            await _answer(send, refusal)


async def _break(scope: Scope, receive: Receive) -> None:
    """Break the connection instead of an answer."""
    scope["extensions"][ABORT]["call"]()
    # The server takes a return without an answer for a mistake, unless it has seen the break.
    await receive()


def _chat_id(values: dict[str, Any]) -> int:
    value = str(values.get("chat_id", ""))
    return int(value) if INTEGER.fullmatch(value) else 0


async def _answer(send: Send, outcome: Any) -> None:
    """Send a result, or a refusal, as Telegram does."""
    headers: Headers = [JSON_TYPE]
    status = 200
    if isinstance(outcome, ApiError):
        status = outcome.code
        if outcome.parameters and "retry_after" in outcome.parameters:
            headers.append((b"retry-after", str(outcome.parameters["retry_after"]).encode()))
        body = orjson.dumps(outcome.as_json())
    elif isinstance(outcome, Described):
        body = orjson.dumps({"ok": True, "result": outcome.result, "description": outcome.description})
    elif isinstance(outcome, list) and outcome and isinstance(outcome[0], bytes):
        body = b'{"ok":true,"result":[' + b",".join(outcome) + b"]}"
    else:
        body = orjson.dumps({"ok": True, "result": outcome})
    await respond(send, status, body, headers)
