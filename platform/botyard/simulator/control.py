"""The control API over HTTP: ``/sim/…``, for tests, load runs and the chat page on this machine."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from botyard.simulator.asgi import JSON_TYPE, Receive, Scope, Send, header, read_body, respond, respond_json
from botyard.simulator.downloads import FILE_PATH, send_to_page
from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.forms import read_values
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator
from botyard.simulator.view import events, view

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HISTORY_PAGE = 1_000
LARGEST_HISTORY_PAGE = 50_000


class Control:
    """Answers orders from this machine, and from nowhere else.

    A page of another site must not reach it through a browser: the Host header must be local (DNS
    rebinding), a body must be JSON (which other sites may not send unasked), and no CORS header invites.

    Args:
        simulator: what the orders act on.
        any_peer: also answer other machines. For a container whose port is published on loopback only,
            where all requests come from the bridge.
    """

    def __init__(self, simulator: Simulator, *, any_peer: bool = False) -> None:
        self._simulator = simulator
        self._any_peer = any_peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one order."""
        try:
            self._check_sender(scope)
            if scope["path"].startswith(FILE_PATH):
                await send_to_page(self._simulator, scope, send)
                return
            result = await self._carry_out(scope, receive)
        except ControlError as refusal:
            await respond_json(send, refusal.status, {"error": refusal.message})
        except ApiError as refusal:
            await respond_json(send, 400, {"error": refusal.description.removeprefix("Bad Request: ")})
        else:
            if isinstance(result, bytes):
                await respond(send, 200, result, [JSON_TYPE])
            else:
                await respond_json(send, 200, result)

    async def _carry_out(self, scope: Scope, receive: Receive) -> Any:
        http_method, path = scope["method"], scope["path"]
        values = read_values(scope["query_string"], "", b"")
        if http_method == "POST":
            values |= read_values(b"", "application/json", await read_body(receive))
        params = Params(values)
        order = ORDERS.get((http_method, path))
        if order:
            return order(self._simulator, params)
        if (http_method, path) == ("GET", "/sim/history"):
            limit = min(params.integer("limit", HISTORY_PAGE), LARGEST_HISTORY_PAGE)
            return self._simulator.history.page(params.integer("after", 0), max(limit, 0))
        if (http_method, path) == ("GET", "/sim/view"):
            return await view(self._simulator, params)
        if (http_method, path) == ("GET", "/sim/events"):
            return await events(self._simulator, params)
        raise ControlError(404, f"there is no {http_method} {path}")

    def _check_sender(self, scope: Scope) -> None:
        peer = scope.get("client")
        if not self._any_peer and (peer is None or not ipaddress.ip_address(peer[0]).is_loopback):
            raise ControlError(403, "the control API answers this machine only")
        host = header(scope, b"host")
        if not is_local_host(host):
            raise ControlError(403, "the Host header must be localhost, 127.0.0.1 or [::1]")
        kind = header(scope, b"content-type").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind != "application/json":
            raise ControlError(415, "the content type must be application/json")


def is_local_host(host: str) -> bool:
    """Tell whether a Host header names this machine, with any port."""
    try:
        return urlsplit(f"//{host}").hostname in LOCAL_NAMES
    except ValueError:
        return False
