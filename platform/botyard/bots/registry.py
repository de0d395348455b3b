"""Finding bots. No tokens are opened here, so the web process may import it. See docs/bots.md."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import ColumnElement, Select, String, and_, cast, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from botyard.bots.naming import find_bot
from botyard.vault.sealed import SealedSecret, token_of, webhook_of
from db.engine import get_sessions
from db.models import Bot, BotHealth, BotIdentity, BotSecret

LEAVING: Final = timedelta(hours=24)
"""For so long a bot that became another one at Telegram is fetched as the earlier one, too: no update waits longer."""
_TOKENS: Final = token_of(0).removesuffix("0")
_SERVED: Final = ("active", "paused", "maintenance")


@dataclass(frozen=True, slots=True)
class ServedBot:
    """What a process needs of a bot that it serves."""

    id: int
    customer_id: int
    telegram_id: int
    kind: str
    name: str
    username: str
    token: SealedSecret
    api_url: str
    status: str
    config_version: int
    removed: bool = False
    """Its removal has begun."""
    queue: str = "slow"
    answers_callbacks: bool = True
    """Whether a callback query that its handlers leave unanswered is answered for it."""
    repeats: bool = True
    """Whether a send of unknown outcome is made again; else it stays ``uncertain``."""
    sends_directly: bool = False
    """Whether its handlers wait for the answer to each send."""
    retries: bool = True
    """Whether an update whose handlers raise is tried again."""
    forgets_after: int = 0
    """Seconds for which unchanged memory of chats and people counts; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What the webhook needs of a door through which a bot's updates come."""

    bot_id: int
    telegram_id: int
    secret_hashes: tuple[bytes, ...]
    """SHA-256 of its secret; then of the one before, which Telegram may still show; none: nobody may come in."""
    previous_until: float | None
    """When the second one ends, in seconds since the epoch; none: not before Telegram was told the first."""
    closed: bool
    """The bot is switched off: its updates are Telegram's to keep."""

    def secret_of(self, given: bytes, now: float) -> bytes | None:
        """The hash of the secret that was shown; nothing if it is none of this door's.

        Hashes are compared, all of them and in constant time: neither length nor place of a difference shows.
        """
        digest, found = sha256(given).digest(), None
        for place, expected in enumerate(self.secret_hashes):
            valid = place == 0 or self.previous_until is None or now < self.previous_until
            if hmac.compare_digest(digest, expected) and valid and given:
                found = expected
        return found


@dataclass(frozen=True, slots=True)
class Routing:
    """What the mailboxes need of a bot, and which reading of its row this is."""

    telegram_id: int
    queue: str
    share: int | None
    paused: bool
    removed: bool
    """Its removal has begun."""
    row: int
    version: int


@dataclass(frozen=True, slots=True)
class PolledBot:
    """What the poller needs of a bot."""

    telegram_id: int
    kind: str
    api_url: str
    token: SealedSecret
    leaving: bool = False
    """It is an earlier identity, of which only what waits at Telegram is wanted."""
    given: str = ""
    """What its kind is given: with other settings it may want other updates."""
    contacted_at: datetime | None = field(default=None, compare=False)
    """When Telegram last answered for the bot's token."""


def sealed_token(bot: Bot, sealed: bytes | None, telegram_id: int | None = None) -> SealedSecret:
    """A bot's token as it is kept.

    Args:
        bot: its row.
        sealed: what stands in `BotSecret`; none: what older code keeps in the row itself.
        telegram_id: as which Telegram bot; its present one if not said.
    """
    name = token_of(bot.telegram_id if telegram_id is None else telegram_id)
    return SealedSecret(bot.id, name, bytes(bot.token_encrypted or b"") if sealed is None else bytes(sealed))


