"""Calls of the Bot API over real connections, against servers that answer as servers do, and as they should not."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from telegram.request import RequestData

from botyard.telegram.posting import Posts
from botyard.telegram.request import AiohttpRequest, JsonBody, NotSent, Unanswered

_GOOD = b'{"ok": true, "result": true}'


def answer(body: bytes = _GOOD, status: str = "200 OK", *more: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more])
    return head.encode() + b"\r\n\r\n" + body


class Server:
    """Reads one request after the other, and lets a test answer them."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                self.requests.append(head + await reader.readexactly(int(length.split(b":")[1])))
                said = self.answers.pop(0)
                if said is None:
                    break
                writer.write(said)
                if b"close" in said:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[tuple[Server, AiohttpRequest]]:
    server = Server(list(answers))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    request = AiohttpRequest(0.5)
    try:
        yield server, request
    finally:
        await request.close()
        listening.close()


async def call(server: Server, request: AiohttpRequest, path: str = "/bot1:a/getMe") -> tuple[int, bytes]:
    return await request.do_request(f"http://127.0.0.1:{server.port}{path}", "POST", JsonBody(b'{"a": 1}'))


async def test_a_call_is_a_post_of_json_and_one_connection_serves_many() -> None:
    async with serving(answer(), answer(), answer(b'{"ok": false}', "400 Bad Request")) as (server, request):
        assert await call(server, request) == (200, _GOOD)
        assert await call(server, request) == (200, _GOOD)
        assert await call(server, request) == (400, b'{"ok": false}')
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert body == b'{"a": 1}'
        assert head.split(b"\r\n") == [
            b"POST /bot1:a/getMe HTTP/1.1",
            b"Host: 127.0.0.1:%d" % server.port,
            b"Content-Type: application/json",
            b"Content-Length: 8",
        ]
        assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        answer(_GOOD, "200 OK", "Connection: close"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + _GOOD[:7] + b"\r\n15\r\n" + _GOOD[7:]
        + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + answer(),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _GOOD,
        b"HTTP/1.0 200 OK\r\nX: close\r\n\r\n" + _GOOD,
    ],
    ids=["then closed", "in pieces", "with others before it", "until the end", "of old"],
)  # fmt: skip
async def test_an_answer_is_read_whole_however_it_comes(said: bytes) -> None:
    async with serving(said, answer()) as (server, request):
        assert await call(server, request) == (200, _GOOD)
        assert await call(server, request) == (200, _GOOD)


@pytest.mark.parametrize(
    "said",
    [
        None,
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"",
    ],
    ids=["closed", "no HTTP", "cut off", "stopped in the middle", "only promised", "silence"],
)
async def test_an_answer_that_does_not_come_may_have_been_heard(said: bytes | None) -> None:
    async with serving(said, answer()) as (server, request):
        with pytest.raises(Unanswered) as raised:
            await call(server, request)
        assert "bot1" not in str(raised.value)
        # The next call has a connection of its own, on which nothing of this one can arrive.
        assert await call(server, request) == (200, _GOOD)
        assert server.connections == 2


async def test_what_no_server_listens_for_was_surely_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    request = AiohttpRequest(0.5)
    with pytest.raises(NotSent):
        await request.do_request(f"http://127.0.0.1:{port}/bot1:a/getMe", "POST", JsonBody(b"{}"))
    await request.close()


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    async with serving(answer(_GOOD, "200 OK", "Keep-Alive: close"), answer()) as (server, request):
        assert await call(server, request) == (200, _GOOD)
        await asyncio.sleep(0.05)
        assert await call(server, request) == (200, _GOOD)
        assert server.connections == 2


async def test_more_calls_than_connections_wait_for_one() -> None:
    async with serving(*[answer()] * 20) as (server, _):
        request = AiohttpRequest(5, connections=3)
        found = await asyncio.gather(*(call(server, request) for _ in range(20)))
        assert [status for status, _ in found] == [200] * 20
        assert server.connections <= 3
        await request.close()


async def test_what_waited_for_a_connection_in_vain_was_surely_not_sent() -> None:
    async with serving(b"") as (server, _):
        request = AiohttpRequest(5, connections=1)
        first = asyncio.create_task(call(server, request))
        while not server.requests:  # noqa: ASYNC110 - another task of this loop serves it
            await asyncio.sleep(0.01)
        assert request._posts is not None
        url = f"http://127.0.0.1:{server.port}/bot1:a/getMe"
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await request._posts.post(url, b"{}", aiohttp.ClientTimeout(connect=0.1))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await request.close()


async def test_a_call_that_is_given_up_leaves_its_connection_to_nobody() -> None:
    async with serving(b"", answer()) as (server, request):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(server, request), 0.1)
        assert await call(server, request) == (200, _GOOD)
        assert server.connections == 2


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and the certificate to be trusted."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, host = datetime.now(UTC), x509.IPAddress(ip_address("127.0.0.1"))
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([host]), critical=True)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "server.pem").write_bytes(pem + secret)
    (tmp_path / "trusted.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context, tmp_path / "trusted.pem"


@asynccontextmanager
async def encrypted(context: ssl.SSLContext) -> AsyncIterator[tuple[Server, AiohttpRequest, str]]:
    server, request = Server([answer(), answer()]), AiohttpRequest(2)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server, request, f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/bot1:a/getMe"
    finally:
        await request.close()
        listening.close()


async def test_nothing_is_told_to_a_server_whose_certificate_nobody_vouches_for(
    certificate: tuple[ssl.SSLContext, Path],
) -> None:
    async with encrypted(certificate[0]) as (server, request, url):
        with pytest.raises(NotSent, match="Certificate"):
            await request.do_request(url, "POST", JsonBody(b"{}"))
        assert server.requests == []


async def test_a_call_is_encrypted_where_its_address_says_so(
    certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=trusted))
    async with encrypted(context) as (server, request, url):
        assert await request.do_request(url, "POST", JsonBody(b"{}")) == (200, _GOOD)
        assert await request.do_request(url, "POST", JsonBody(b"{}")) == (200, _GOOD)
        assert server.connections == 1


@pytest.mark.parametrize(
    "address", ["http://me:word@127.0.0.1:{}/a", "http://127.0.0.1:{}/ä", "http://127.0.0.1:{}/a#b"]
)
async def test_what_is_no_plain_address_goes_the_long_way(address: str) -> None:
    async with serving(answer(), answer()) as (server, request):
        await request.initialize()
        posts = request._posts
        assert posts is not None
        url = address.format(server.port)
        assert await posts.post(url, b"{}", aiohttp.ClientTimeout()) is None
        assert (await request.do_request(url, "POST", JsonBody(b"{}")))[0] == 200
        assert b"User-Agent" in server.requests[0]


async def test_parameters_of_the_library_itself_go_the_short_way() -> None:
    async with serving(answer()) as (server, request):
        await request.do_request(f"http://127.0.0.1:{server.port}/bot1:a/getMe", "POST", RequestData([]))
        assert b"User-Agent" not in server.requests[0]
        assert isinstance(request._posts, Posts)
