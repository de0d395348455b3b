"""What stands between an address and this installation, told apart by a probe."""

import asyncio
from typing import Any

import pytest

from botyard.bots.connection import proving
from botyard.bots.connection.proving import prove
from tests.integration.fake_api import FakeApi, around, cut, raw, silence

SECRET = "a-webhooks-secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "_SECONDS", 0.5)
    monkeypatch.setattr(proving, "_PAUSE_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (raw(404, b"nginx"), "127.0.0.1 answers 404 to a probe: another server, or a proxy that does not hand"),
        (raw(401, b""), "127.0.0.1 answers 401 to a probe: another Botyard with another database"),
        (raw(502, b""), "127.0.0.1 answers 502 to a probe: the web process cannot be reached"),
        (raw(500, b""), "127.0.0.1 answers 500 to a probe."),
        (raw(200, b"welcome"), "Another server answers at 127.0.0.1."),
        (raw(200, b"\xff" * 1_000_000), "Another server answers at 127.0.0.1."),
        (around, "127.0.0.1 answers 302 to a probe."),
        (cut, "127.0.0.1 broke off a probe (ServerDisconnectedError)."),
        (silence, "127.0.0.1 did not answer a probe within"),
    ],
)
async def test_each_wrong_answer_has_its_words_and_its_remedy(api: FakeApi, answer: Any, says: str) -> None:
    api.script = [answer] * 5
    found = await prove(f"{api.url}/botx/webhook", SECRET)
    assert (found.state, found.says[: len(says)]) == ("warning", says)
    assert found.remedy
    assert SECRET not in repr(found)
    assert "botx" not in repr(found)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/webhook/x", "Nothing listens at 127.0.0.1."),
        ("http://no-such-name.invalid/webhook/x", "The name no-such-name.invalid is not known to the DNS."),
    ],
)
async def test_an_address_that_leads_nowhere_is_named(url: str, says: str) -> None:
    assert (await prove(url, SECRET)).says == says


async def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there(api: FakeApi) -> None:
    found = await prove(api.url.replace("http:", "https:") + "/botx/y", SECRET)
    assert "does not speak TLS" in found.says


async def test_a_door_that_is_a_moment_old_is_asked_again(api: FakeApi) -> None:
    async def later(request: Any, _: dict[str, Any]) -> Any:
        from hashlib import sha256

        from aiohttp import web

        from botyard.bots.connection.doors import PROBE, proof_of

        return web.Response(text=proof_of(sha256(SECRET.encode()).digest(), request.headers[PROBE]))

    api.script = [raw(404, b""), raw(401, b""), later]
    assert (await asyncio.wait_for(prove(f"{api.url}/botx/y", SECRET), 5)).state == "ok"
