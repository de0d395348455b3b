"""Registering bots, and giving them other tokens: only what was given is used, and nothing is opened.

So the web process may do this; `botyard.bots.connection.connecting` does the rest. See docs/bots.md.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session

from botyard.bots.connection.asking import Asking
from botyard.bots.connection.doors import host_in, new_public_id, public_id_in, renew_door, webhook_url
from botyard.bots.connection.first_contact import introduce
from botyard.bots.connection.identities import MOVED, leave, take_from
from botyard.bots.connection.steps import Say, Step, silently
from botyard.bots.health.verdicts import health_row
from botyard.bots.registry import LEAVING, bot_by_telegram_id, routings_of
from botyard.bots.routing import tell
from botyard.bots.token_shape import check_token
from botyard.errors import InputError, Stale
from botyard.events import BotAdded, BotStarted, TokenReplaced, record
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from botyard.vault.sealed import token_of
from botyard.vault.sealing import keep_secret
from db.claims import took_effect
from db.engine import get_sessions
from db.models import Bot, BotHealth, BotIdentity, Customer

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_BOT: Final = "botyard.connect_bot"
"""The task that connects a registered bot, for a process that opens nothing."""
DEFAULT_CUSTOMER: Final = 1
NOBODY_YET: Final = 0
"""The customer of a new bot while it is still to be made."""
NEW_KIND: Final = "demo"
_NEW_QUEUE: Final = "slow"
_SUSPENDED: Final = ("customer", "is suspended.", "`botyard customer resume` lets it go on.")


class AlreadyHere(InputError):
    """The token belongs to a bot that is registered already.

    Args:
        bot_id: its row; none: it is another customer's, of whom nothing is told.
    """

    def __init__(self, bot_id: int | None) -> None:
        problem = "belongs to a bot that is here already"
        remedy = "See `botyard bot list`." if bot_id is not None else "Only who owns it here can change that."
        super().__init__("token", f"{problem}, as bot {bot_id}." if bot_id is not None else f"{problem}.", remedy)
        self.args = (bot_id,)
        self.bot_id = bot_id


class StillKept(AlreadyHere):
    """The token belongs to a bot of a customer that was removed, and whose data is kept for a while.

    Args:
        until: for how long; none: it is being removed right now.
    """

    def __init__(self, until: datetime | None) -> None:
        super().__init__(None)
        if until is None:
            self.problem = "belongs to a bot that is being removed here."
            self.remedy = "Try again in some minutes."
        else:
            self.problem = (
                f"belongs to a bot of a customer that was removed; what is kept of it stays until {until:%Y-%m-%d}."
            )
            self.remedy = "Then it can be added. The operator can restore that customer, or remove it for good at once."
        self.args = (until,)


@dataclass(frozen=True, slots=True)
class NewBot:
    """What is needed to register a bot."""

    token: str = field(repr=False)
    kind: str | None
    """Its kind, by a name that lasts; none: the one it has, or for a new bot the demo's."""
    api_url: str
    queue: str | None = None
    """Where its updates run; none: where they run now, or for a new bot with the slow ones."""
    webhook_base_url: str | None = None
    """Where Telegram reaches our web process; none: the bot's updates are fetched by long polling."""
    take_over: bool = False
    """Connect it even though its updates go to another address now."""
    customer_id: int | None = None
    """Who asks, and who is to own it; none: the installation's operator, who sees every customer's bots."""
    again: bool = True
    """Whether one that is here already may be registered again; else that is `AlreadyHere`."""
    owner: Callable[[Session], int] | None = None
    """Makes the customer who is to own it, in the transaction that registers it; ``customer_id`` is `NOBODY_YET`."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A bot that is registered; it is still to be connected."""

    id: int
    username: str
    known: bool
    """Whether it was here before."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a Telegram bot before it is asked about."""

    bot_id: int | None = None
    customer_id: int | None = None
    present: bool = True
    public_ids: frozenset[str] = frozenset()
    contacted_at: datetime | None = None
    left_at: datetime | None = None
    """When its bot became another one at Telegram."""
    leaving: bool = False
    """Its customer is being removed."""
    kept_until: datetime | None = None
    """Until then that can be taken back."""
    suspended: bool = False
    """Its customer is suspended."""

    def is_free_for(self, customer_id: int) -> bool:
        """Whether nobody has it, or only had it: who left it may have it back at once, others when its day is over."""
        if self.bot_id is None:
            return True
        over = self.left_at is not None and datetime.now(UTC) - self.left_at > LEAVING
        return over or (self.left_at is not None and customer_id == self.customer_id)


