"""Removing a bot, so that nothing of it comes back. See docs/commands.md."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from redis import Redis
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from telegram.error import TelegramError

from botyard.bots.naming import find_bot
from botyard.bots.registry import Routing, routings_of, sealed_token
from botyard.bots.routing import publish
from botyard.bots.statuses import begin_removal
from botyard.errors import InputError
from botyard.events import BotRemoved, record
from botyard.mailbox.forgetting import forget
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.address import method_url
from botyard.telegram.request import AiohttpRequest
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import SealedSecret, token_of
from db.engine import get_engine, get_sessions
from db.models import Bot, BotIdentity, BotSecret

_BATCH: Final = 5000
_OTHERS_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05
# To find all that a large Redis holds of a bot takes longer than a transaction may stand idle elsewhere.
_MAY_WAIT: Final = "SET LOCAL idle_in_transaction_session_timeout = '60s'"

# What sends may write is behind the outbox: once a bot has no rows there, no record of a send can add a message.
_ROWS: Final = {
    "outbox": "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE bot_id = :bot LIMIT :batch)",
    "inbox": """DELETE FROM inbox WHERE (telegram_id, update_id) IN (
        SELECT telegram_id, update_id FROM inbox WHERE telegram_id = ANY(:identities) LIMIT :batch)""",
    "conversations": """DELETE FROM conversations WHERE (bot_id, scope, key) IN (
        SELECT bot_id, scope, key FROM conversations WHERE bot_id = :bot LIMIT :batch)""",
    "messages": "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE bot_id = :bot LIMIT :batch)",
    "chats": """DELETE FROM chats WHERE (bot_id, chat_key) IN (
        SELECT bot_id, chat_key FROM chats WHERE bot_id = :bot LIMIT :batch)""",
    "jobs": """DELETE FROM jobs WHERE (bot_id, id) IN (
        SELECT bot_id, id FROM jobs WHERE bot_id = :bot LIMIT :batch)""",
    "journal": """DELETE FROM journal WHERE (bot_id, scope, position) IN (
        SELECT bot_id, scope, position FROM journal WHERE bot_id = :bot LIMIT :batch)""",
    "keyboards": """DELETE FROM keyboards WHERE (bot_id, number) IN (
        SELECT bot_id, number FROM keyboards WHERE bot_id = :bot LIMIT :batch)""",
    "media": """DELETE FROM media WHERE (bot_id, sha256, kind) IN (
        SELECT bot_id, sha256, kind FROM media WHERE bot_id = :bot LIMIT :batch)""",
    "schedules": """DELETE FROM schedules WHERE id IN (
        SELECT id FROM schedules WHERE bot_id = :bot LIMIT :batch)""",
    "schedule_zones": """DELETE FROM schedule_zones WHERE (bot_id, schedule_id, zone) IN (
        SELECT bot_id, schedule_id, zone FROM schedule_zones WHERE bot_id = :bot LIMIT :batch)""",
    "schedule_runs": """DELETE FROM schedule_runs WHERE id IN (
        SELECT id FROM schedule_runs WHERE bot_id = :bot LIMIT :batch)""",
    "occurrences": """DELETE FROM occurrences WHERE (bot_id, schedule_id, slot, recipient) IN (
        SELECT bot_id, schedule_id, slot, recipient FROM occurrences WHERE bot_id = :bot LIMIT :batch)""",
    "dead_letters": """DELETE FROM dead_letters WHERE id IN (
        SELECT id FROM dead_letters WHERE bot_id = :bot LIMIT :batch)""",
    "bot_users": """DELETE FROM bot_users WHERE (bot_id, user_id) IN (
        SELECT bot_id, user_id FROM bot_users WHERE bot_id = :bot LIMIT :batch)""",
}

WebhookEnd = Literal["removed", "none", "elsewhere", "unknown"]


@dataclass(frozen=True, slots=True)
class Removed:
    """A bot that is gone.

    Args:
        id: the number it had.
        username: its name at Telegram, where it still exists.
        webhook: ``removed`` at Telegram; ``none`` was set; it led ``elsewhere`` and was left alone; ``unknown``, for
            Telegram could not be asked.
        rows: how many rows were deleted, by table.
    """

    id: int
    username: str
    webhook: WebhookEnd
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Leaving:
    id: int
    customer_id: int
    telegram_id: int
    identities: list[int]
    public_ids: frozenset[str]
    username: str
    api_url: str
    tokens: list[SealedSecret]
    """With which we are the Telegram bot that it is, and those that it was."""
    routes: list[Routing]
    transaction: str
    """The number of the one that made it inactive."""


async def remove_bot(
    name: str, request: AiohttpRequest, settings: Settings, *, begun: bool = False
) -> Removed:  # fmt: skip
    """Stop a bot's intake, then forget everything of it: rows, mailboxes, leases, limits. Its events stay.

    The bot's own row goes last, so a removal that was interrupted is finished by doing it again.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        request: calls the Bot API.
        settings: where its mailboxes are.
        begun: only if its removal has begun already, and was not taken back since.

    Raises:
        InputError: there is no such bot, or it was added again or removed by another one meanwhile.
    """
    leaving = _begin(name, begun=begun)
    with redis_of(settings) as redis:
        publish(redis, *leaving.routes)
        _forget(redis, leaving)
        with _held(leaving):
            pass  # whoever has added it again has also connected it
        webhook = await _disconnect(leaving, request)
        rows = _delete_rows(leaving)
        _wait_for_older(leaving.transaction)
        # What slices committed that had begun before: for a bot that is inactive nothing more can follow.
        late = _delete_rows(leaving)
        _forget(redis, leaving)
        _delete_bot(leaving)
    return Removed(leaving.id, leaving.username, webhook, {table: rows[table] + late[table] for table in rows})


def _begin(name: str, *, begun: bool = False) -> _Leaving:
    """Serve it no longer: no tickets, no polling, and whatever still runs of it writes nothing."""
    with get_sessions("system").begin() as session:
        bot = find_bot(session, name)
        session.refresh(bot, with_for_update=True)
        if begun and bot.removal_began is None:
            raise InputError("bot", "was added again: it stays.", "Look at it.")
        begin_removal(bot)
        transaction = str(session.scalar(select(func.pg_current_xact_id().op("::")(text("text")))))
        doors = list(session.scalars(select(BotIdentity).where(BotIdentity.bot_id == bot.id)))
        return _Leaving(
            bot.id, bot.customer_id, bot.telegram_id, sorted({bot.telegram_id, *(door.telegram_id for door in doors)}),
            frozenset({bot.public_id, *(door.public_id for door in doors if door.public_id)}),
            bot.username, bot.api_url, _tokens(session, bot), routings_of(session, [bot]), transaction,
        )  # fmt: skip


def _tokens(session: Session, bot: Bot) -> list[SealedSecret]:
    kept = session.scalars(
        select(BotSecret).where(BotSecret.bot_id == bot.id, BotSecret.name.startswith(token_of(0)[:-1]))
    )
    sealed = {one.name: bytes(one.sealed) for one in kept}
    present = sealed_token(bot, sealed.pop(token_of(bot.telegram_id), None))
    return [present, *(SealedSecret(bot.id, name, one) for name, one in sealed.items())]


@contextmanager
def _held(leaving: _Leaving) -> Iterator[Session]:
    """Hold the row of a bot that is being removed: nobody adds it again meanwhile, so what is deleted is of before.

    Raises:
        InputError: somebody did, or another removal was faster: what is there now is not ours to delete.
    """
    with get_sessions("system").begin() as session:
        session.execute(text(_MAY_WAIT))
        # What still runs of it refers to the row, and must not wait for us.
        bot = session.get(Bot, leaving.id, with_for_update={"key_share": True})
        if bot is None:
            raise InputError("bot", "is gone: another removal of it was faster.", "")
        if bot.removal_began is None:
            problem = "was added again while it was removed: it stays, without its past or a part of it."
            raise InputError("bot", problem, "Look at it.")
        yield session


def _forget(redis: "Redis", leaving: _Leaving) -> None:
    with _held(leaving):
        for telegram_id in leaving.identities:
            forget(redis, telegram_id, leaving.id)


async def _disconnect(leaving: _Leaving, request: AiohttpRequest) -> WebhookEnd:
    """Take our webhook away at Telegram, also from those that it was; what became of its present one."""
    present, *_ = [await _disconnect_one(leaving, token, request) for token in leaving.tokens]
    return present


async def _disconnect_one(leaving: _Leaving, sealed: SealedSecret, request: AiohttpRequest) -> WebhookEnd:
    """Another system's webhook is none of our business."""
    try:
        token = open_sealed(sealed)
        info: Any = await request.post(method_url(leaving.api_url, token, "getWebhookInfo"))
        url = info.get("url", "")
        if not url:
            return "none"
        if not any(is_webhook_of(url, public_id) for public_id in leaving.public_ids):
            return "elsewhere"
        await request.post(method_url(leaving.api_url, token, "deleteWebhook"))
    except (TelegramError, InputError):
        # Whoever removes a bot often does so because its token was revoked.
        return "unknown"
    return "removed"


