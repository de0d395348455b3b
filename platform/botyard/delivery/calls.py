"""One call of the Bot API for one outbox row, and what its answer means. See docs/delivery.md."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from botyard.delivery.outbox import Result, Row, Verdict
from botyard.telegram.address import method_url
from botyard.telegram.request import AiohttpRequest, JsonBody, NotSent, Unanswered, UploadBody, wait_of
from botyard.telemetry.fingerprints import of_words
from botyard.telemetry.redaction import redact
from db.engine import storable

_MAX_FAILURES: Final = 5
_LONGEST_WAIT: Final = 30.0
_JITTER: Final = 0.2
_HEALTHY_SECONDS: Final = 30.0
# A token that was replaced a moment ago is known to every process within five seconds (botyard.hosting).
_UNAUTHORIZED_SECONDS: Final = 6.0
_REFUSALS: Final = 3
# What says that nobody is there, and not only that this call was not allowed.
_GONE: Final = (
    "chat not found", "blocked by the user", "user is deactivated", "was kicked from", "is not a member of",
    "can't initiate conversation", "group chat was deleted", "chat was deleted",
)  # fmt: skip
_TOO_LATE: Final = ("query is too old", "query id is invalid", "query_id_invalid")
_LARGEST_ID: Final = 2**53


class ApiClient:
    """Calls the Bot API for rows, without building bot objects.

    Args:
        request: the shared connection pool.
        backoff: seconds before the second try; doubled for each further one.
    """

    def __init__(self, request: AiohttpRequest, backoff: float) -> None:
        self._request = request
        self._backoff = backoff
        self._answered: dict[str, float] = {}
        self._unreached: Counter[str] = Counter()

    async def send(self, row: Row, params: Mapping[str, Any], api_url: str, token: str) -> Result:
        """Call once; never raises what the Bot API or the network did."""
        result, _ = await self.call(row, params, api_url, token)
        return result

    async def call(
        self, row: Row, params: Mapping[str, Any], api_url: str, token: str, body: UploadBody | None = None
    ) -> tuple[Result, Any]:
        """As ``send``, with the answer of a call that succeeded; a body of one's own takes the place of the params."""
        url = method_url(api_url, token, row.method)
        try:
            answer: Any = await self._request.post(url, body or JsonBody(orjson.dumps(params)))  # type: ignore[arg-type]
        except TelegramError as error:
            return self._judge(row, error, api_url), None
        except Exception as error:  # noqa: BLE001 - an answer unlike any of the Bot API's; one row must not end them all
            nonsense = Unanswered(f"an answer that makes no sense ({type(error).__name__})")
            return self._judge(row, nonsense, api_url), None
        self._note_answer(api_url)
        if row.method == "sendMediaGroup" and isinstance(answer, list):
            ids = [_message_id(one) for one in answer[: len(params["media"])]]
            return Result(row.id, row.attempt, "sent", next(iter(ids), None), ids), answer
        return Result(row.id, row.attempt, "sent", _message_id(answer), chat_id=_chat_id(answer)), answer

    def _note_answer(self, api_url: str) -> None:
        self._answered[api_url] = time.monotonic()
        self._unreached.pop(api_url, None)

    def _judge(self, row: Row, error: TelegramError, api_url: str) -> Result:
        # A proxy's answer may repeat our address, and with it the token.
        text = storable(redact(f"{type(error).__name__}: {error.message}"))[:500]
        if isinstance(error, RetryAfter):
            self._note_answer(api_url)
            wait = wait_of(error)
            return Result(row.id, row.attempt, "retry", due_in=wait, error=text, flood_seconds=wait, cause="flood")
        if isinstance(error, BadRequest) and "message is not modified" in error.message.lower():
            # What a repeat after a crash meets: the message already is as it should be.
            return Result(row.id, row.attempt, "sent")
        if isinstance(error, InvalidToken) and "unauthorized" in error.message.lower():
            refused = row.waited.get("token", 0.0) >= _UNAUTHORIZED_SECONDS * (_REFUSALS - 1)
            return Result(
                row.id,
                row.attempt,
                "retry",
                due_in=_UNAUTHORIZED_SECONDS,
                error=text,
                cause="token",
                token_refused=refused,
            )
        if isinstance(error, BadRequest | Forbidden | Conflict | ChatMigrated | InvalidToken):
            self._note_answer(api_url)
            return _refused(row, error, text)
        if isinstance(error, NotSent):
            self._unreached[api_url] += 1
            wait = self._wait(self._unreached[api_url])
            return Result(row.id, row.attempt, "retry", due_in=wait, error=text, cause="trouble")
        if not isinstance(error, NetworkError) or isinstance(error, Unanswered):
            # No answer, or a 2xx that is none of the Bot API's: it may have been sent.
            verdict: Verdict = "retry" if row.may_repeat else "uncertain"
            wait = self._wait(row.uncertain_count + 1)
            return Result(row.id, row.attempt, verdict, due_in=wait, error=text, uncertain=True, cause="trouble")
        return self._judge_refusal(row, text, api_url)

    def _judge_refusal(self, row: Row, text: str, api_url: str) -> Result:
        """The API's own trouble counts as a failure only while it answers others: an outage is not a failure.

        A good answer speaks against one row only: as an outage begins, the last ones would blame all that follow.
        """
        answered = self._answered.pop(api_url, None)
        counted = answered is not None and time.monotonic() - answered < _HEALTHY_SECONDS
        if counted and row.failures + 1 >= _MAX_FAILURES:
            fingerprint = of_words(row.method, text)
            return Result(row.id, row.attempt, "dead", error=text, counted=True, fingerprint=fingerprint)
        tries = row.failures + 1 if counted else row.attempt
        wait = self._wait(tries)
        return Result(row.id, row.attempt, "retry", due_in=wait, error=text, counted=counted, cause="trouble")

    def _wait(self, tries: int) -> float:
        # Rows that failed together must not come back together.
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        return min(self._backoff * 2.0 ** min(tries - 1, 10), _LONGEST_WAIT) * jitter