async def register_bot(
    new: NewBot, request: AiohttpRequest, settings: Settings, say: Say = silently
) -> Registered:  # fmt: skip
    """Check a token with Telegram and register its bot; one that is here takes over what is given, and keeps the rest.

    Args:
        new: what was given.
        request: calls the Bot API.
        settings: where the mailboxes are, and the budget of first contacts.
        say: is told each step when it is over.

    Raises:
        AlreadyHere: and may not be registered again, or is another customer's.
        TokenRefused: it was revoked, or no bot ever had it.
        InputError: it cannot be a token, or another system has the bot's updates.
        Unreachable: Telegram cannot be asked, or not yet.
    """
    check_token(new.token)
    known = await asyncio.to_thread(_known, int(new.token.partition(":")[0]))
    asking = Asking(request, new.api_url, new.token)
    own = new.customer_id in (None, known.customer_id)
    profile = await _introduce(asking, known.contacted_at if own else None, settings, say)
    # Only now: a number is no secret, and who has no token of it must not learn whether it is here.
    _check_asker(known, new)
    await _check_webhook(asking, new.webhook_base_url, known.public_ids, take_over=new.take_over, say=say)
    registered, routes = await asyncio.to_thread(_whoever_is_faster, _register, new, profile)
    await asyncio.to_thread(tell, routes)
    say(Step("registered", "ok", f"It is registered here as bot {registered.id}."))
    return registered


async def replace_token(
    bot_id: int, token: str, request: AiohttpRequest, settings: Settings, *, take_over: bool = False,
    say: Say = silently, expected: int | None = None,
) -> Registered:  # fmt: skip
    """Give a bot another token: a new one of the same Telegram bot, or that of another one which takes its place.

    In that case the updates of the earlier one still come: its webhook is left as it is, or it is fetched for a day.

    Args:
        bot_id: the bot's row.
        token: the new token.
        request: calls the Bot API.
        settings: as for `register_bot`.
        take_over: whether another system's webhook may be replaced.
        say: is told each step when it is over.
        expected: the version of the bot's row that is to be changed; none: whichever it is.

    Raises:
        AlreadyHere: another bot here has this Telegram bot, or had it until lately.
        Stale: the bot was changed since.
        TokenRefused, InputError, Unreachable: as `register_bot`.
    """
    check_token(token)
    with get_sessions("system")() as session:
        bot = session.get(Bot, bot_id)
    if bot is None or bot.removal_began is not None:
        raise InputError("bot", "is not here any more.", "See `botyard bot list`.")
    known = await asyncio.to_thread(_known, int(token.partition(":")[0]))
    asking = Asking(request, bot.api_url, token)
    own = known.customer_id == bot.customer_id
    profile = await _introduce(asking, known.contacted_at if own else None, settings, say)
    _check_place(known, bot)
    base = settings.webhook_address_for(bot.api_url) if bot.intake == "webhook" else None
    await _check_webhook(asking, base, known.public_ids, take_over=take_over, say=say)
    registered, routes = await asyncio.to_thread(_whoever_is_faster, _replace, bot_id, token, profile, expected)
    await asyncio.to_thread(tell, routes)
    say(Step("registered", "ok", f"Bot {bot_id} is @{registered.username} now."))
    return registered


def _known(telegram_id: int) -> _Known:
    with get_sessions("system")() as session:
        return _look(session, telegram_id)


