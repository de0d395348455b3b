"""The simulator, as a dialogue needs it: its control API and its Bot API over HTTP."""

from types import TracebackType
from typing import Any, Self

import httpx

from botyard.dialogues.errors import DialogueError, OrderRefused

PAGE = 5_000
Json = dict[str, Any]


class Control:
    """A client for one simulator. Close it, or use it as a context manager.

    Args:
        url: where the simulator listens, such as ``http://127.0.0.1:8081``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def post(self, order: str, **values: Any) -> Json:
        """Give an order, such as ``send``.

        Raises:
            OrderRefused: the simulator does not carry it out.
            DialogueError: it cannot be reached.
        """
        return self._read(f"POST /sim/{order}", self._request("POST", f"/sim/{order}", json=values))

    def get(self, order: str, **query: Any) -> Json:
        """Ask.

        Raises:
            OrderRefused: there is no answer to this.
            DialogueError: the simulator cannot be reached.
        """
        return self._read(f"GET /sim/{order}", self._request("GET", f"/sim/{order}", params=query))

    def call(self, token: str, method: str, **values: Any) -> Any:
        """Call a method of the Bot API and return its result.

        Raises:
            OrderRefused: the call is refused.
            DialogueError: the simulator cannot be reached.
        """
        answer = self._request("POST", f"/bot{token}/{method}", json=values).json()
        if not answer["ok"]:
            raise OrderRefused(method, answer["description"])
        return answer["result"]

    def file(self, unique_id: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            OrderRefused: they are not kept any more.
            DialogueError: the simulator cannot be reached.
        """
        answer = self._request("GET", f"/sim/file/{unique_id}")
        if answer.status_code != httpx.codes.OK:
            raise OrderRefused("GET /sim/file", answer.text)
        return answer.content

    def events(self, after: int) -> tuple[list[Json], int]:
        """Return what happened after a place in the record, and the place of the last of it."""
        events: list[Json] = []
        while True:
            page = self.get("history", after=after, limit=PAGE)
            events += page["events"]
            after = page["next"]
            if len(page["events"]) < PAGE:
                return events, after

    def messages(self, bot_id: int, chat_id: int, person_id: int) -> list[Json]:
        """Return the newest messages of a chat as a person sees them, the newest first."""
        view = self.get("view", bot_id=bot_id, chat_id=chat_id, person_id=person_id)
        return list(reversed(view["messages"]))

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise DialogueError(f"the simulator at {self.url} cannot be reached: {error!r}") from None

    @staticmethod
    def _read(order: str, answer: httpx.Response) -> Json:
        read: Json = answer.json()
        if answer.status_code != httpx.codes.OK:
            raise OrderRefused(order, str(read.get("error", read)))
        return read
