"""What the simulator refuses, and in whose words."""

from typing import Any


class ApiError(Exception):
    """A Bot API call is refused, as Telegram would refuse it.

    Args:
        code: the HTTP status and ``error_code`` of the answer.
        description: Telegram's words.
        parameters: ``parameters`` of the answer, such as ``retry_after`` in seconds.
    """

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(code, description, parameters)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> dict[str, Any]:
        """Return the body of Telegram's answer."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def bad_request(words: str) -> ApiError:
    """Return the refusal of a wrong request: code 400."""
    return ApiError(400, f"Bad Request: {words}")


def forbidden(words: str) -> ApiError:
    """Return the refusal of something the bot may not do: code 403."""
    return ApiError(403, f"Forbidden: {words}")


def conflict(words: str) -> ApiError:
    """Return the refusal of two ways of receiving updates at once: code 409."""
    return ApiError(409, f"Conflict: {words}")


def too_many_requests(seconds: int) -> ApiError:
    """Return the refusal of a flood.

    Args:
        seconds: how long the bot must wait.
    """
    return ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def migrated(chat_id: int) -> ApiError:
    """Return the refusal of a group that has become a supergroup.

    Args:
        chat_id: the supergroup's id.
    """
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    return ApiError(400, words, {"migrate_to_chat_id": chat_id})


class ControlError(Exception):
    """A request to the control API is refused.

    Args:
        status: the HTTP status of the answer.
        message: what is wrong, for the person who writes the test.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