def _look(session: Session, telegram_id: int, *, locked: bool = False) -> _Known:
    identity = session.get(BotIdentity, telegram_id)
    bot = session.get(Bot, identity.bot_id) if identity else bot_by_telegram_id(session, telegram_id)
    if bot is None:
        return _Known()
    for row in (bot, identity) if locked else ():
        if row is not None:
            session.refresh(row, with_for_update=True)
    if identity is not None and identity.bot_id != bot.id:
        return _look(session, telegram_id, locked=locked)
    doors = session.scalars(select(BotIdentity.public_id).where(BotIdentity.bot_id == bot.id))
    health = session.get(BotHealth, bot.id)
    customer = session.get(Customer, bot.customer_id)
    present = bot.telegram_id == telegram_id
    # Whoever removes a bot forgets all that it was.
    left = identity is not None and not present and bot.removal_began is None
    return _Known(
        bot.id, bot.customer_id, present, frozenset({bot.public_id, *filter(None, doors)}),
        health.contacted_at if health and present else None,
        identity.leaving_since or identity.created_at if identity and left else None,
        customer is not None and customer.removal_began is not None,
        customer.purge_after if customer is not None and bot.removal_began is None else None,
        customer is not None and customer.status != "active",
    )  # fmt: skip


def _check_asker(known: _Known, new: NewBot) -> None:
    if known.is_free_for(_owner_of(new)):
        return
    if known.leaving:
        raise StillKept(known.kept_until)
    if new.customer_id not in (None, known.customer_id):
        raise AlreadyHere(None)
    if not new.again or not known.present:
        raise AlreadyHere(known.bot_id)
    if known.suspended:
        raise InputError(*_SUSPENDED)


def _owner_of(new: NewBot) -> int:
    return DEFAULT_CUSTOMER if new.customer_id is None else new.customer_id


def _check_place(known: _Known, bot: Bot) -> None:
    """Whether a bot may become this Telegram bot."""
    if known.bot_id != bot.id and not known.is_free_for(bot.customer_id):
        if known.leaving:
            raise StillKept(known.kept_until)
        raise AlreadyHere(known.bot_id if known.customer_id == bot.customer_id else None)


async def _introduce(asking: Asking, contacted_at: datetime | None, settings: Settings, say: Say) -> dict[str, Any]:
    """Who the token says it is."""
    await introduce(asking.api_url, contacted_at, settings)
    profile: dict[str, Any] = await asking.call("getMe")
    say(Step("token", "ok", f"Telegram accepts the token: it is @{profile.get('username', '')}."))
    return profile


async def _check_webhook(
    asking: Asking, base: str | None, public_ids: frozenset[str], *, take_over: bool, say: Say
) -> None:  # fmt: skip
    """Another system may live on this bot: say so before it is cut off."""
    url = (await asking.call("getWebhookInfo")).get("url", "")
    ours = public_id_in(url) in public_ids or (base is not None and url.startswith(webhook_url(base, "")))
    if not url or ours:
        say(Step("webhook", "ok", "No other system has its updates."))
        return
    if take_over:
        say(Step("webhook", "warning", f"Its updates went to {host_in(url)} until now; they are brought here."))
        return
    raise InputError(
        "token",
        f"belongs to a bot whose updates go to {host_in(url)} now.",
        "Set TAKE_OVER=true to bring them here; those that wait at Telegram are kept.",
    )


