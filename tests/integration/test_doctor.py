"""What the doctor says of servers that are not as they should be."""

import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web

from botyard.checks.doctor import examine
from botyard.checks.finding import Finding, age, lasting, look, look_at_all, within
from botyard.checks.keys import key_findings
from botyard.checks.machine import clock_finding, readable_settings, state_findings
from botyard.checks.servers import _ask, _keeps, _memory, postgres_findings, redis_findings
from botyard.errors import InputError
from botyard.running.attached import attach, note_environment
from botyard.settings import Settings, read_settings
from botyard.supervisor import StateFolder
from tests.factories import make_bot
from tests.services import Services, environment

FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def troubles(found: list[Finding]) -> list[str]:
    return [finding.says for finding in found if finding.state == "trouble"]


def changed(settings: Settings, **values: Any) -> Settings:
    return Settings(**{name: getattr(settings, name) for name in Settings.model_fields} | values)


def test_servers_that_are_as_they_should_be_are_no_trouble(settings: Settings) -> None:
    make_bot()
    found = [*postgres_findings(settings), *redis_findings(settings), *key_findings(settings)]
    assert troubles(found) == []
    assert {finding.check for finding in found} == {
        "PostgreSQL", "migrations", "roles", "clock", "Redis", "Redis memory", "SECRET_KEY",
    }  # fmt: skip


def test_roles_with_too_many_or_too_few_rights_are_named(services: Services, settings: Settings) -> None:
    swapped = changed(settings, database_url=settings.database_system_url, database_system_url=settings.database_url)
    assert [says.split(", which")[1] for says in troubles(postgres_findings(swapped))] == [
        " row-level security hides all bots from.", " sees every customer's rows.",
    ]  # fmt: skip
    root = changed(settings, database_url=services.postgres_url.rsplit("/", 1)[0] + "/botyard")
    assert "is the superuser" in troubles(postgres_findings(root))[0]


def test_tables_of_another_version_and_without_protection_are_named(services: Services, settings: Settings) -> None:
    try:
        services.superuser("UPDATE alembic_version SET version_num = '0000'")
        (says,) = troubles(postgres_findings(settings))
        assert says.startswith("The tables are at revision 0000, this version needs 0")
    finally:
        services.superuser(f"UPDATE alembic_version SET version_num = '{_head()}'")  # noqa: S608
    try:
        services.superuser("ALTER TABLE messages DISABLE ROW LEVEL SECURITY")
        assert troubles(postgres_findings(settings)) == ["Row-level security is off for messages."]
    finally:
        services.superuser("ALTER TABLE messages ENABLE ROW LEVEL SECURITY")
    empty = changed(settings, database_system_url=services.postgres_url, database_url=services.postgres_url)
    assert "The database has no tables." in troubles(postgres_findings(empty))


def _head() -> str:
    from alembic.script import ScriptDirectory

    from db.migrate import configuration

    return str(ScriptDirectory.from_config(configuration()).get_current_head())


def test_a_wrong_password_is_named_without_the_password(settings: Settings) -> None:
    url = settings.require("database_system_url").replace("system-password", "secret-guess")
    (says,) = troubles(postgres_findings(changed(settings, database_system_url=url)))
    assert "password authentication failed" in says
    assert "secret-guess" not in says


def test_a_key_that_does_not_open_the_stored_tokens_is_named_with_the_bots(services: Services) -> None:
    make_bot(4_200_000_005)
    with environment({**services.environment, "SECRET_KEY": FERNET}):
        (says,) = troubles(key_findings(Settings()))
    assert says == "It does not open the tokens of @test_bot."


def test_a_bad_setting_elsewhere_is_not_taken_for_a_wrong_key(services: Services) -> None:
    make_bot(4_200_000_006)
    with environment({**services.environment, "LOG_LEVEL": "verbose"}):
        settings, _ = readable_settings()
        assert settings is not None
        assert [finding.state for finding in key_findings(settings)] == ["ok"]


def test_a_bad_setting_does_not_hide_the_servers_of_what_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "DATABASE_SYSTEM_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with environment({"STATE_DIR": str(tmp_path / "state"), "LOG_LEVEL": "verbose"}):
        with StateFolder(tmp_path / "state") as folder:
            note_environment(folder.path, {"REDIS_URL": "redis://127.0.0.1:1/0"})
            found = examine(attach)
        monkeypatch.delenv("REDIS_URL")
    (redis_finding,) = [finding for finding in found if finding.check == "Redis"]
    assert redis_finding.says == "It cannot be reached (ConnectionError)."
    assert "LOG_LEVEL" in troubles(found)[0]


