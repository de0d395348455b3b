"""What happens around each endpoint: who asks, whether it was asked before, and whether the answer is known already."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import HTTPException, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from botyard.accounts import idempotency
from botyard.accounts.access import Actor
from botyard.accounts.idempotency import Answer, Made
from botyard.web.api.bodies import is_json
from botyard.web.api.rights import Creates, Needs, creates_of, let_in, needs_of
from db.acting import acting_as
from db.claims import Claim, serving

_REPLAYED: Final = "Idempotency-Replayed"

Serve = Callable[[Request], Awaitable[Response]]


class Route(APIRoute):
    """A route that lets in whoever it says: before the body is read, and with their name on all that they do."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        needed = needs_of(endpoint)
        if needed is None:
            raise TypeError(f"{path} does not say what it needs; see botyard.web.api.rights")
        self.needs: Needs = needed
        self.creates: Creates | None = creates_of(endpoint)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the checks."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            of_an_object = bool(self.param_convertors)
            actor = await run_in_threadpool(let_in, request, self.needs, of_an_object=of_an_object)
            request.state.actor = actor
            if self.body_field is not None:
                _json_only(request)
            with ExitStack() as stack:
                if actor is not None:
                    stack.enter_context(acting_as(f"person:{actor.person_id}"))
                if self.creates is not None and actor is not None:
                    return await _once(self.creates, actor, request, inner)
                return _unless_known(request, await inner(request))

        return handle


def route_of(request: Request) -> str:
    """By what a request is known when it is repeated."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return idempotency.route_of(request.method, request.url.path, raw + b"?" + request.scope["query_string"])


def _json_only(request: Request) -> None:
    headers = request.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and not is_json(headers.get("content-type", "")):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, as Content-Type: application/json.")


def _unless_known(request: Request, response: Response) -> Response:
    """Without the body, if whoever asks has just this version."""
    tag = response.headers.get("etag")
    if tag is None or request.method != "GET":
        return response
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return (
        Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        if tag in known or "*" in known
        else response
    )


async def _once(creates: Creates, actor: Actor, request: Request, inner: Serve) -> Response:
    key = idempotency.fit_key(request.headers.get("idempotency-key"))
    body = await request.body()
    found = await run_in_threadpool(idempotency.begin, actor.person_id, route_of(request), key, body)
    if isinstance(found, Answer):
        if found.made is not None:
            # Whoever may not see it any more, or not with this API key, is refused by that.
            await run_in_threadpool(creates.again, actor, **found.made)
        return _given_again(found)
    if isinstance(found, Made):
        shown = jsonable_encoder(await run_in_threadpool(creates.again, actor, **found.what))
        return _given_again(Answer(creates.status, {}, shown))
    return await _first(creates, request, inner, found)


async def _first(creates: Creates, request: Request, inner: Serve, claim: Claim) -> Response:
    try:
        with serving(claim):
            response = await inner(request)
    except BaseException:
        await run_in_threadpool(idempotency.give_back, claim)
        raise
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        await run_in_threadpool(idempotency.give_back, claim)
        return response
    if not creates.secret:
        body = orjson.loads(response.body) if response.body else None
        await run_in_threadpool(idempotency.keep, claim, Answer(response.status_code, dict(response.headers), body))
    return response


def _given_again(answer: Answer) -> Response:
    body = b"" if answer.body is None else orjson.dumps(answer.body)
    headers = {**answer.headers, _REPLAYED: "true"}
    return Response(body, answer.status, headers, media_type="application/json")
