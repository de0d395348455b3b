"""How often somebody may ask. See docs/api.md.

Whoever shows a token counts as its key or person once a request with it was let in; until then, as strangers do, as
their address. So guessing tokens costs the guesser's address, and reading tokens from the database is limited, too.
A Redis that is away limits nobody: that every request is refused then would be worse.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Any, Final

import structlog
from redis.exceptions import RedisError
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from botyard.accounts.access import Actor
from botyard.settings import Settings
from botyard.web.api.problems import problem

log = structlog.get_logger(__name__)

_WINDOW: Final = 60
_KEYS_TOGETHER: Final = 2
"""So many times the quota of one is what all API keys of a person have."""
_REMEMBERED: Final = 10_000
_ANSWERS_WITHIN: Final = 0.5
_LEFT_ALONE: Final = 1.0
_SOURCE: Final = (files("botyard.web.api") / "rates.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests of one kind somebody may make in a minute.

    Args:
        policy: how the answer's headers call it.
        who: whose requests are counted together.
        requests: how many.
    """

    policy: str
    who: str
    requests: int


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a quota.

    Args:
        quota: of which.
        left: requests.
        anew: seconds until its window begins anew.
        wait: seconds until a request fits.
    """

    quota: Quota
    left: int
    anew: int
    wait: int


class Rates:
    """Refuses requests that come too often, and says in every answer how many more may come.

    Args:
        app: what is behind it.
        state: what the web process holds; the asyncio client as ``redis``.
        settings: the quotas.
    """

    def __init__(self, app: ASGIApp, state: State, settings: Settings) -> None:
        self._app = app
        self._state = state
        self._each, self._customer = settings.api_rate, settings.api_rate_customer
        self._anonymous = settings.api_rate_anonymous
        self._known: OrderedDict[bytes, tuple[Quota, ...]] = OrderedDict()
        self._script: Any = None
        self._away_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        shown = Headers(scope=scope).get("authorization")
        token = sha256(shown.encode("latin-1")).digest() if shown else None
        quotas = (token and self._known.get(token)) or self._of_address(scope)
        fits, rooms = await self._count([quota for quota in quotas if quota.requests])
        headers = _headers(rooms)
        if not fits:
            wait = max(1, *(room.wait for room in rooms))
            said = f"These are too many requests. Ask again in {wait} s."
            refusal = problem(429, said, headers={**headers, "Retry-After": str(wait)})
            await refusal(scope, receive, send)
            return

        async def told_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
                if token is not None:
                    self._learn(token, scope, message["status"])
            await send(message)

        scope.setdefault("state", {})
        await self._app(scope, receive, told_send)

    def _of_address(self, scope: Scope) -> tuple[Quota, ...]:
        return (Quota("anonymous", f"address:{place_of(scope)}", self._anonymous),)

    def _learn(self, token: bytes, scope: Scope, status: int) -> None:
        """Remember whose token it is, now that the request was let in or was not."""
        actor = scope["state"].get("actor")
        if status == 401:
            self._known.pop(token, None)
        elif isinstance(actor, Actor):
            self._known[token] = self._quotas_of(actor)
            self._known.move_to_end(token)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _quotas_of(self, actor: Actor) -> tuple[Quota, ...]:
        if actor.key_id is None:
            own = [Quota("default", f"person:{actor.person_id}", self._each)]
        else:
            # Counted apart from the person who is signed in: busy keys shall not shut them out.
            together = Quota("keys", f"keys:{actor.person_id}", _KEYS_TOGETHER * self._each)
            own = [Quota("default", f"key:{actor.key_id}", self._each), together]
        if actor.superadmin:
            return tuple(own)
        names = ("customer", "customer-2", "customer-3")
        # More of them would make each request dear to count.
        served = zip(names, sorted(actor.customers), strict=False)
        return (*own, *(Quota(name, f"customer:{number}", self._customer) for name, number in served))

    async def _count(self, quotas: list[Quota]) -> tuple[bool, list[Room]]:
        redis = getattr(self._state, "redis", None)
        if redis is None or not quotas or time.monotonic() < self._away_until:
            return True, []
        if self._script is None:
            self._script = redis.register_script(_SOURCE)
        args = [value for quota in quotas for value in (quota.who, quota.requests, _WINDOW)]
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                fits, *found = await self._script(args=args)
        except (RedisError, TimeoutError) as error:
            # For a moment nobody waits for it again.
            self._away_until = time.monotonic() + _LEFT_ALONE
            log.warning("api_rates_not_counted", error=type(error).__name__)
            return True, []
        seconds = [[value, ceil(anew / 1000), ceil(wait / 1000)] for value, anew, wait in _threes(found)]
        return bool(fits), [Room(quota, *three) for quota, three in zip(quotas, seconds, strict=True)]


def place_of(scope: Scope) -> str:
    """Where a request comes from: an IPv4 address, or the network of an IPv6 one, of which everybody has many."""
    client = scope.get("client")
    try:
        address = ip_address(client[0] if client else "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False).network_address)
    return str(address)


def _threes(values: list[int]) -> list[list[int]]:
    return [values[start : start + 3] for start in range(0, len(values), 3)]


def _headers(rooms: list[Room]) -> dict[str, str]:
    """As https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (10) has them."""
    if not rooms:
        return {}
    policies = (f'"{room.quota.policy}";q={room.quota.requests};w={_WINDOW}' for room in rooms)
    left = (f'"{room.quota.policy}";r={room.left};t={room.anew}' for room in rooms)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