def _whoever_is_faster(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it, and once more if somebody else did the same at that moment: now it sees what the other one did."""
    try:
        return work(*args, **kwargs)
    except (IntegrityError, InvalidRequestError):
        return work(*args, **kwargs)


def _register(new: NewBot, profile: dict[str, Any]) -> tuple[Registered, list[Any]]:
    telegram_id = int(profile["id"])
    with get_sessions("system").begin() as session:
        # Much may have changed since it was looked at before.
        customer_id = _owner_of(new) if new.owner is None else new.owner(session)
        _check_customer(session, customer_id)
        known = _look(session, telegram_id, locked=True)
        _check_asker(known, new)
        if not known.present:
            take_from(session, known.bot_id, telegram_id)
        bot = bot_by_telegram_id(session, telegram_id) or _new_bot(session, telegram_id, customer_id, new)
        here = known.bot_id == bot.id
        # Whoever adds a bot wants it served, also one that was switched off.
        _serve_again(session, bot, "inactive", "error")
        bot.kind, bot.queue = new.kind or bot.kind, new.queue or bot.queue
        if new.queue is not None:
            bot.settings = {**(bot.settings or {}), "queue": new.queue}
        bot.api_url, bot.intake = new.api_url, "webhook" if new.webhook_base_url else "polling"
        bot.config_version += here
        _keep_identity(session, bot, new.token, profile)
        took_effect(session, bot=bot.id, **({} if new.owner is None else {"customer": customer_id}))
        return Registered(bot.id, bot.username, here), routings_of(session, [bot])


def _check_customer(session: Session, customer_id: int) -> None:
    """Hold the customer as it is until the commit, before any of its bots: whoever suspends it sees all of them."""
    customer = session.get(Customer, customer_id, with_for_update={"read": True})
    if customer is None or customer.removal_began is not None:
        raise InputError("customer", "is not here any more.", "See `botyard customer list`.")
    if customer.status != "active":
        raise InputError(*_SUSPENDED)


def _new_bot(session: Session, telegram_id: int, customer_id: int, new: NewBot) -> Bot:
    bot = Bot(
        customer_id=customer_id, telegram_id=telegram_id, public_id=new_public_id(),
        kind=new.kind or NEW_KIND, name="", username="", api_url=new.api_url, queue=_NEW_QUEUE, status="active",
        settings={}, token_encrypted=MOVED, webhook_secret_encrypted=MOVED, webhook_secret_hash=MOVED,
    )  # fmt: skip
    session.add(bot)
    session.flush()
    record(session, bot, BotAdded())
    return bot


def _serve_again(session: Session, bot: Bot, *ended: str) -> None:
    """Serve a bot that has one of these statuses, or whose removal was interrupted."""
    if bot.removal_began is None and bot.status not in ended:
        return
    bot.status, bot.status_reason, bot.status_since = "active", None, datetime.now(UTC)
    bot.removal_began = None
    record(session, bot, BotStarted("it was given its token again"))


def _keep_identity(session: Session, bot: Bot, token: str, profile: dict[str, Any]) -> None:
    """Who the bot is at Telegram now: its names, its token, and a door with a fresh secret."""
    telegram_id = int(profile["id"])
    bot.name, bot.username = profile.get("first_name", ""), profile.get("username", "")
    bot.public_id = renew_door(session, bot, telegram_id)
    keep_secret(session, bot, token_of(telegram_id), token)
    health_row(session, bot).contacted_at = datetime.now(UTC)


def _replace(
    bot_id: int, token: str, profile: dict[str, Any], expected: int | None = None
) -> tuple[Registered, list[Any]]:  # fmt: skip
    telegram_id = int(profile["id"])
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id)
        if bot is not None:
            _check_customer(session, bot.customer_id)
            session.refresh(bot, with_for_update=True)
        if bot is None or bot.removal_began is not None:
            raise InputError("bot", "is not here any more.", "See `botyard bot list`.")
        if expected is not None and bot.config_version != expected:
            raise Stale(bot.config_version)
        known = _look(session, telegram_id, locked=True)
        _check_place(known, bot)
        if known.bot_id not in (None, bot_id):
            take_from(session, known.bot_id, telegram_id)
        earlier = bot.telegram_id if bot.telegram_id != telegram_id else None
        if earlier is not None:
            leave(session, bot, telegram_id)
        _serve_again(session, bot, "error")
        bot.config_version += 1
        _keep_identity(session, bot, token, profile)
        record(session, bot, TokenReplaced(earlier))
        return Registered(bot.id, bot.username, known=True), routings_of(session, [bot])
