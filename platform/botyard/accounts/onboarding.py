"""Bots of customers: one together with its customer, and another token for one. Opens no secrets. See docs/api.md."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from botyard.accounts import customers, reading
from botyard.accounts.access import Actor, NotFound
from botyard.accounts.reading import bot_in_sight
from botyard.bots import errands
from botyard.bots.connection.adding import (
    NOBODY_YET,
    AlreadyHere,
    NewBot,
    Registered,
    StillKept,
    register_bot,
    replace_token,
)
from botyard.bots.connection.steps import Say, Step, silently
from botyard.bots.kind_names import check_kind
from botyard.bots.registry import find_by_telegram_id
from botyard.errors import InputError
from botyard.settings import Settings, get_settings
from botyard.telegram.request import AiohttpRequest
from db.models import Bot, Customer

_LEFT_TO_A_WORKER: Final = Step("connection", "ok", "A worker connects it now; its health says how that went.")


@dataclass(frozen=True, slots=True)
class AddedBot:
    """A bot that is registered, and what was done for that, step by step; a worker connects it."""

    id: int
    steps: list[Step]


def add_customer(username: str, name: str | None, token: str | None, kind: str | None) -> tuple[Customer, int | None]:
    """Make a customer, with a bot if there is a token: both or, if the token is refused, neither.

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
        check_kind(kind)
        if token is None:
            raise InputError("kind", "is that of a bot, and no bot's token is given.", "Give a botToken, too.")
    if token is None:
        return customers.add_customer(username, name), None
    customers.check_names(username, name)
    made: list[Customer] = []

    def owner(session: Session) -> int:
        # Called again if somebody else did the same at that moment.
        made[:] = [customers.make_customer(session, username, name)]
        return made[0].id

    try:
        bot_id = _register(_new_bot(NOBODY_YET, token, kind, owner=owner)).id
    except InputError as error:
        if error.field == "token":
            error.field = "bot_token"
        raise
    errands.connect_bot(bot_id)
    return made[0], bot_id


def add_bot(actor: Actor, customer_id: int, token: str, kind: str | None) -> AddedBot:
    """Give a customer one more bot.

    Args:
        actor: who asks.
        customer_id: whose it is to be.
        token: of the bot.
        kind: of the bot; none: the demo's.

    Raises:
        AlreadyHere: it is here; which one it is and whose is told only to those who can see it.
        InputError: the kind or the token is wrong, or the customer may have no bots now.
        Unreachable: Telegram cannot be asked.
    """
    if kind is not None:
        check_kind(kind)
    steps: list[Step] = []
    try:
        bot_id = _register(_new_bot(customer_id, token, kind, again=False), steps.append).id
    except StillKept:
        raise
    except AlreadyHere as error:
        raise _named(error, actor, token) from None
    errands.connect_bot(bot_id)
    return AddedBot(bot_id, [*steps, _LEFT_TO_A_WORKER])


def _named(error: AlreadyHere, actor: Actor, token: str) -> AlreadyHere:
    """The same error, with the bot and its owner if whoever asks can see them."""
    here = find_by_telegram_id(int(token.partition(":")[0]))
    seen = None if here is None else bot_in_sight(actor, here.id)
    if seen is not None:
        bot, owner = seen
        error.problem = f"belongs to bot_{bot.id} (@{bot.username}) of {owner.username or owner.name} already."
        error.remedy = "To give it another token, put that to its own address."
    return error


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
    if bot_id is not None:
        return replace_bot_token(bot_id, token).id
    bot_id = _register(_new_bot(customer_id, token, None)).id
    errands.connect_bot(bot_id)
    return bot_id


def replace_bot_token(bot_id: int, token: str, expected: int | None = None) -> AddedBot:
    """Give a bot another token: a new one of the same Telegram bot, or that of another one which takes its place.

    Args:
        bot_id: the bot's row.
        token: the new token.
        expected: the version of the bot's row that is to be changed; none: whichever it is.

    Raises:
        Stale: the bot was changed since.
        InputError: the token is refused.
        Unreachable: Telegram cannot be asked.
    """
    steps: list[Step] = []

    async def replace(request: AiohttpRequest, settings: Settings) -> Registered:
        return await replace_token(
            bot_id, token, request, settings, take_over=settings.take_over, say=steps.append, expected=expected
        )

    _asked(replace)
    errands.connect_bot(bot_id)
    return AddedBot(bot_id, [*steps, _LEFT_TO_A_WORKER])


def _new_bot(
    customer_id: int, token: str, kind: str | None, *, owner: Callable[[Session], int] | None = None, again: bool = True
) -> NewBot:  # fmt: skip
    settings = get_settings()
    return NewBot(
        token, kind, settings.api_url, webhook_base_url=settings.webhook_address, take_over=settings.take_over,
        customer_id=customer_id, owner=owner, again=again,
    )  # fmt: skip


def _register(new: NewBot, say: Say = silently) -> Registered:
    async def register(request: AiohttpRequest, settings: Settings) -> Registered:
        return await register_bot(new, request, settings, say)

    return _asked(register)


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
