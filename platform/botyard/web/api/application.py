"""The REST API as an application of its own, with its own answers to errors; the web process mounts it."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from uuid import uuid4

import structlog
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from botyard import __version__
from botyard.settings import get_settings
from botyard.web.api import customers, documentation, messages, v1
from botyard.web.api.guards import guard
from botyard.web.api.openapi import describe
from botyard.web.api.problems import explain_errors, problem, request_id
from botyard.web.api.routes import Route

PREFIX: Final = "/api"
_LARGEST_BODY: Final = 1024 * 1024


class Api(FastAPI):
    """An application that names each request, reads no more than a mebibyte, and says so as it says everything else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What is only found to be too large while it is read is refused by the framework."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        named = uuid4().hex

        async def named_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = named
                if message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
                    headers["Allow"] = self._methods_at(scope)
            await send(message)

        token = request_id.set(named)
        try:
            with structlog.contextvars.bound_contextvars(request_id=named):
                await self._serve(scope, receive, named_send)
        finally:
            request_id.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > _LARGEST_BODY:
            largest = self._largest_of(scope)
            if int(declared) > largest:
                await problem(413, f"A request of this kind has at most {largest >> 20} MiB.")(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _largest_of(self, scope: Scope) -> int:
        """How many bytes the route of a request takes: a few take files."""
        found = [route for _, route in self._routes_at(scope) if scope["method"] in (route.methods or ())]
        return (found[0].max_body_size if found else None) or _LARGEST_BODY

    def _methods_at(self, scope: Scope) -> str:
        """What can be asked where a request goes: each method has a route of its own, and the framework names one."""
        found = list(self._routes_at(scope))
        # Where a word and an id may stand, the word's path is meant.
        plainest = min((path.count("{") for path, _ in found), default=0)
        methods = {method for path, route in found if path.count("{") == plainest for method in route.methods or ()}
        return ", ".join(sorted(methods))

    def _routes_at(self, scope: Scope) -> Iterator[tuple[str, Route]]:
        """With the paths by which they are included."""
        asked = scope["path"].removeprefix(scope.get("root_path", ""))
        for context in iter_route_contexts(self.routes):
            route, path = context.original_route, str(context.path)
            if isinstance(route, Route) and compile_path(path)[0].match(asked):
                yield path, route


def build_api(state: State) -> Api:
    """The application behind `PREFIX`.

    Args:
        state: what the web process holds; the `BotManager` as ``manager``.
    """
    app = Api(
        title="Botyard", version=__version__, openapi_url=None, docs_url=None, redoc_url=None,
        max_body_size=_LARGEST_BODY, redirect_slashes=False,
    )  # fmt: skip
    app.state = state
    explain_errors(app)
    guard(app, state, get_settings())
    describe(app)
    # The paths that bot managers before this one had, and the documentation; `/api/v1` is the API itself.
    for router in (customers.router, messages.router, documentation.router):
        app.include_router(router)
    for router in v1.ROUTERS:
        app.include_router(router, prefix="/v1")
    return app