def test_an_env_file_that_is_no_utf_8_is_named_and_everything_else_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes("FLOWER_USER=Jürgen".encode("latin-1"))
    with pytest.raises(InputError, match=r"is not UTF-8 \(at byte 13\)\. Save it as UTF-8"):
        read_settings()
    settings, found = readable_settings()
    assert settings is not None
    assert troubles(found) == [".env is not UTF-8 (at byte 13). Nothing of it was taken."]
    (tmp_path / ".env").write_text("FLOWER_USER=Jo\n")
    assert [finding.state for finding in readable_settings()[1]] == ["ok"]


def test_a_redis_that_would_lose_updates_is_trouble(settings: Settings, valkey: "redis.Redis") -> None:
    valkey.config_set("maxmemory-policy", "allkeys-lru")
    valkey.config_set("appendonly", "no")
    try:
        says = troubles(redis_findings(settings))
    finally:
        valkey.config_set("maxmemory-policy", "noeviction")
        valkey.config_set("appendonly", "yes")
    assert [word in says[place] for place, word in enumerate(("evicts keys", "no append-only file"))] == [True, True]
    assert "is a Redis 6.2" in troubles(_keeps({"redis_version": "6.2.1", "aof_enabled": 1}))[0]
    assert troubles(_memory({"used_memory": 90_000_000, "maxmemory": 100_000_000})) == ["It uses 90 MB of 100 MB."]
    away = changed(settings, redis_url="redis://:hidden@127.0.0.1:1/0")
    assert troubles(redis_findings(away)) == ["It cannot be reached (ConnectionError)."]


@pytest.mark.parametrize(("ahead", "says"), [(0, []), (3700, ["1 hour behind"]), (-90, ["1 minute ahead of"])])
async def test_the_clock_is_held_against_the_bot_apis(ahead: int, says: list[str]) -> None:
    async def answer(_: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
        return web.Response(status=404, headers={"Date": date})

    application = web.Application()
    application.router.add_route("*", "/", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found = await _ask(f"http://127.0.0.1:{runner.addresses[0][1]}", in_use=True)
    finally:
        await runner.cleanup()
    assert [words.split("clock is ")[1].split(" that")[0] for words in troubles(found)] == says


def test_every_bad_setting_is_named_and_no_value_repeated(services: Services) -> None:
    bad = {"WEB_PORT": "banana", "SECRET_KEY": "no-key", "DURABILITY": "none"}
    with environment({**services.environment, **bad}):
        settings, found = readable_settings()
    assert settings is not None
    assert {finding.says.split(":")[0] for finding in found} == set(bad)
    assert [value for value in bad.values() if value in repr(found) and value != "none"] == []


def test_secrets_that_others_can_read_are_trouble(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert troubles(state_findings(state)) == []
    state.mkdir(mode=0o755)
    (state / "secrets.json").touch(mode=0o644)
    remedies = [finding.remedy for finding in state_findings(state) if finding.state == "trouble"]
    assert remedies == [f"chmod 700 {state}", f"chmod 600 {state / 'secrets.json'}"]


def test_a_check_that_hangs_or_breaks_is_a_finding_and_holds_up_no_other() -> None:
    def hang() -> list[Finding]:
        time.sleep(30)
        return []

    def fall() -> list[Finding]:
        raise RuntimeError("secret")

    began = time.monotonic()
    found = look_at_all([("a", hang, "mend"), ("b", fall, ""), ("c", lambda: [Finding("c", "ok", "Well.")], "")])
    assert time.monotonic() - began < 5
    assert [(finding.check, finding.state) for finding in found] == [("a", "trouble"), ("b", "trouble"), ("c", "ok")]
    assert found[0].remedy == "mend"
    assert found[1].says == "This could not be found out (RuntimeError)."
    with pytest.raises(TimeoutError):
        within(lambda: time.sleep(5), 0.01)
    assert look("d", list, "") == []
    assert look("e", sys.exit, "")[0].says == "This could not be found out (SystemExit)."


def test_times_are_said_in_words() -> None:
    assert [lasting(seconds) for seconds in (0.4, 1, 59, 60, 7200, 90_000)] == [
        "0 seconds", "1 second", "59 seconds", "1 minute", "2 hours", "1 day",
    ]  # fmt: skip
    assert age(time.time() - 120) == "2 minutes ago"
    assert [finding.state for finding in clock_finding("x", 10.0, 11.0, 2.0)] == ["ok"]
