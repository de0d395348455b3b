"""PostgreSQL, Redis and the Bot API, as `botyard doctor` looks at them: each on a connection of its own."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import psycopg2
from alembic.script import ScriptDirectory
from psycopg2.extensions import cursor
from redis import Redis
from redis.exceptions import RedisError

from botyard.checks.finding import Finding
from botyard.checks.machine import clock_finding
from botyard.errors import InputError
from botyard.mailbox.server import check_server
from botyard.settings import Settings
from botyard.telemetry.redaction import redact
from db.migrate import configuration

_OLDEST_POSTGRES: Final = 150_000
_CONNECT_SECONDS: Final = 2
_HTTP_SECONDS: Final = 2.5
_NEAR_SECONDS: Final = 2.0
_FAR_SECONDS: Final = 10.0
_FULL: Final = 0.8
_START: Final = "Start it with `botyard run`, or set {} in the environment or in .env."
_ROLES: Final = {"DATABASE_SYSTEM_URL": "system", "DATABASE_URL": "application"}
_UNPROTECTED: Final = """
SELECT coalesce(string_agg(relname, ', '), '') FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
   AND NOT (relrowsecurity AND relforcerowsecurity)
"""


def postgres_findings(settings: Settings) -> list[Finding]:
    """Whether PostgreSQL can be reached as both roles, is new enough, migrated, and protects rows."""
    missing = [name for name in _ROLES if getattr(settings, name.lower()) is None]
    if missing:
        says = f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not set, and nothing runs here."
        return [Finding("PostgreSQL", "trouble", says, _START.format(missing[0]))]
    found: list[Finding] = []
    for name, role in _ROLES.items():
        try:
            with connected(settings.require(name.lower())) as statement:
                if role == "system":
                    found += [*_server(statement), *_migrations(statement)]
                found.append(_rights(statement, name, role))
        except psycopg2.Error as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            remedy = f"Is it running, is {name} right? `botyard migrate` prepares a new database."
            found.append(
                Finding("PostgreSQL", "trouble", f"It cannot be reached as {name}: {redact(lines[-1])}.", remedy)
            )
            break
    return found


@contextlib.contextmanager
def connected(url: str) -> Iterator[cursor]:
    """A cursor on a connection of its own, which is closed at the end of the block."""
    connection = psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS, options="-c statement_timeout=2s")
    try:
        connection.autocommit = True
        with connection.cursor() as statement:
            yield statement
    finally:
        connection.close()


def _one(statement: cursor, query: str) -> Any:
    statement.execute(query)
    ((value,),) = statement.fetchall()
    return value


def _server(statement: cursor) -> list[Finding]:
    version = int(_one(statement, "SELECT current_setting('server_version_num')"))
    shown = _one(statement, "SELECT current_setting('server_version')").split(" ")[0]
    began = time.time()
    theirs = float(_one(statement, "SELECT extract(epoch FROM clock_timestamp())"))
    clock = clock_finding("PostgreSQL", theirs, (began + time.time()) / 2, _NEAR_SECONDS)
    if version < _OLDEST_POSTGRES:
        return [Finding("PostgreSQL", "trouble", f"It is version {shown}.", "Use 15 or newer."), *clock]
    return [Finding("PostgreSQL", "ok", f"Version {shown} answers."), *clock]


def _migrations(statement: cursor) -> list[Finding]:
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    remedy = "Run `botyard migrate`."
    if _one(statement, "SELECT to_regclass('public.alembic_version')::text") is None:
        return [Finding("migrations", "trouble", "The database has no tables.", remedy)]
    present = _one(statement, "SELECT version_num FROM alembic_version")
    if present != head:
        says = f"The tables are at revision {present}, this version needs {head}."
        return [Finding("migrations", "trouble", says, remedy)]
    if unprotected := _one(statement, _UNPROTECTED):
        says = f"Row-level security is off for {unprotected}."
        return [Finding("migrations", "trouble", says, "ALTER TABLE … ENABLE and FORCE ROW LEVEL SECURITY.")]
    return [Finding("migrations", "ok", f"The tables are up to date ({head}), and row-level security is on for all.")]


def _rights(statement: cursor, name: str, role: str) -> Finding:
    statement.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ((user, superuser, bypasses),) = statement.fetchall()
    if superuser:
        return Finding("roles", "trouble", f"{name} is the superuser {user}.", f"ALTER ROLE {user} NOSUPERUSER")
    if role == "application" and bypasses:
        says = f"{name} is {user}, which sees every customer's rows."
        return Finding("roles", "trouble", says, f"ALTER ROLE {user} NOBYPASSRLS")
    if role == "system" and not bypasses:
        says = f"{name} is {user}, which row-level security hides all bots from."
        return Finding("roles", "trouble", says, f"ALTER ROLE {user} BYPASSRLS")
    return Finding("roles", "ok", f"The {role} role {user} has the rights it needs, and no more.")


def redis_findings(settings: Settings) -> list[Finding]:
    """Whether Redis can be reached, is new enough, keeps what it is given, and has room."""
    if settings.redis_url is None:
        says = "REDIS_URL is not set, and nothing runs here."
        return [Finding("Redis", "trouble", says, _START.format("REDIS_URL"))]
    url = settings.require("redis_url")
    try:
        with Redis.from_url(url, socket_timeout=_CONNECT_SECONDS, socket_connect_timeout=_CONNECT_SECONDS) as redis:
            info: Any = redis.info()
            began = time.time()
            seconds, micros = redis.time()
            ours = (began + time.time()) / 2
    except RedisError as error:
        remedy = "Is it running, is REDIS_URL right, also its password?"
        return [Finding("Redis", "trouble", f"It cannot be reached ({type(error).__name__}).", remedy)]
    return [*_keeps(info), *_memory(info), *clock_finding("Redis", seconds + micros / 1e6, ours, _NEAR_SECONDS)]


def _keeps(info: dict[str, Any]) -> list[Finding]:
    found = []
    try:
        # Without the file it only warns, in a log; here that is trouble, below.
        check_server({**info, "aof_enabled": 1})
    except InputError as error:
        found.append(Finding("Redis", "trouble", f"It {error.problem}", error.remedy))
    if str(info.get("aof_enabled", "0")) != "1":
        says = "It has no append-only file: its restart loses the updates that wait in it."
        found.append(Finding("Redis", "trouble", says, "Set appendonly yes."))
    elif info.get("aof_last_write_status", "ok") != "ok":
        found.append(Finding("Redis", "trouble", "It cannot write its append-only file.", "Look at its disk."))
    version = info.get("valkey_version") or info.get("redis_version")
    name = "Valkey" if info.get("valkey_version") else "Redis"
    return found or [Finding("Redis", "ok", f"{name} {version} answers, keeps an append-only file and evicts nothing.")]


def _memory(info: dict[str, Any]) -> list[Finding]:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    share = used / most if most else 0.0
    limit = f"of {most / 1e6:.0f} MB" if most else "and is limited by the machine only"
    says = f"It uses {used / 1e6:.0f} MB {limit}."
    remedy = "Raise maxmemory: a full Redis refuses updates, and webhooks answer 503." if share > _FULL else ""
    return [Finding("Redis memory", "trouble" if share > _FULL else "ok", says, remedy)]


def api_findings(settings: Settings) -> list[Finding]:
    """Whether each Bot API that a bot uses answers, and how its clock stands."""
    used = _apis_in_use(settings)
    return [
        finding
        for address in sorted(used or {settings.api_url})[:5]
        for finding in asyncio.run(_ask(address, in_use=bool(used)))
    ]


def _apis_in_use(settings: Settings) -> set[str]:
    if settings.database_system_url is None:
        return set()
    try:
        with connected(settings.require("database_system_url")) as statement:
            statement.execute("SELECT DISTINCT api_url FROM bots LIMIT 100")
            return {address for (address,) in statement.fetchall()}
    except psycopg2.Error:
        return set()  # which is a finding of its own


async def _ask(address: str, *, in_use: bool) -> list[Finding]:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    began = time.time()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HTTP_SECONDS)) as session,
            session.head(f"{parts.scheme}://{host}/", allow_redirects=False) as answer,
        ):
            shown = answer.headers.get("Date", "")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        remedy = "Look at this machine's connection, name server and proxy; updates and sends wait, nothing is lost."
        says = f"{host} cannot be reached ({type(error).__name__})." + ("" if in_use else " No bot needs it yet.")
        return [Finding("Bot API", "trouble" if in_use else "warning", says, remedy)]
    found = [Finding("Bot API", "ok", f"{host} answers.")]
    with contextlib.suppress(TypeError, ValueError):
        # The header counts whole seconds, and may have been written by a proxy on the way.
        theirs = parsedate_to_datetime(shown).timestamp()
        found += clock_finding(host, theirs, (began + time.time()) / 2, _FAR_SECONDS)
    return found
