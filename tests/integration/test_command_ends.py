"""How commands end when a database says no, and what they say of times: one line, the right exit code, UTC."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from typer.testing import CliRunner

from botyard import cli
from botyard.commands import bot
from botyard.commands.output import show_json
from botyard.settings import get_settings
from db.engine import get_engine
from tests.factories import make_bot
from tests.services import Services


def ended(monkeypatch: pytest.MonkeyPatch, command: Callable[[], None]) -> int:
    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def statement(query: str, **values: str) -> Callable[[], None]:
    def command() -> None:
        with get_engine("system").begin() as connection:
            connection.execute(text(query), values)

    return command


@pytest.mark.parametrize("query", ["SELECT * FROM no_such_table", "SELECT no_such_column FROM bots"])
def test_tables_of_another_version_are_to_be_migrated(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    assert services
    assert ended(monkeypatch, statement(query)) == 1
    said = capsys.readouterr().err
    assert said == "botyard: the tables of the database are not up to date. Run `botyard migrate`.\n"


def test_a_statement_that_takes_too_long_is_not_a_database_that_is_away(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert services
    slow = "SELECT set_config('statement_timeout', '10ms', true); SELECT pg_sleep(5)"
    assert ended(monkeypatch, statement(slow)) == 3
    assert "did not get it done in time" in capsys.readouterr().err


def test_a_pool_without_a_free_connection_is_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise PoolTimeout

    assert ended(monkeypatch, command) == 3
    assert "PostgreSQL cannot be reached (TimeoutError)" in capsys.readouterr().err


def test_what_no_server_says_goes_on_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_the_error_of_a_statement_does_not_repeat_its_values(services: Services) -> None:
    assert services
    with pytest.raises(DataError, match="division by zero") as error:
        statement("SELECT 1 / length(:it) - length(:it) / 0", it="a sealed token")()
    assert "a sealed token" not in str(error.value)


def test_times_in_json_are_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    show_json(datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=1))))
    assert capsys.readouterr().out == '"2026-03-01T13:00:00+00:00"\n'


def test_a_password_in_the_address_of_a_bots_api_is_not_shown(
    clean: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean
    made = make_bot(api_url="https://me:hidden@bots.example.org")
    monkeypatch.setattr(bot, "attached", get_settings)
    bot.show_bot(str(made.id), as_json=True)
    assert json.loads(capsys.readouterr().out)["api_url"] == "https://me:***@bots.example.org"


def test_a_queue_that_does_not_exist_is_wrong_use() -> None:
    assert CliRunner().invoke(cli.app, ["bot", "add", "--queue", "fast"]).exit_code == 2


def test_our_own_postgres_keeps_its_clock_and_its_log_in_utc_wherever_the_machine_is(services: Services) -> None:
    zones = "SELECT name, setting, source FROM pg_settings WHERE name IN ('TimeZone', 'log_timezone') ORDER BY name"
    assert services.superuser(zones) == [("TimeZone", "UTC", "command line"), ("log_timezone", "UTC", "command line")]