def is_webhook_of(url: str, public_id: str) -> bool:
    """Whether an address at Telegram is that of our bot; its public name is ours alone, whatever the host is."""
    return urlsplit(url).path.rstrip("/").endswith(f"/webhook/{public_id}")


def _delete_rows(leaving: _Leaving) -> dict[str, int]:
    """In small transactions: a large bot must not hold locks for long, nor run into the statement's time limit."""
    parameters = {"bot": leaving.id, "identities": leaving.identities, "batch": _BATCH}
    deleted = dict.fromkeys(_ROWS, 0)
    for table, statement in _ROWS.items():
        while True:
            with _held(leaving) as session:
                found = session.connection().execute(text(statement), parameters).rowcount
            deleted[table] += found
            if found < _BATCH:
                break
    return deleted


def _delete_bot(leaving: _Leaving) -> None:
    with _held(leaving) as session:
        bot = session.get_one(Bot, leaving.id)
        record(session, bot, BotRemoved(leaving.username))
        # The database would take these with it, and nobody would have recorded it.
        for part in (BotIdentity, BotSecret):
            for row in session.scalars(select(part).where(part.bot_id == bot.id)):
                session.delete(row)
        session.flush()
        session.delete(bot)


def _wait_for_older(transaction: str) -> None:
    """Wait until every transaction has ended that may have seen the bot active; their own time limits are shorter."""
    until = time.monotonic() + _OTHERS_SECONDS
    ended = text("SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(:number AS xid8)")
    while time.monotonic() < until:
        with get_engine("system").connect() as connection:
            if connection.execute(ended, {"number": transaction}).scalar():
                return
        time.sleep(_LOOK_SECONDS)
