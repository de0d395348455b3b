"""What stands before every route of the REST API: who may ask from a browser, how often, and how a body may come."""

from typing import Final

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.middleware.cors import CORSMiddleware

from botyard.settings import Settings
from botyard.web.api.bodies import Bodies
from botyard.web.api.limits import Rates

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SENT: Final = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key")
_READ: Final = (
    "ETag", "Idempotency-Replayed", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"
)  # fmt: skip


def guard(app: FastAPI, state: State, settings: Settings) -> None:
    """Let requests come to an application through all of these.

    Args:
        app: the application.
        state: what the web process holds; the asyncio client as ``redis``.
        settings: the quotas, and the origins of other pages.
    """
    app.add_middleware(Bodies)
    app.add_middleware(Rates, state=state, settings=settings)
    if settings.origins:
        # In front of the quotas, so that pages can read that they were refused. A token is shown by the page itself:
        # there are no cookies that a browser would add.
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=_METHODS, allow_headers=_SENT,
            expose_headers=_READ, allow_credentials=False, max_age=600,
        )  # fmt: skip