def _refused(row: Row, error: TelegramError, text: str) -> Result:
    """What was refused for good."""
    words = error.message.lower()
    if isinstance(error, ChatMigrated) and row.failures + 1 < _MAX_FAILURES:
        return Result(row.id, row.attempt, "queued", error=text, counted=True, moved_to=str(error.new_chat_id))
    if row.method.startswith("answer") and any(sign in words for sign in _TOO_LATE):
        return Result(row.id, row.attempt, "expired", error=text)
    if _may_tell(row) and any(sign in words for sign in _GONE):
        return Result(row.id, row.attempt, "dropped", error=text, unreachable=True)
    return Result(row.id, row.attempt, "dead", error=text, fingerprint=of_words(row.method, text))


def _may_tell(row: Row) -> bool:
    """Whether a refusal of this row tells of its chat: a name may lead elsewhere one day, a business has its own."""
    sends = row.method.startswith(("send", "copy", "forward"))
    return sends and not row.chat.startswith("@") and "business_connection_id" not in row.params


def _message_id(answer: Any) -> int | None:
    found = answer.get("message_id") if isinstance(answer, dict) else None
    return found if type(found) is int and 0 < found < _LARGEST_ID else None


def _chat_id(answer: Any) -> int | None:
    chat = answer.get("chat") if isinstance(answer, dict) else None
    found = chat.get("id") if isinstance(chat, dict) else None
    return found if type(found) is int and abs(found) < _LARGEST_ID else None


def with_real_ids(params: dict[str, Any], real: Mapping[int, int | None]) -> dict[str, Any] | None:
    """Parameters with every provisional message id replaced; nothing if one of the messages was never sent."""

    def real_of(number: Any) -> Any:
        if not isinstance(number, int) or number >= 0:
            return number
        return real.get(number)

    replaced = dict(params)
    if "message_id" in params:
        replaced["message_id"] = real_of(params["message_id"])
    if "message_ids" in params:
        replaced["message_ids"] = [real_of(number) for number in params["message_ids"]]
    reply = params.get("reply_parameters")
    if isinstance(reply, dict) and "message_id" in reply:
        replaced["reply_parameters"] = {**reply, "message_id": real_of(reply["message_id"])}
    found = [replaced.get("message_id", 0), *replaced.get("message_ids", ())]
    if isinstance(reply, dict):
        found.append(replaced["reply_parameters"].get("message_id", 0))
    return None if None in found else replaced
