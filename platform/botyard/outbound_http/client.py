"""The client: looks a name up once, checks every address, and connects to these and to no others.

It follows no redirects, takes no proxies from the environment, keeps no cookies, unpacks nothing, and reads no more
than it was told to. A name server that gives another address a moment later is not asked again.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from botyard import __version__
from botyard.outbound_http.errors import TooLarge, Unanswered, Unreachable
from botyard.outbound_http.lookups import LookUp
from botyard.outbound_http.rules import Allowed, Target, judge, look_up, read

SECONDS: Final = 10.0
MOST_BYTES: Final = 10 * 1024 * 1024
_CONNECT_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 20.0
_LAST_MOMENT: Final = 0.25
_LOOK_UPS_OF_ONE: Final = 2
"""For each name; a customer has at most twenty endpoints, and so some of the threads are left for others."""
_HEADERS: Final = {"User-Agent": f"Botyard/{__version__}", "Accept-Encoding": "identity"}

_checked: ContextVar[tuple[str, tuple[str, ...]]] = ContextVar("checked", default=("", ()))
"""The host of the request that is being made, and the addresses of it that were checked."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for.

    Args:
        method: such as ``POST``.
        url: where.
        body: what is sent.
        headers: beside those of every request.
        seconds: for all of it, from the look-up to the last byte.
        most_bytes: of the answer.
        cut: whether a longer answer is cut there; else it is an error.
    """

    method: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = SECONDS
    most_bytes: int = MOST_BYTES
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    Args:
        status: its HTTP status.
        headers: its headers.
        body: at most as many bytes of it as were asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Fixed(AbstractResolver):
    """Gives the addresses that were checked for the request that is being made, and knows no others."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        name, addresses = _checked.get()
        if name != host:
            raise OSError(f"{host} was not checked")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        pass


@contextlib.contextmanager
def _fixed(host: str, addresses: Sequence[str]) -> Iterator[None]:
    token = _checked.set((host, tuple(addresses)))
    try:
        yield
    finally:
        _checked.reset(token)


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # it is closed
        loop.call_soon_threadsafe(work)


def _why(error: aiohttp.ClientConnectorError) -> str:
    """In words, without what the library knows of our own network."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no encrypted connection could be made"
    return "no connection could be made"


def _only_checked(info: "aiohttp.AddrInfoType") -> socket.socket:
    """A socket, if it is for one of these addresses: whatever way led here."""
    family, kind, protocol, _, address = info
    if address[0] not in _checked.get()[1]:
        raise OSError(f"{address[0]} was not checked")
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


class OutboundHttp:
    """Calls addresses that customers name; one for each event loop.

    Args:
        allowed: what is open although it is inside.
        connections: how many may be open at once.
        look: gives the addresses of a name.
    """

    def __init__(self, allowed: Allowed, connections: int = 64, look: LookUp = look_up) -> None:
        self._allowed = allowed
        self._connections = connections
        self._look = look
        # A name whose server is slow keeps the look-ups of no other waiting.
        self._lookups = ThreadPoolExecutor(connections, thread_name_prefix="lookup")
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, wanted: Ask) -> Answer:
        """Make one request.

        Raises:
            Refused: the address may not be called.
            Unreachable: nothing was sent.
            Unanswered: no answer came in time, or a broken one.
            TooLarge: the answer is longer than wanted, and is not to be cut.
        """
        target = read(wanted.url)
        try:
            async with asyncio.timeout(wanted.seconds) as limit:
                addresses = await self._addresses(target)
                judge(target, addresses, self._allowed)
                with _fixed(target.host, addresses):
                    return await self._send(target, wanted, limit.when() or 0.0)
        except TimeoutError:
            raise Unanswered(f"there was no answer within {wanted.seconds:g} seconds") from None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(_why(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(f"the connection broke ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _addresses(self, target: Target) -> Sequence[str]:
        if target.address is not None:
            return [str(target.address)]
        loop, turn = (
            asyncio.get_running_loop(),
            self._turns.setdefault(target.host, asyncio.Semaphore(_LOOK_UPS_OF_ONE)),
        )
        await turn.acquire()
        found = self._lookups.submit(self._look, target.host, target.port)
        # Not when nobody waits for it any more: its thread is taken until it ends.
        found.add_done_callback(lambda _: _soon(loop, turn.release))
        try:
            return await asyncio.wrap_future(found)
        except OSError:
            raise Unreachable(f"its name cannot be found: {target.host}") from None

    async def _send(self, target: Target, wanted: Ask, until: float) -> Answer:
        headers = {**_HEADERS, **wanted.headers}
        request = self._opened().request(
            wanted.method, target.url, data=wanted.body, headers=headers, allow_redirects=False
        )
        async with request as response:
            body = await self._read(response, wanted, until)
            return Answer(response.status, response.headers, body)

    async def _read(self, response: aiohttp.ClientResponse, wanted: Ask, until: float) -> bytes:
        """The body, as far as it is wanted; of one that is cut, what came until it broke or the time was over."""
        body = bytearray()
        try:
            async with asyncio.timeout_at(until - _LAST_MOMENT if wanted.cut else until):
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > wanted.most_bytes:
                        break
        except (TimeoutError, aiohttp.ClientError):
            response.close()
            if not wanted.cut:
                raise
        if len(body) > wanted.most_bytes:
            # What is not read would be read before the next request on this connection.
            response.close()
            if not wanted.cut:
                raise TooLarge(wanted.most_bytes)
        return bytes(body[: wanted.most_bytes])

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections, resolver=_Fixed(), use_dns_cache=False, socket_factory=_only_checked,
                keepalive_timeout=_IDLE_SECONDS,
            )  # fmt: skip
            self._session = aiohttp.ClientSession(
                connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            )  # fmt: skip
        return self._session
