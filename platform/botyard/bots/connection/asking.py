"""Asking the Bot API as one bot, with what may go wrong told apart: the token, the question, or the way there.

Source: https://core.telegram.org/bots/api#making-requests
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter, TelegramError

from botyard.errors import InputError, TransientError
from botyard.telegram.address import host_of, method_url
from botyard.telegram.request import AiohttpRequest, JsonBody, wait_of
from botyard.telemetry.redaction import redact

_NEVER_WAS: Final = "not found"
_IN_WORDS: Final = {
    "ClientConnectorDNSError": "the DNS here does not know its name, or does not answer",
    "ClientConnectorCertificateError": "its certificate is not accepted",
    "ClientConnectorSSLError": "it does not speak TLS as it should",
    "ClientConnectorError": "nothing answers at its address",
    "ConnectionTimeoutError": "it does not take a connection in time",
    "SocketTimeoutError": "no answer came in time",
    "ServerDisconnectedError": "it broke the connection off",
    "ClientOSError": "the connection broke",
}
"""What keeps it from being asked, by the names that `botyard.telegram.request` gives; others are told as they are."""
_NOT_THE_BOT_API: Final = "parsing the server response"


class Refused(InputError):
    """Telegram has answered, and refuses what was asked for."""


class TokenRefused(Refused):
    """Telegram does not accept the token: it was revoked, or there never was such a one."""


class Unreachable(TransientError):
    """The Bot API cannot be asked now: nothing was changed, the same may work later."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The Bot API as one bot sees it.

    Args:
        request: the connection pool.
        api_url: which Bot API.
        token: the bot's.
    """

    request: AiohttpRequest
    api_url: str
    token: str = field(repr=False)

    @property
    def telegram_id(self) -> int:
        """The Telegram bot whose token it is: a token begins with its number."""
        return int(self.token.partition(":")[0])

    async def call(self, method: str, **params: Any) -> Any:
        """The answer to one call.

        Raises:
            TokenRefused: the token is not accepted.
            Refused: what was asked for is refused.
            Unreachable: there is no answer, or none of a Bot API's, or it asks to wait.
        """
        try:
            return await self.request.post(
                method_url(self.api_url, self.token, method),
                JsonBody(orjson.dumps(params)),  # type: ignore[arg-type]
            )
        except InvalidToken as error:
            if _NOT_THE_BOT_API in error.message.lower():
                raise self._away(method, "no Bot API answers there") from None
            raise _refused_token(error) from None
        except RetryAfter as error:
            raise self._away(method, f"it asks to wait {wait_of(error):g} s", wait_of(error)) from None
        except NetworkError as error:
            if isinstance(error, BadRequest):
                raise _refused(method, error) from None
            raise self._away(method, _IN_WORDS.get(error.message, redact(error.message))) from None
        except TelegramError as error:
            raise _refused(method, error) from None

    def _away(self, method: str, words: str, retry_after: float | None = None) -> Unreachable:
        return Unreachable(f"{host_of(self.api_url)} cannot be asked now: {words} ({method}).", retry_after)


def _refused_token(error: InvalidToken) -> TokenRefused:
    # 404 is the answer to a token that no bot can have, 401 to one that is no bot's any more.
    never = error.message.lower().startswith(_NEVER_WAS)
    why = "no bot has such a one" if never else "it was revoked, or its bot was deleted"
    remedy = "Copy it again from BotFather; a revoked token stays revoked."
    return TokenRefused("token", f"is not accepted by Telegram: {why}.", remedy)


def _refused(method: str, error: TelegramError) -> Refused:
    if method == "setWebhook":
        remedy = "Look at PUBLIC_URL: Telegram must be able to reach that address."
        return Refused("webhook", f"is not accepted by Telegram ({redact(error.message)}).", remedy)
    field = "webhook" if "Webhook" in method else "token"
    return Refused(field, f"could not be checked: {method} failed ({redact(error.message)}).", "Try again later.")
