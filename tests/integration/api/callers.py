"""People with tokens, and the web process that they ask."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.testclient import TestClient

from botyard.accounts.customers import add_customer
from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import new_token
from botyard.bots.registry import ServedBot
from tests.factories import make_bot


@dataclass
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Caller:
    """Somebody with a token, or a stranger."""

    web: TestClient
    token: str | None = None

    def ask(self, method: str, path: str, json: Any = None, headers: dict[str, str | None] | None = None) -> Answer:
        """Ask; under ``/v1`` with a fresh key and for any version, unless the headers say otherwise (none: without)."""
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if path.startswith("/v1/"):
            sent |= {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
            sent |= {"If-Match": "*"} if method in {"PUT", "PATCH", "DELETE"} else {}
        sent |= headers or {}
        kept = {name: value for name, value in sent.items() if value is not None}
        found = self.web.request(method, f"/api{path}", json=json, headers=kept)
        return Answer(found.status_code, found.json() if found.content else None, dict(found.headers))

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, json: Any = None) -> Answer:
        return self.ask("POST", path, json)

    def put(self, path: str, json: Any) -> Answer:
        return self.ask("PUT", path, json)

    def patch(self, path: str, json: Any) -> Answer:
        return self.ask("PATCH", path, json)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)


@dataclass
class House:
    """A customer with a bot, and a token of each role."""

    id: int
    username: str
    bot: ServedBot
    tokens: dict[Role, str]


def superadmin() -> str:
    """A token of a superadmin."""
    return new_token(TokenWanted("root")).token


def house(username: str, telegram_id: int) -> House:
    """A customer with everything."""
    customer = add_customer(username)
    bot = make_bot(telegram_id, customer_id=customer.id, token=f"{telegram_id}:{'a' * 35}")
    tokens = {role: new_token(TokenWanted(f"{username}-{role}", username, role)).token for role in Role}
    return House(customer.id, username, bot, tokens)
