"""Bots of customers: one together with its customer, and another token for one. Opens no secrets. See docs/api.md."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from typing import Final

import structlog

from botyard.accounts import customers, reading
from botyard.accounts.access import NotFound
from botyard.bots import errands
from botyard.bots.connection.adding import NewBot, Registered, register_bot, replace_token
from botyard.errors import InputError
from botyard.settings import Settings, get_settings
from botyard.telegram.request import AiohttpRequest
from db.models import Bot, Customer

log = structlog.get_logger(__name__)

_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def add_customer(username: str, name: str | None, token: str | None, kind: str | None) -> tuple[Customer, int | None]:
    """Make a customer, with a bot if there is a token; a token that is refused leaves no customer behind.

    Args:
        username: what it is called in commands.
        name: what it is called for people.
        token: of its bot.
        kind: of its bot; none: the demo's.

    Returns:
        The customer, and the bot's row.

    Raises:
        Taken: another customer is called so.
        InputError: a name, the kind or the token is wrong.
        Unreachable: Telegram cannot be asked.
    """
    if kind is not None:
        _check_kind(kind)
        if token is None:
            raise InputError("kind", "is that of a bot, and no bot's token is given.", "Give a botToken, too.")
    customer = customers.add_customer(username, name)
    if token is None:
        return customer, None
    try:
        bot_id = _register(customer.id, token, kind)
    except BaseException as error:
        left = customers.remove_customer(customer.id)
        if not left:
            raise
        # It is registered, and only the mailboxes were not told: the next sync does that.
        log.warning("registered_in_part", bot=left[0], error=type(error).__name__)
        bot_id = left[0]
    errands.connect_bot(bot_id)
    return customer, bot_id


def bot_of(customer_id: int, bot: Bot) -> int:
    """The number of a bot that somebody may change, if it is this customer's.

    Raises:
        NotFound: it is another one's.
    """
    if bot.customer_id != customer_id:
        raise NotFound
    return bot.id


def give_token(customer_id: int, bot_id: int | None, token: str) -> int:
    """Give a customer's bot another token; a customer that has no bot yet gets one.

    Args:
        customer_id: whose.
        bot_id: which bot; none: the only one that there is.
        token: the new token.

    Returns:
        The bot's row.

    Raises:
        InputError: the token is refused, or it was not said which bot is meant.
        Unreachable: Telegram cannot be asked.
    """
    if bot_id is None:
        seen = reading.bots_of_customer(customer_id, after=0, limit=100)
        present = [bot.id for bot, _ in seen if bot.removal_began is None]
        if len(present) > 1:
            raise InputError("bot", "is not said, and there is more than one.", "Give the id of the bot.")
        bot_id = present[0] if present else None
    if bot_id is None:
        bot_id = _register(customer_id, token, None)
    else:
        _replace(bot_id, token)
    errands.connect_bot(bot_id)
    return bot_id


def _register(customer_id: int, token: str, kind: str | None) -> int:
    async def register(request: AiohttpRequest, settings: Settings) -> Registered:
        new = NewBot(
            token, kind, settings.api_url, webhook_base_url=settings.webhook_address, take_over=settings.take_over,
            customer_id=customer_id,
        )  # fmt: skip
        return await register_bot(new, request, settings)

    return _asked(register).id


def _replace(bot_id: int, token: str) -> None:
    async def replace(request: AiohttpRequest, settings: Settings) -> Registered:
        return await replace_token(bot_id, token, request, settings, take_over=settings.take_over)

    _asked(replace)


def _asked(work: Callable[[AiohttpRequest, Settings], Awaitable[Registered]]) -> Registered:
    """In a loop of its own, for the thread that waits for it has none."""
    settings = get_settings()

    async def asked() -> Registered:
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            return await work(request, settings)
        finally:
            await request.close()

    return asyncio.run(asked())


def _check_kind(kind: str) -> None:
    """Whether it is the name of a kind; its code is loaded only where bots run. Paths of scripts are none here."""
    known = sorted(entry_points(group="botyard.bots").names)
    if kind not in known and _FUNCTION.fullmatch(kind) is None:
        remedy = f"Known: {', '.join(known)}; or write package.module:function."
        raise InputError("kind", "is no name of a kind.", remedy)
