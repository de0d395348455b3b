"""Connections to PostgreSQL, one pool per role and process. Importing this module connects to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, Literal, cast

import psycopg2
from psycopg2.extensions import cursor
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

from botyard.settings import get_settings
from db.changes import YardSession

Role = Literal["application", "statements", "system", "owner"]

_SETTING: dict[Role, str] = {
    "application": "database_url",
    "statements": "database_url",
    "system": "database_system_url",
    "owner": "database_owner_url",
}
# Server-side limits, all shorter than a lease: a stalled owner must not keep the next one waiting at a row lock.
_LIMITS = "-c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=5s"


# Statements of every update are planned for any parameters; compiling them would take longer than running them.
_PLANS = " -c plan_cache_mode=force_generic_plan -c jit=off"
_OPTIONS: dict[Role, str] = {
    "application": _LIMITS, "statements": _LIMITS + _PLANS, "system": _LIMITS, "owner": "",
}  # fmt: skip

_CONNECT: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "application_name": "botyard",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

DATABASE_TROUBLE: Final = (psycopg2.Error, DBAPIError, PoolTimeout)
"""What a database raises that is away, busy or broken."""

_made: list[Engine] = []


@lru_cache(maxsize=4)
def get_engine(role: Role) -> Engine:
    """The engine of a role; each process has its own, made at the first call.

    ``application`` is subject to row-level security: say whose rows are meant with
    ``set_config('app.tenant', …, true)`` in each transaction. ``statements`` is the same role in autocommit mode, for
    statements that are a whole transaction in one round trip; those of every update have connections of their own
    (`db.prepared`). ``system`` sees every customer.

    Raises:
        InputError: the role's address is not set.
    """
    settings = get_settings()
    engine = create_engine(
        # Addresses are written as libpq's postgresql://; the driver is ours to name.
        make_url(settings.require(_SETTING[role])).set(drivername="postgresql+psycopg2"),
        isolation_level="AUTOCOMMIT" if role == "statements" else "READ COMMITTED",
        # Statements go into logs and reports with their errors; what they carry is people's.
        hide_parameters=True,
        pool_size=settings.database_pool_size,
        max_overflow=2,
        pool_timeout=5,
        # The one that was used last: it knows the plans, and its server process is warm.
        pool_use_lifo=True,
        # One round trip more, but not on the path of every update, where a broken connection is handled.
        pool_pre_ping=role != "statements",
        pool_recycle=1800,
        connect_args=_CONNECT | {"options": _OPTIONS[role]},
    )
    _made.append(engine)
    return engine


@lru_cache(maxsize=4)
def get_sessions(role: Role) -> sessionmaker[YardSession]:
    """The session factory of a role. Only area services open transactions.

    What its sessions change is recorded, and told after the commit (`db.changes`).
    """
    return sessionmaker(get_engine(role), class_=YardSession, expire_on_commit=False)


def connect_arguments(role: Role) -> dict[str, Any]:
    """What the driver is told for a connection of this role that is not the engine's."""
    engine = get_engine(role)
    _, address = engine.dialect.create_connect_args(engine.url)
    return {**address, **_CONNECT, "options": _OPTIONS[role]}


@contextmanager
def one_statement() -> Iterator[cursor]:
    """A driver's cursor for statements that are a whole transaction in one round trip.

    The driver and not SQLAlchemy's connection: its bookkeeping costs more than the statement's own Python.
    """
    pooled = get_engine("statements").raw_connection()
    try:
        yield cast("cursor", pooled.cursor())
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        # A restarted server leaves a pool full of dead connections: none of them is tried again.
        pooled.invalidate()
        get_engine("statements").dispose()
        raise
    finally:
        pooled.close()


def storable(text: str) -> str:
    """A text as PostgreSQL can keep it: without NUL, and without halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def is_reachable() -> bool:
    """Whether PostgreSQL answers on a fresh connection."""
    probe = create_engine(get_engine("statements").url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with probe.connect() as fresh:
            fresh.exec_driver_sql("SELECT 1")
    except DBAPIError:
        return False
    return True


def forget_connections() -> None:
    """Drop inherited engines without closing their sockets: called in a child after a fork."""
    for engine in _made:
        engine.dispose(close=False)
    _made.clear()
    get_engine.cache_clear()
    get_sessions.cache_clear()
