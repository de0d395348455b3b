"""HTTP to the Bot API: python-telegram-bot's request interface on aiohttp.

httpx asks every open connection for its socket's state at each send, which takes most of a send's time when many are
under way; aiohttp does not. The texts of aiohttp's exceptions contain the address, and with it the token: none of
them is let out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NoReturn

import aiohttp
import orjson
from telegram._utils.defaultvalue import DEFAULT_NONE
from telegram._utils.types import ODVInput
from telegram.error import NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from botyard.telegram.posting import Posts
from botyard.telemetry.redaction import redact

UPLOAD_SECONDS: Final = 120.0
"""How long a call that uploads files may take as a whole."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURELY_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


_REFUSALS: Final = 300
_SHORTEST_FLOOD: Final = 1.0
_LONGEST_FLOOD: Final = 86_400.0


class NotSent(NetworkError):
    """The request surely did not reach the Bot API: repeating it cannot repeat a message."""


class Unanswered(TimedOut):
    """The request may have reached the Bot API, but no answer came."""


class JsonBody:
    """A request's body that is JSON already; it stands in for python-telegram-bot's ``RequestData``.

    Args:
        payload: the encoded parameters.
    """

    contains_files = False

    def __init__(self, payload: bytes) -> None:
        self.json_payload = payload


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a form.

    Args:
        field: the parameter's name, or what ``attach://`` names.
        name: the file's name.
        type: its media type.
        content: read piece by piece while it is sent, never as a whole.
    """

    field: str
    name: str
    type: str
    content: IO[bytes]


class UploadBody:
    """A request's body with files; like ``JsonBody``, in the place of ``RequestData``.

    Args:
        params: the other parameters, as JSON has them.
        parts: the files.
    """

    contains_files = True

    def __init__(self, params: Mapping[str, Any], parts: Sequence[Part]) -> None:
        self.json_parameters = {
            name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in params.items()
        }
        self.multipart_data = {part.field: (part.name, part.content, part.type) for part in parts}


class AiohttpRequest(BaseRequest):
    """One connection pool for all bots of an event loop.

    Args:
        timeout: seconds to wait for an answer.
        connections: how many may be open at once.
    """

    def __init__(self, timeout: float, connections: int = 100) -> None:
        self._read_timeout = timeout
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=timeout)
        self._upload_timeout = aiohttp.ClientTimeout(total=UPLOAD_SECONDS, connect=5, sock_connect=5)
        self._session: aiohttp.ClientSession | None = None
        self._posts: Posts | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for an answer."""
        return self._read_timeout

    async def initialize(self) -> None:
        """Open the pool, in the running loop."""
        if self._session is None:
            # The keep-alive is shorter than the server's: a connection that it closed would fail the next send.
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=20)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
            self._posts = Posts(self._session, connector)

    async def shutdown(self) -> None:
        """Nothing: one bot's end must not close the pool of the others."""

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer as JSON; the body of an answer that is none is not repeated in the error.

        Raises:
            TelegramError: it is not a JSON object.
        """
        try:
            answer = orjson.loads(payload)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise TelegramError("The answer is not JSON") from None
        return answer

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | JsonBody | UploadBody | None = None,
        read_timeout: ODVInput[float] = DEFAULT_NONE,
        write_timeout: ODVInput[float] = DEFAULT_NONE,  # noqa: ARG002 - aiohttp knows no such time
        connect_timeout: ODVInput[float] = DEFAULT_NONE,  # noqa: ARG002 - one pool, one time to connect
        pool_timeout: ODVInput[float] = DEFAULT_NONE,  # noqa: ARG002 - same
    ) -> tuple[int, bytes]:
        """Call the Bot API once.

        Raises:
            NotSent: no connection was made.
            Unanswered: the connection broke, or no answer came in time.
        """
        await self.initialize()
        body, headers = _encode(request_data)
        times = self._upload_timeout if isinstance(body, aiohttp.FormData) else self._timeout
        if isinstance(read_timeout, int | float):
            times = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=read_timeout)
        try:
            status, answer = await self._asked(url, method, body, headers, times)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _hide(error)
        # python-telegram-bot puts a refusal's body into its exception, and a proxy's page repeats our path.
        return status, answer if status < _REFUSALS else redact(answer.decode(errors="replace")).encode()

    async def _asked(
        self,
        url: str,
        method: str,
        body: bytes | aiohttp.FormData | None,
        headers: dict[str, str],
        times: aiohttp.ClientTimeout,
    ) -> tuple[int, bytes]:
        assert self._session is not None and self._posts is not None  # noqa: PT018, S101 - they were made before
        if isinstance(body, bytes) and (answered := await self._posts.post(url, body, times)) is not None:
            return answered
        async with self._session.request(
            method, url, data=body, headers=headers, timeout=times, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()


def _encode(data: RequestData | JsonBody | UploadBody | None) -> tuple[bytes | aiohttp.FormData | None, dict[str, str]]:
    if data is None:
        return None, {}
    if isinstance(data, JsonBody) or (isinstance(data, RequestData) and not data.contains_files):
        return data.json_payload, {"Content-Type": "application/json"}
    # Unquoted: Telegram takes a file's name as it stands, and would show "my%20report.pdf".
    form = aiohttp.FormData(quote_fields=False)
    for name, text in data.json_parameters.items():
        form.add_field(name, text)
    for name, (filename, content, mime) in data.multipart_data.items():
        # A line's end in a name would be a header's end.
        form.add_field(name, content, filename=_CONTROL.sub("_", filename), content_type=mime)
    return form, {}


def _hide(error: Exception) -> NoReturn:
    name = type(error).__name__
    if isinstance(error, _SURELY_NOT_SENT):
        raise NotSent(name) from None
    raise Unanswered(name) from None


def wait_of(error: RetryAfter) -> float:
    """The seconds that a 429 asks for."""
    # The public property warns of a change to come at each use; a contract test holds the private one to this shape.
    seconds = error._retry_after.total_seconds()  # noqa: SLF001
    return min(max(seconds, _SHORTEST_FLOOD), _LONGEST_FLOOD)
