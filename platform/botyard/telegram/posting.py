"""A POST of JSON over aiohttp's connections, without its request and response. See docs/performance.md.

What aiohttp prepares for any request there may be took more than half of what a send costs. Its pool, its names and
addresses, its TLS and its parser are used as they are.
"""

import asyncio
import re
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

# A host and a path that need neither quoting nor a closer look; whatever else an address may have is for aiohttp.
_PLAIN: Final = re.compile(r"(https?://([\w.:\[\]-]+))(/[!-\"$-~]*)", re.ASCII)
_HEAD: Final = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
_TO_COME: Final = frozenset({100, 102, 103})
"""What only says that the answer is still to come."""


class Posts:
    """Posts over the connections of a session.

    Args:
        session: whose connections.
        connector: which keeps them.
    """

    def __init__(self, session: aiohttp.ClientSession, connector: aiohttp.BaseConnector) -> None:
        self._session = session
        self._connector = connector
        self._ways: dict[str, aiohttp.ClientRequest] = {}
        """How to connect to each host: a request that is never sent."""

    async def post(self, url: str, body: bytes, times: aiohttp.ClientTimeout) -> tuple[int, bytes] | None:
        """Post JSON once.

        Args:
            url: where to.
            body: the JSON.
            times: for a connection, and for each part of the answer.

        Returns:
            the answer's status and its body; nothing, and nothing was sent, if the address is none for this.

        Raises:
            aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError: there was no connection; nothing was sent.
            aiohttp.ClientError: the answer did not come, or not whole, or is no HTTP.
        """
        plain = _PLAIN.fullmatch(url)
        if plain is None:
            return None
        origin, host, path = plain.groups()
        try:
            connection = await self._connector.connect(self._way(origin), [], times)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        try:
            # There is no turn of the loop since the connection was found to be open.
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None and transport is not None  # noqa: PT018, S101 - it is open
            protocol.set_response_params(read_until_eof=True, read_timeout=times.sock_read)
            transport.write(_HEAD.format(path=path, host=host, length=len(body)).encode() + body)
            answer = await _answer(protocol)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    def _way(self, origin: str) -> aiohttp.ClientRequest:
        way = self._ways.get(origin)
        if way is None:
            loop = asyncio.get_running_loop()
            way = self._ways[origin] = aiohttp.ClientRequest("POST", URL(origin), loop=loop, session=self._session)
        return way


async def _answer(protocol: ResponseHandler) -> tuple[int, bytes]:
    try:
        while True:
            protocol.start_timeout()
            message, content = await protocol.read()
            if message.code not in _TO_COME:
                return message.code, await content.read()
    except aiohttp.http.HttpProcessingError:
        raise aiohttp.ClientPayloadError from None
