"""A real PostgreSQL and a real Valkey for one test session, in a folder of their own, stopped by their own ids."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet
from redis import Redis
from sqlalchemy import Engine, create_engine, make_url

from botyard.embedded import PostgresServer, ValkeyServer, free_port
from botyard.settings import get_settings
from botyard.sync import get_sync
from db.engine import DATABASE_TROUBLE, one_statement
from tests.queues import empty_rabbitmq
from tests.rabbitmq import fresh_broker

ROOT = Path(__file__).parent.parent
PASSWORD = "not-a-secret"  # of throw-away servers on the loopback
_READY_SECONDS = 60
_STOP_SECONDS = 20
# Truncating every table takes a tenth of a second, and most tests touch a few. What became large is truncated all the
# same: rows that were deleted stay where they were, and some tests count what is read.
_EMPTY = """
DO $$ DECLARE one record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR one IN SELECT tablename AS name FROM pg_tables
              WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'customers') LOOP
    IF pg_relation_size(one.name::regclass) > 65536 THEN
      EXECUTE format('TRUNCATE %I CASCADE', one.name);
    ELSIF pg_relation_size(one.name::regclass) > 0 THEN
      EXECUTE format('DELETE FROM %I', one.name);
    END IF;
  END LOOP;
  PERFORM setval(format('%I', sequencename)::regclass, start_value, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL
      AND sequencename NOT IN ('customers_id_seq', 'internal_update_ids');
  SET LOCAL session_replication_role = origin;
  DELETE FROM customers WHERE id <> 1;
  UPDATE customers SET name = 'Default', username = 'default', status = 'active', version = 1;
END $$
"""

Server = PostgresServer | ValkeyServer


@dataclass(frozen=True)
class Services:
    """The running servers, and what a process needs in its environment to use them."""

    environment: dict[str, str] = field(repr=False)
    postgres_url: str
    """The superuser, in the database ``postgres``: for what no role of the product may do."""
    redis_url: str

    @property
    def owner_url(self) -> str:
        return self.environment["DATABASE_OWNER_URL"]

    @cached_property
    def _lasting(self) -> Engine:
        """The superuser's connections that stay: what a new one does first takes longer than most statements."""
        url = make_url(self.postgres_url).set(drivername="postgresql+psycopg2", database="botyard")
        return create_engine(url, pool_pre_ping=True, max_overflow=-1)

    def superuser(self, *statements: str, database: str = "") -> list[tuple[Any, ...]]:
        """Run statements as the superuser, who is under no policy; the rows of the last one.

        Args:
            statements: SQL; settings that they make last no longer than this call.
            database: another one than ``botyard``.
        """
        if database or any(statement.startswith("SET ") for statement in statements):
            with contextlib.closing(
                psycopg2.connect(f"{self.postgres_url.rsplit('/', 1)[0]}/{database or 'botyard'}")
            ) as connection:
                return _executed(connection, statements)
        pooled = self._lasting.raw_connection()
        try:
            return _executed(pooled.driver_connection, statements)
        finally:
            pooled.close()

    def empty(self) -> None:
        """Forget everything but the customers and the tables."""
        self.superuser(_EMPTY)
        with Redis.from_url(self.redis_url) as redis:
            redis.flushall()
        empty_rabbitmq()
        get_sync.cache_clear()
        # An earlier test may have cut the connections of this process: the first one to notice drops them all.
        with contextlib.suppress(*DATABASE_TROUBLE), one_statement() as cursor:
            cursor.execute("SELECT 1")

    def tell_everybody(self) -> None:
        """Let every process read everything anew, after a change that told nobody."""
        get_sync().publish("resync", {})


def _executed(connection: Any, statements: Iterable[str]) -> list[tuple[Any, ...]]:
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def serving(server: Server, log: Path, *options: str) -> Iterator[None]:
    """Run a server as a direct child, with more options, until the end of the block."""
    environment = os.environ | server.environment()
    server.initialise()
    with log.open("ab") as stream:
        process = subprocess.Popen([*server.command(), *options], env=environment, stdout=stream, stderr=stream)
    try:
        server.wait_ready(_READY_SECONDS)
        yield
    finally:
        process.send_signal(server.stop_signal)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def start() -> Iterator[Services]:
    """Both servers with a migrated database, in the environment of this process until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="botyard-tests-"))
    try:
        postgres = PostgresServer(folder / "postgres", free_port(), password=PASSWORD)
        valkey = ValkeyServer(folder / "valkey", free_port(), password=PASSWORD)
        # No machine loses its power here, and a killed server loses nothing by it.
        hasty = ("-c", "fsync=off")
        with serving(postgres, folder / "postgres.log", *hasty), serving(valkey, folder / "valkey.log"):
            services = Services(_environment(postgres, valkey, folder), postgres.superuser_url, valkey.url)
            make_database(services, "botyard")
            with environment(services.environment):
                migrate("head")
                yield services
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(postgres: PostgresServer, valkey: ValkeyServer, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres.url("botyard_app", "app'%s:/", "botyard"),
        "DATABASE_SYSTEM_URL": postgres.url("botyard_system", "system-password", "botyard"),
        "DATABASE_OWNER_URL": postgres.url("botyard_owner", "owner-password", "botyard"),
        "REDIS_URL": valkey.url,
        "SECRET_KEY": Fernet.generate_key().decode(),
        "STATE_DIR": str(folder / "state"),
        "ENVIRONMENT": "development",
        "SENTRY_DSN": "",
        "WEBHOOK_BASE_URL": "",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
        # All tests ask from one address; those of the quotas set their own.
        "API_RATE_ANONYMOUS": "0",
        **fresh_broker(),
    }


def make_database(services: Services, name: str) -> None:
    """An empty database, and the role that will own its tables; no superuser, as on a managed server."""
    if not services.superuser("SELECT 1 FROM pg_roles WHERE rolname = 'botyard_owner'", database="postgres"):
        services.superuser(
            "CREATE ROLE botyard_owner LOGIN CREATEROLE BYPASSRLS PASSWORD 'owner-password'", database="postgres"
        )
    services.superuser(f"CREATE DATABASE {name} OWNER botyard_owner", database="postgres")


def migrate(revision: str, *, down: bool = False) -> None:
    """Bring the database of the environment to a revision."""
    configuration = alembic_configuration()
    (command.downgrade if down else command.upgrade)(configuration, revision)


def alembic_configuration() -> Config:
    """Alembic as the project configures it, from any working directory."""
    configuration = Config(str(ROOT / "alembic.ini"))
    configuration.set_main_option("script_location", str(ROOT / "db/migrations"))
    return configuration


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The process' environment with these values, and whatever was read from the old one forgotten."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    forget()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget()


def forget() -> None:
    """Close the pools and clear the caches that came from the environment."""
    from botyard.vault import keys
    from db import engine

    for made in engine._made:
        made.dispose()
    engine._made.clear()
    engine.get_engine.cache_clear()
    engine.get_sessions.cache_clear()
    keys.keyring.cache_clear()
    get_settings.cache_clear()
    get_sync.cache_clear()
    sys.modules.pop("celeryconfig", None)
