"""The REST API as an application of its own, with its own answers to errors; the web process mounts it."""

from typing import Final
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import Message, Receive, Scope, Send

from botyard import __version__
from botyard.web.api import customers, messages, v1
from botyard.web.api.problems import explain_errors, problem, request_id

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
                MutableHeaders(scope=message)["X-Request-Id"] = named
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
            await problem(413, "A request has at most 1 MiB.")(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


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
    # The paths that bot managers before this one had; `/api/v1` is the API itself.
    for router in (customers.router, messages.router):
        app.include_router(router)
    for router in v1.ROUTERS:
        app.include_router(router, prefix="/v1")
    return app
