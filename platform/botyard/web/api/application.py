"""The REST API as an application of its own, with its own answers to errors; the web process mounts it."""

from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers, State
from starlette.types import Receive, Scope, Send

from botyard import __version__
from botyard.web.api import bots, customers, messages
from botyard.web.api.problems import explain_errors, problem

PREFIX: Final = "/api"
_LARGEST_BODY: Final = 1024 * 1024


class Api(FastAPI):
    """An application that reads no more than a mebibyte, and says so as it says everything else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What is only found to be too large while it is read is refused by the framework."""
        declared = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
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
    for router in (customers.router, bots.router, messages.router):
        app.include_router(router)
    return app
