"""Addresses that customers name lead to the internet and nowhere else: threat 8 of docs/endpoints.md."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from aiohttp import web

from botyard.errors import InputError
from botyard.outbound_http import (
    Allowed,
    Ask,
    Busy,
    OutboundHttp,
    Refused,
    TooLarge,
    Unanswered,
    Unreachable,
    check_address,
    rules,
)
from botyard.outbound_http.rules import is_open, look_up

NOTHING = Allowed()
HERE = Allowed.of("127.0.0.1")
PUBLIC = "93.184.215.14"

INSIDE = [
    "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
    "192.0.0.8",
    "198.18.0.1", "224.0.0.1", "224.0.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "fd00::1",
    "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2606:4700::5efe:7f00:1", "2001:10::1", "100::1",
    "3fff::1",
]  # fmt: skip
ODD = [
    "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.0.0.1./",
    "https://0x7f.1/", "https://127.0.0.1\\@example.com/", "https://exa mple.com/", "https://example.com\n/", "https://example.com/\ud800",
    "https://user@example.com/", "https://user:password@example.com/", "https://:password@example.com/",
    "https://[::1%25lo]/", "https://[v1.a]/", "https:///path", "https://", "ftp://example.com/", "file:///etc/passwd",
    "gopher://example.com/", "javascript:alert(1)", "//example.com/", "example.com", "", "https://example.com:0/",
    "https://example.com:99999/", "https://" + "a" * 2000 + ".com/",
]  # fmt: skip


def gives(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda _host, _port: list(addresses)


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_that_is_inside_may_be_called(address: str) -> None:
    assert not is_open(ip_address(address))
    written = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused):
        check_address(f"https://{written}/", NOTHING)
    with pytest.raises(Refused):
        check_address("https://name.example/", NOTHING, gives(address))
    with pytest.raises(Refused):
        check_address("https://name.example/", NOTHING, gives(PUBLIC, address))


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_what_is_on_the_internet_may_be_called(address: str) -> None:
    check_address("https://name.example/hook?a=b", NOTHING, gives(address))


@pytest.mark.parametrize("url", ODD)
def test_an_address_in_an_odd_form_is_refused_before_anything_is_looked_up(url: str) -> None:
    def never(_host: str, _port: int) -> list[str]:
        raise AssertionError("it was looked up")

    with pytest.raises(Refused):
        check_address(url, Allowed.of("127.0.0.0/8, ::1"), never)


@pytest.mark.parametrize("url", ["http://name.example/", "https://name.example:22/", "https://name.example:25/"])
def test_plain_http_and_low_ports_are_for_what_the_operator_opened(url: str) -> None:
    with pytest.raises(Refused):
        check_address(url, NOTHING, gives(PUBLIC))
    check_address(url, Allowed.of("name.example"), gives(PUBLIC))


def test_to_open_one_place_opens_no_other() -> None:
    allowed = Allowed.of("hooks.internal, 10.1.0.0/16, 127.0.0.1:9000, [fd00::5]:443, fd01::/64, web:8080")
    good = [
        ("https://hooks.internal/", "192.168.7.7"), ("http://hooks.internal:81/", "10.9.9.9"),
        ("https://any.example/", "10.1.2.3"), ("http://127.0.0.1:9000/", ""), ("https://[fd00::5]/", ""),
        ("https://any.example/", "fd01::9"), ("http://web:8080/", "172.17.0.3"),
        ("http://HOOKS.internal./", "10.9.9.9"),
    ]  # fmt: skip
    bad = [
        ("https://other.internal/", "192.168.7.7"), ("https://sub.hooks.internal/", "192.168.7.7"),
        ("https://any.example/", "10.2.0.1"), ("http://127.0.0.1:9001/", ""), ("http://127.0.0.2:9000/", ""),
        ("https://[fd00::6]/", ""), ("http://[fd00::5]:8080/", ""), ("https://any.example/", "fd01:0:0:1::9"),
        ("http://web:8081/", "172.17.0.3"), ("https://hooks.internal.evil.example/", "192.168.7.7"),
    ]  # fmt: skip
    for url, address in good:
        check_address(url, allowed, gives(address))
    for url, address in bad:
        with pytest.raises(Refused):
            check_address(url, allowed, gives(address))


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "a b", "http://x", "127.1", "x:y", "*", "a.b/8"])
def test_a_setting_that_opens_nothing_known_is_refused(wrong: str) -> None:
    with pytest.raises(InputError):
        Allowed.of(wrong)


def test_a_slow_name_server_of_one_customer_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_LONGEST_LOOK_UP", 0.05)
    answers = threading.Event()

    def slow(_host: str, _port: int) -> list[str]:
        answers.wait(60)
        return [PUBLIC]

    try:
        for name in ("a", "b"):
            with pytest.raises(Refused, match="cannot be found"):
                check_address(f"https://{name}.example/", NOTHING, slow, whose="customer:1")
        with pytest.raises(Busy):
            check_address("https://c.example/", NOTHING, slow, whose="customer:1")
        monkeypatch.setattr(rules, "_LONGEST_LOOK_UP", 30)
        check_address("https://d.example/", NOTHING, gives(PUBLIC), whose="customer:2")
        # Once every thread is taken nobody's name is said to be wrong.
        monkeypatch.setattr(rules, "_LONGEST_LOOK_UP", 0.05)
        for number in range(14):
            with pytest.raises(Refused):
                check_address("https://e.example/", NOTHING, slow, whose=f"customer:{number // 2 + 3}")
        with pytest.raises(Busy):
            check_address("https://f.example/", NOTHING, gives(PUBLIC), whose="customer:99")
    finally:
        answers.set()


@asynccontextmanager
async def server(handler: Callable[[web.Request], object]) -> AsyncIterator[int]:
    """A server on the loopback; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(allowed: Allowed, look: Callable[[str, int], list[str]] = look_up) -> AsyncIterator[OutboundHttp]:
    made = OutboundHttp(allowed, look=look)
    try:
        yield made
    finally:
        await made.close()


