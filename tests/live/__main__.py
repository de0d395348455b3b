"""Asks the Bot API with our own client what a bot needs most, and says in a line each what came back.

Environment: ``LIVE_BOT_TOKEN`` (without it nothing is done), ``LIVE_API_URL`` (default https://api.telegram.org),
``LIVE_CHAT`` (a chat for one message that is sent, edited and deleted; without it nothing is sent).
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from telegram.error import TelegramError

from botyard.bots.token_shape import check_token
from botyard.errors import InputError
from botyard.telegram.address import method_url
from botyard.telegram.request import AiohttpRequest, JsonBody
from botyard.telemetry.redaction import redact

_SECONDS: Final = 15.0
_TEXT: Final = "A message of `make test-live`: it is edited, then deleted."

Call = Callable[..., Awaitable[Any]]


async def _ask(call: Call) -> None:
    me = await call("getMe")
    _say("getMe", f"@{me['username']}, id {me['id']}")
    webhook = await call("getWebhookInfo")
    where = urlsplit(webhook["url"]).hostname if webhook["url"] else "no webhook"
    _say("getWebhookInfo", f"{where}, {webhook['pending_update_count']} updates wait")


async def _send(call: Call, chat: str) -> None:
    sent = await call("sendMessage", chat_id=chat, text=_TEXT)
    message = {"chat_id": sent["chat"]["id"], "message_id": sent["message_id"]}
    _say("sendMessage", f"message {sent['message_id']}")
    edited = await call("editMessageText", **message, text=f"{_TEXT} This is the edit.")
    _say("editMessageText", f"message {edited['message_id']}")
    await call("deleteMessage", **message)
    _say("deleteMessage", "done")


def _say(method: str, what: str) -> None:
    print(f"  {method:<16} {what}")


async def main() -> int:
    """Run it; the exit status."""
    token, chat = os.environ.get("LIVE_BOT_TOKEN", ""), os.environ.get("LIVE_CHAT", "")
    api_url = os.environ.get("LIVE_API_URL") or "https://api.telegram.org"
    if not token:
        print("Nothing was tested: LIVE_BOT_TOKEN is not set. Set it to the token of a bot that is for tests only.")
        return 0
    request = AiohttpRequest(_SECONDS)

    async def call(method: str, **params: Any) -> Any:
        return await request.post(method_url(api_url, token, method), JsonBody(orjson.dumps(params)))  # type: ignore[arg-type]

    try:
        check_token(token, "LIVE_BOT_TOKEN")
        print(f"Asking {urlsplit(api_url).hostname}:")
        await _ask(call)
        if chat:
            await _send(call, chat)
        else:
            print("  Nothing was sent: LIVE_CHAT is not set. Set it to the id of a chat that the bot may write to.")
    except (TelegramError, InputError) as error:
        print(f"  failed: {redact(str(error))}", file=sys.stderr)
        return 1
    finally:
        await request.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
