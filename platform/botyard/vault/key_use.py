"""Which keys the stored secrets need, and whether these are at hand. See docs/secrets.md."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from botyard.errors import InputError
from botyard.settings import get_settings
from botyard.vault.keys import keyring
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import KEY_ID_SQL, OLDER_KEY_ID, SealedSecret
from db.engine import DATABASE_TROUBLE, get_engine

_TRIED: Final = 200
_TABLES: Final = """
SELECT to_regclass('public.bots') IS NOT NULL, to_regclass('public.bot_secrets') IS NOT NULL,
       to_regclass('public.endpoint_secrets') IS NOT NULL
"""
_IN_BOTS: Final = """
SELECT id, 'token:' || telegram_id AS name, token_encrypted AS sealed FROM bots WHERE octet_length(token_encrypted) > 0
"""
_NOT_COPIED: Final = """
 AND NOT EXISTS (SELECT 1 FROM bot_secrets WHERE bot_id = bots.id AND name = 'token:' || bots.telegram_id)
"""
_OLDER_KEY: Final = f" UNION ALL SELECT bot_id, name, sealed FROM bot_secrets WHERE {KEY_ID_SQL} = '{OLDER_KEY_ID}'"  # noqa: S608


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How much depends on a key.

    Args:
        key_id: which one; `OLDER_KEY_ID` for what does not say so.
        secrets: how many it sealed; none for a key that nothing needs.
        at_hand: whether this process has it.
        newest: whether it seals from now on.
    """

    key_id: str
    secrets: int
    at_hand: bool
    newest: bool


def key_uses() -> list[KeyUse]:
    """Every key that is at hand or needed, the newest first.

    Raises:
        InputError: no keys can be had.
    """
    own = [key.id for key in keyring().at_hand()]
    with get_engine("system").connect() as connection:
        counted = _counted(connection, endpoints=True)
        in_bots = connection.execute(text(f"SELECT count(*) FROM ({_IN_BOTS}) AS older")).scalar_one()  # noqa: S608
        shut = _shut_older(connection, _IN_BOTS + _OLDER_KEY)
    older = counted.pop(OLDER_KEY_ID, 0) + in_bots
    uses = [KeyUse(key_id, counted.pop(key_id, 0), at_hand=True, newest=key_id == own[0]) for key_id in own]
    uses += [KeyUse(key_id, count, at_hand=False, newest=False) for key_id, count in counted.items()]
    return uses + ([KeyUse(OLDER_KEY_ID, older, at_hand=shut is None, newest=False)] if older else [])


def check_keys() -> None:
    """Refuse to work with keys that do not open what is stored; changes nothing.

    A database that is away, or that has no tables yet, is no reason to refuse.

    Raises:
        InputError: a key is missing that stored secrets need; it is named, and so are those at hand.
    """
    if get_settings().database_system_url is None:
        return
    engine = get_engine("system")
    try:
        with engine.connect() as connection:
            bots, secrets, endpoints = connection.execute(text(_TABLES)).one()
            counted = _counted(connection, endpoints=endpoints) if secrets else {}
            older = _IN_BOTS + _NOT_COPIED + _OLDER_KEY if secrets else _IN_BOTS
            shut = _shut_older(connection, older) if bots else None
    except DATABASE_TROUBLE:
        return
    finally:
        # A worker forks behind this.
        engine.dispose()
    counted.pop(OLDER_KEY_ID, None)
    missing = {key_id: count for key_id, count in counted.items() if keyring().find(key_id) is None}
    if missing:
        raise _refused(missing)
    if shut is not None:
        raise shut


def _counted(connection: Connection, *, endpoints: bool) -> dict[str, int]:
    """How many secrets each key has sealed; before its migration there is no table of endpoints' secrets."""
    every = f"SELECT {KEY_ID_SQL} AS id FROM bot_secrets"  # noqa: S608
    if endpoints:
        every += f" UNION ALL SELECT {KEY_ID_SQL} FROM endpoint_secrets"  # noqa: S608
    query = text(f"SELECT id, count(*) FROM ({every}) AS every GROUP BY id ORDER BY id")  # noqa: S608
    return {row.id: row[1] for row in connection.execute(query)}


def _shut_older(connection: Connection, older: str) -> InputError | None:
    """Why something that older code sealed does not open; nothing if all opens that is tried."""
    query = text(f"SELECT id, name, sealed FROM ({older}) AS older ORDER BY id LIMIT {_TRIED}")  # noqa: S608
    for bot_id, name, sealed in connection.execute(query):
        try:
            open_sealed(SealedSecret(bot_id, name, bytes(sealed)))
        except InputError as error:
            return error
    return None


def _refused(missing: dict[str, int]) -> InputError:
    named = " and ".join(f"key {key_id} ({count} secrets)" for key_id, count in missing.items())
    own = ", ".join(key.id for key in keyring().at_hand())
    return InputError(
        "SECRET_KEY",
        f"lacks {named}, with which stored secrets are sealed; at hand: {own}. Nothing was changed.",
        "Add it again, after the newest one.",
    )
