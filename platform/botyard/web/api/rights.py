"""Who may use a route. Each route says what it needs, or there is no application: nothing is open by default.

A role is needed for the object that the path names, or for one's own customer, and checked where that is loaded
(`botyard.accounts.access`): before that nobody is told whether it exists.
"""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from botyard.accounts.access import Actor, Suspended, actor_of, superadmin_only
from botyard.accounts.roles import Role
from db.acting import acting_as

_NEEDS: Final = "__botyard_needs__"
_LONGEST_BEARER: Final = 200

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Need(StrEnum):
    """What somebody must be to use a route, if it is not a role."""

    SIGNED_IN = "signed in"
    SUPERADMIN = "superadmin"


def needs(need: Need | Role) -> Callable[[Endpoint], Endpoint]:
    """Say of an endpoint what it needs."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _NEEDS, need)
        return endpoint

    return mark


class Route(APIRoute):
    """A route that lets in whoever it says: before the body is read, and with their name on all that they do."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not isinstance(getattr(endpoint, _NEEDS, None), Need | Role):
            raise TypeError(f"{path} does not say what it needs; see botyard.web.api.rights")
        super().__init__(path, endpoint, **options)

    @property
    def need(self) -> Need | Role:
        """What the route needs."""
        need: Need | Role = getattr(self.endpoint, _NEEDS)
        return need

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the check."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            actor = await run_in_threadpool(actor_of, _bearer(request))
            if self.need is Need.SUPERADMIN and not self.param_convertors:
                superadmin_only(actor)
            if actor.roles and not actor.customers and not actor.superadmin:
                raise Suspended
            request.state.actor = actor
            with acting_as(f"person:{actor.person_id}"):
                return await inner(request)

        return handle


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_BEARER else None


def _signed_in(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


SignedIn = Annotated[Actor, Depends(_signed_in)]
"""Who makes the request."""
