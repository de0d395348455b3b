"""Secrets under the newest key: what older code sealed, and what an earlier key sealed. See docs/secrets.md.

Everything here may be killed and done again, and works beside processes that write and open the same secrets.
"""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, TextClause, text
from sqlalchemy.orm import Session

from botyard.errors import InputError
from botyard.vault.keys import Key, keyring
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import ENDPOINT, KEY_ID_SQL, SealedSecret, token_of, webhook_of
from botyard.vault.sealing import seal_with
from db.engine import get_engine, get_sessions

log = structlog.get_logger(__name__)

_BATCH: Final = 100

# The lock keeps the bot from being removed before its secrets refer to it.
_OF_OLDER_CODE: Final = """
SELECT b.id, b.customer_id, b.telegram_id, b.token_encrypted, b.webhook_secret_encrypted FROM bots b
 WHERE b.id > :after AND (octet_length(b.token_encrypted) > 0 OR octet_length(b.webhook_secret_encrypted) > 0)
   AND (SELECT count(*) FROM bot_secrets s WHERE s.bot_id = b.id
           AND s.name IN ('token:' || b.telegram_id, 'webhook:' || b.telegram_id)) < 2
 ORDER BY b.id LIMIT :batch FOR KEY SHARE OF b
"""
_COPY: Final = """
INSERT INTO bot_secrets (bot_id, name, customer_id, sealed, key_id)
VALUES (:bot_id, :name, :customer_id, :sealed, :key_id) ON CONFLICT DO NOTHING
"""
_DOORS: Final = """
UPDATE bot_identities i SET public_id = b.public_id, secret_hash = b.webhook_secret_hash FROM bots b
 WHERE b.id = i.bot_id AND b.telegram_id = i.telegram_id AND i.public_id IS NULL AND i.secret_hash IS NULL
   AND octet_length(b.webhook_secret_hash) > 0
"""
# Whose a row is, and under which name it was sealed: that of an endpoint's keeps its own when a newer one comes.
_TABLES: Final = (("bot_secrets", "bot_id", None), ("endpoint_secrets", "endpoint_id", ENDPOINT))
_UNDER_OTHERS: Final = f"""
SELECT {{owner}} AS owner, name, sealed FROM {{table}}
 WHERE {KEY_ID_SQL} <> :newest AND ({{owner}}, name) > (:owner, :name) ORDER BY {{owner}}, name LIMIT :batch
"""  # noqa: S608
# Whoever has put another secret there meanwhile was later.
_RESEAL: Final = "UPDATE {table} SET sealed = :sealed, key_id = :key_id WHERE {owner} = :owner AND sealed = :before"
_LEFT: Final = f"SELECT count(*) FROM {{table}} WHERE {KEY_ID_SQL} <> :newest"  # noqa: S608
_EMPTY: Final = """
UPDATE bots SET token_encrypted = NULL, webhook_secret_encrypted = NULL, webhook_secret_hash = NULL WHERE id IN (
    SELECT b.id FROM bots b
     WHERE (octet_length(b.token_encrypted) > 0 OR octet_length(b.webhook_secret_encrypted) > 0
            OR octet_length(b.webhook_secret_hash) > 0)
       AND EXISTS (SELECT 1 FROM bot_secrets s WHERE s.bot_id = b.id AND s.name = 'token:' || b.telegram_id)
       AND EXISTS (SELECT 1 FROM bot_secrets s WHERE s.bot_id = b.id AND s.name = 'webhook:' || b.telegram_id)
       AND EXISTS (SELECT 1 FROM bot_identities i WHERE i.telegram_id = b.telegram_id AND i.secret_hash IS NOT NULL)
     ORDER BY b.id LIMIT :batch FOR NO KEY UPDATE OF b)
"""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did.

    Args:
        key_id: the newest key.
        resealed: secrets that are under it now and were not before.
        emptied: bots whose rows no longer have what older code sealed.
        left: secrets that are still under another key, for that one is not at hand.
    """

    key_id: str
    resealed: int
    emptied: int
    left: int


def copy_older_secrets() -> int:
    """Seal anew what older code stored in the bots' own rows, for bots without secrets; how many secrets that were.

    The bots' rows stay as they are: during a deploy the code before this one still reads them.

    Raises:
        InputError: some do not open with the keys at hand; all others were copied.
    """
    copied, after, refused = 0, 0, None
    while True:
        with get_sessions("system").begin() as session:
            bots = session.execute(text(_OF_OLDER_CODE), {"after": after, "batch": _BATCH}).all()
            for bot in bots:
                try:
                    copied += _copy(session, bot)
                except InputError as error:
                    refused = error
        if len(bots) < _BATCH:
            break
        after = bots[-1].id
    with get_sessions("system").begin() as session:
        session.execute(text(_DOORS))
    if refused is not None:
        raise refused
    return copied


def _copy(session: Session, bot: Row[Any]) -> int:
    older = {token_of(bot.telegram_id): bot.token_encrypted, webhook_of(bot.telegram_id): bot.webhook_secret_encrypted}
    opened = {name: open_sealed(SealedSecret(bot.id, name, bytes(sealed))) for name, sealed in older.items() if sealed}
    key = keyring().at_hand()[0]
    row = {"bot_id": bot.id, "customer_id": bot.customer_id, "key_id": key.id}
    rows = [row | {"name": name, "sealed": seal_with(key, bot.id, name, secret)} for name, secret in opened.items()]
    return sum(session.execute(text(_COPY), row).rowcount for row in rows)  # type: ignore[attr-defined]


def rotate() -> Rotated:
    """Bring every secret under the newest key, while everything runs.

    Raises:
        InputError: no key can be had, or what older code sealed does not open.
    """
    newest = keyring().newest()
    copy_older_secrets()
    engine = get_engine("system").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        resealed = 0
        # Once more after each pass that did something: others may have written meanwhile.
        while found := sum(_reseal_all(connection, newest, *table) for table in _TABLES):
            resealed += found
        emptied = 0
        while found := connection.execute(text(_EMPTY), {"batch": _BATCH}).rowcount:
            emptied += found
        counted = [text(_LEFT.format(table=table)) for table, _, _ in _TABLES]
        left = sum(connection.execute(query, {"newest": newest.id}).scalar_one() for query in counted)
    return Rotated(newest.id, resealed, emptied, left)


def _reseal_all(connection: Connection, newest: Key, table: str, owner: str, name: str | None) -> int:
    under_others, reseal = (text(one.format(table=table, owner=owner)) for one in (_UNDER_OTHERS, _RESEAL))
    resealed, last = 0, {"owner": 0, "name": ""}
    while rows := connection.execute(under_others, {"newest": newest.id, "batch": _BATCH, **last}).all():
        for row in rows:
            secret = SealedSecret(row.owner, name or row.name, bytes(row.sealed))
            resealed += _reseal(connection, reseal, newest, secret)
        last = {"owner": rows[-1].owner, "name": rows[-1].name}
    return resealed


def _reseal(connection: Connection, statement: TextClause, key: Key, secret: SealedSecret) -> int:
    """A transaction for each: nobody waits for a lock here, and none can be deadlocked with."""
    try:
        sealed = seal_with(key, secret.bot_id, secret.name, open_sealed(secret))
    except InputError as error:
        log.warning("secret_not_resealed", owner=secret.bot_id, name=secret.name.partition(":")[0], error=str(error))
        return 0
    row = {"owner": secret.bot_id, "before": secret.sealed, "sealed": sealed, "key_id": key.id}
    return connection.execute(statement, row).rowcount