async def test_it_connects_to_the_address_that_was_checked_and_names_the_host() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.host, request.headers["User-Agent"][:8], await request.text()))
        return web.Response(text="thanks")

    async with server(handler) as port, client(HERE, gives("127.0.0.1")) as http:
        answer = await http.ask(Ask("POST", f"http://hooks.example:{port}/x", b"hello"))
    assert (answer.status, answer.body) == (200, b"thanks")
    assert seen == [(f"hooks.example:{port}", "Botyard/", "hello")]


async def test_a_resolver_that_changes_its_mind_is_asked_once() -> None:
    asked = itertools.count()
    hits = []

    def rebinding(_host: str, _port: int) -> list[str]:
        return [["192.0.2.1"], ["127.0.0.1"]][min(1, next(asked))]

    async def handler(_: web.Request) -> web.Response:
        hits.append(1)
        return web.Response()

    # The first answer is none of ours, so the connection fails; the second one must not be asked for.
    async with server(handler) as port, client(Allowed.of("192.0.2.1"), rebinding) as http:
        with pytest.raises((Unreachable, Unanswered)):
            await http.ask(Ask("GET", f"http://evil.example:{port}/", seconds=1))
        assert next(asked) == 1
        with pytest.raises(Refused):
            await http.ask(Ask("GET", f"http://evil.example:{port}/", seconds=1))
    assert not hits


async def test_a_slow_name_keeps_no_other_from_being_called() -> None:
    answers = threading.Event()

    def look(host: str, _port: int) -> list[str]:
        if host == "slow.example":
            answers.wait(60)
        return ["127.0.0.1"]

    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with server(handler) as port, client(HERE, look) as http:
        waiting = [asyncio.ensure_future(http.ask(Ask("GET", f"http://slow.example:{port}/"))) for _ in range(64)]
        try:
            assert (await http.ask(Ask("GET", f"http://other.example:{port}/"))).status == 200
        finally:
            answers.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}


async def test_a_name_that_leads_to_another_name_that_is_inside_is_refused() -> None:
    # As a CNAME does: whatever the name is, what counts is where it leads. This machine's resolver is the real one.
    async with client(NOTHING) as http:
        for url in (
            "https://localhost/", "https://127.0.0.1/", "https://[::1]/", "https://\uff11\uff12\uff17.0.0.1/",
            "https://\u2460\u2461\u2466.0.0.1/",
        ):  # fmt: skip
            with pytest.raises(Refused):
                await http.ask(Ask("GET", url))


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    hits = []

    async def handler(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with server(handler) as port, client(HERE) as http:
        answer = await http.ask(Ask("GET", f"http://127.0.0.1:{port}/here"))
    assert (answer.status, hits) == (302, ["/here"])


async def test_proxies_and_cookies_of_others_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cookies = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with server(handler) as port, client(HERE) as http:
        for _ in range(2):
            assert (await http.ask(Ask("GET", f"http://127.0.0.1:{port}/"))).status == 200
    assert cookies == [None, None]


async def test_no_more_is_read_than_wanted_and_nothing_is_unpacked() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000, headers={"Content-Encoding": "gzip"})

    async with server(handler) as port, client(HERE) as http:
        url = f"http://127.0.0.1:{port}/"
        assert len((await http.ask(Ask("GET", url, most_bytes=1000, cut=True))).body) == 1000
        with pytest.raises(TooLarge):
            await http.ask(Ask("GET", url, most_bytes=1000))
        assert len((await http.ask(Ask("GET", url))).body) == 100_000


async def test_an_answer_that_trickles_is_cut_when_the_time_is_over() -> None:
    over = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=202)
        await response.prepare(request)
        await response.write(b"begun")
        await over.wait()
        return response

    async with server(handler) as port, client(HERE) as http:
        url = f"http://127.0.0.1:{port}/"
        answer = await http.ask(Ask("GET", url, seconds=1, cut=True))
        assert (answer.status, answer.body) == (202, b"begun")
        with pytest.raises(Unanswered):
            await http.ask(Ask("GET", url, seconds=1))
        over.set()


async def test_what_does_not_listen_or_has_no_name_is_unreachable() -> None:
    def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError

    async with client(HERE) as http:
        with pytest.raises(Unreachable):
            await http.ask(Ask("GET", "http://127.0.0.1:1/"))
    async with client(HERE, nowhere) as http:
        with pytest.raises(Unreachable):
            await http.ask(Ask("GET", "https://nowhere.example/"))