def _with_token(telegram_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """How a bot's row finds the token of this Telegram bot."""
    return and_(BotSecret.bot_id == Bot.id, BotSecret.name == literal(_TOKENS) + cast(telegram_id, String))


def polled_bots() -> list[PolledBot]:
    """The bots whose updates are fetched: as those they are, and for a day as those they were before."""
    still_there = (BotIdentity.telegram_id == Bot.telegram_id) | (
        (BotIdentity.leaving_since > datetime.now(UTC) - LEAVING) & BotSecret.sealed.is_not(None)
    )
    query = (
        select(Bot, BotIdentity.telegram_id, BotSecret.sealed, BotHealth.contacted_at)
        .join(BotIdentity, BotIdentity.bot_id == Bot.id)
        .outerjoin(BotHealth, BotHealth.bot_id == Bot.id)
        .outerjoin(BotSecret, _with_token(BotIdentity.telegram_id))
        .where(Bot.intake == "polling", Bot.status.in_(_SERVED), Bot.removal_began.is_(None), still_there)
    )
    with get_sessions("system")() as session:
        return [
            PolledBot(
                telegram_id, bot.kind, bot.api_url, sealed_token(bot, sealed, telegram_id),
                telegram_id != bot.telegram_id, str((bot.settings.get("settings"), bot.settings.get("features"))),
                contacted_at,
            )
            for bot, telegram_id, sealed, contacted_at in session.execute(query)
        ]  # fmt: skip


def end_leaving(token: SealedSecret) -> None:
    """An earlier identity is of no use any more: this token of it was refused.

    The bot may be that one again by now, or have another token of it: then nothing is forgotten.
    """
    telegram_id = int(token.name.removeprefix(_TOKENS))
    with get_sessions("system").begin() as session:
        identity = session.get(BotIdentity, telegram_id, with_for_update=True)
        found = session.get(BotSecret, (token.bot_id, token.name))
        if identity and identity.leaving_since and found and bytes(found.sealed) == token.sealed:
            session.delete(found)


def version_with(token: SealedSecret) -> int | None:
    """The version of the bot of which this is the present token; none if it has another one by now."""
    served = find(token.bot_id)
    return served.config_version if served is not None and served.token == token else None


def forget_left() -> None:
    """Forget the secrets of identities that were fetched for their day.

    Those whose webhooks were left as they are keep theirs: whoever removes the bot takes these webhooks away.
    """
    gone = (
        select(BotIdentity)
        .join(Bot, Bot.id == BotIdentity.bot_id)
        .where(Bot.intake == "polling", BotIdentity.leaving_since < datetime.now(UTC) - LEAVING)
        # Who becomes one of these again at this moment is waited for, and then it is none of them.
        .with_for_update(of=BotIdentity)
    )
    with get_sessions("system").begin() as session:
        for identity in session.scalars(gone):
            for name in (token_of(identity.telegram_id), webhook_of(identity.telegram_id)):
                if (found := session.get(BotSecret, (identity.bot_id, name))) is not None:
                    session.delete(found)


def find_by_telegram_id(telegram_id: int) -> ServedBot | None:
    """The bot that has, or once had, this identity at Telegram."""
    return _find(
        _bots_with_tokens()
        .join(BotIdentity, BotIdentity.bot_id == Bot.id)
        .where(BotIdentity.telegram_id == telegram_id)
    )


def find(bot_id: int) -> ServedBot | None:
    """The bot of this row."""
    return _find(_bots_with_tokens().where(Bot.id == bot_id))


def _bots_with_tokens() -> Select[Bot, bytes]:
    return select(Bot, BotSecret.sealed).outerjoin(BotSecret, _with_token(Bot.telegram_id))


def _find(query: Select[Bot, bytes]) -> ServedBot | None:
    with get_sessions("system")() as session:
        row = session.execute(query).first()
        return None if row is None else _served(row[0], row[1])


def row_of(name: str) -> int:
    """The row of the bot of this name.

    Args:
        name: any of its names: see `botyard.bots.naming`.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        return find_bot(session, name).id


def find_intake(public_id: str) -> Intake | None:
    """Whose webhook this path is."""
    query = select(Bot, BotIdentity).join(BotIdentity, BotIdentity.bot_id == Bot.id)
    with get_sessions("system")() as session:
        row = session.execute(query.where(BotIdentity.public_id == public_id)).first()
        if row is not None:
            return _intake(row[0], row[1])
        bot = session.scalars(select(Bot).where(Bot.public_id == public_id)).first()
        return None if bot is None else _intake_of_older(bot)


def _intake(bot: Bot, identity: BotIdentity) -> Intake:
    hashes = tuple(bytes(one) for one in (identity.secret_hash, identity.previous_secret_hash) if one)
    if not identity.secret_hash:
        hashes = ()
    until = identity.previous_until
    return Intake(bot.id, identity.telegram_id, hashes, until.timestamp() if until else None, _is_closed(bot))


def _intake_of_older(bot: Bot) -> Intake:
    """The door that older code has made stands in the bot's own row."""
    hashes = (bytes(bot.webhook_secret_hash),) if bot.webhook_secret_hash else ()
    return Intake(bot.id, bot.telegram_id, hashes, None, _is_closed(bot))


def _is_closed(bot: Bot) -> bool:
    return bot.status == "inactive" and bot.removal_began is None


def routings(after: int, limit: int) -> list[Routing]:
    """How bots' updates are routed, in the order of their rows, through each of their identities.

    Args:
        after: the row behind which to begin.
        limit: how many bots at most.
    """
    with get_sessions("system")() as session:
        bots = session.scalars(select(Bot).where(Bot.id > after).order_by(Bot.id).limit(limit)).all()
        return routings_of(session, bots)


def routings_of(session: Session, bots: Sequence[Bot]) -> list[Routing]:
    """How the updates of these bots are routed, in the caller's transaction: one reading for each identity."""
    query = select(BotIdentity.bot_id, BotIdentity.telegram_id).where(BotIdentity.bot_id.in_([bot.id for bot in bots]))
    known: dict[int, set[int]] = {bot.id: {bot.telegram_id} for bot in bots}
    for bot_id, telegram_id in session.execute(query):
        known[bot_id].add(telegram_id)
    return [routing_of(bot, telegram_id) for bot in bots for telegram_id in sorted(known[bot.id])]


def routing_of(bot: Bot, telegram_id: int | None = None) -> Routing:
    """How one bot's updates are routed.

    Args:
        bot: its row.
        telegram_id: as which Telegram bot they came; its present one if not said.
    """
    return Routing(
        bot.telegram_id if telegram_id is None else telegram_id, bot.queue, bot.share,
        bot.removal_began is not None or bot.status in ("paused", "error", "inactive"),
        bot.removal_began is not None, bot.id, bot.config_version,
    )  # fmt: skip


def bot_by_telegram_id(session: Session, telegram_id: int) -> Bot | None:
    """The row with this identity, in the caller's transaction."""
    return session.scalars(select(Bot).where(Bot.telegram_id == telegram_id)).first()


def _served(bot: Bot, sealed: bytes | None) -> ServedBot:
    return ServedBot(
        id=bot.id,
        customer_id=bot.customer_id,
        telegram_id=bot.telegram_id,
        kind=bot.kind,
        name=bot.name,
        username=bot.username,
        token=sealed_token(bot, sealed),
        api_url=bot.api_url,
        status=bot.status,
        config_version=bot.config_version,
        removed=bot.removal_began is not None,
        queue=bot.queue,
        answers_callbacks=bool(bot.settings.get("answer_callbacks", True)),
        repeats=bool(bot.settings.get("repeat_uncertain", True)),
        sends_directly=bot.settings.get("sends") == "direct",
        retries=bool(bot.settings.get("retry", True)),
        forgets_after=int(bot.settings.get("forget_after", 0)),
    )
