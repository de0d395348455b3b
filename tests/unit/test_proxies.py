"""Whose address a request has behind proxies: nobody chooses the address by which their tries are counted."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from botyard.errors import InputError
from botyard.settings import Settings, read_settings
from botyard.web.proxies import behind_proxies


async def address_of(trusted: str | None, connection: str, *forwarded: str) -> str:
    """What the application sees as the caller's address."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["client"][0])

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        del message

    scope: Scope = {
        "type": "http", "client": (connection, 1), "headers": [(b"x-forwarded-for", one.encode()) for one in forwarded]
    }  # fmt: skip
    await behind_proxies(app, Settings(trusted_proxies=trusted))(scope, receive, send)
    return seen[0]


@pytest.mark.parametrize(
    ("trusted", "connection", "forwarded", "address"),
    [
        (None, "10.0.0.5", ["192.0.2.1"], "10.0.0.5"),
        (None, "127.0.0.1", ["1.2.3.4, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.0/8", "127.0.0.1", ["192.0.2.1, 10.0.0.7"], "192.0.2.1"),
        ("10.0.0.0/8", "203.0.113.9", ["192.0.2.1"], "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.5", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.0/8", "10.0.0.5", ["1.2.3.4, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.0/8", "10.0.0.5", ["1.2.3.4", "192.0.2.1, 10.0.0.7"], "192.0.2.1"),
        ("10.0.0.0/8, fd00::/8", "fd00::1", ["1.2.3.4, 2001:db8::7"], "2001:db8::7"),
        ("10.0.0.0/8", "10.0.0.5", ["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
    ],
)
async def test_only_what_trusted_proxies_have_added_is_believed(
    trusted: str | None, connection: str, forwarded: list[str], address: str
) -> None:
    assert await address_of(trusted, connection, *forwarded) == address


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0", "*", "10.0.0.5, somebody", "10.0.0.1/8"])
def test_not_everybody_is_a_proxy(monkeypatch: pytest.MonkeyPatch, everybody: str) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", everybody)
    with pytest.raises(InputError, match="TRUSTED_PROXIES"):
        read_settings()
