from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from botyard.errors import InputError
from botyard.settings import Settings, read_settings

SECRET = "hunter2-do-not-repeat"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from outside the test, and no .env either."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_a_setting_everything_has_its_default() -> None:
    settings = read_settings()
    assert (settings.lease_seconds, settings.max_attempts, settings.share) == (9.0, 3, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_PORT", SECRET),
        ("WEB_PORT", "0"),
        ("WEB_PORT", "70000"),
        ("DURABILITY", SECRET),
        ("LOG_LEVEL", "LOUD"),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "nan"),
        ("LEASE_SECONDS", "inf"),
        ("SLICE_SECONDS", "inf"),
        ("LIMIT_BULK_PER_SECOND", "0"),
        ("MAX_ATTEMPTS", "2.5"),
        ("SECRET_KEY", SECRET),
        ("SECRET_KEY", f"{SECRET},"),
        ("SECRET_KEY", "ä" * 44),
    ],
)
def test_a_bad_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as refused:
        read_settings()
    assert refused.value.field == name
    assert len(value) < 3 or value not in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__, "the library's own error repeats the value"


def test_a_bad_key_among_good_ones_is_refused_without_showing_any(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Fernet.generate_key().decode()
    monkeypatch.setenv("SECRET_KEY", f"{good}, {SECRET}")
    with pytest.raises(InputError) as refused:
        read_settings()
    assert good not in str(refused.value)
    assert "botyard keys generate" in str(refused.value)


def test_several_keys_are_accepted_with_spaces_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", f"{Fernet.generate_key().decode()}, {Fernet.generate_key().decode()}")
    assert read_settings().secret_key is not None


def test_a_ticket_that_dies_before_the_lease_it_works_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "9")
    monkeypatch.setenv("TICKET_RUNNING_SECONDS", "8")
    with pytest.raises(InputError, match="TICKET_RUNNING_SECONDS must not be shorter than LEASE_SECONDS"):
        read_settings()


@pytest.mark.parametrize("name", ["WEB_PORT", "SECRET_KEY", "REDIS_URL", "LOG_LEVEL", "STATE_DIR", "LEASE_SECONDS"])
def test_an_empty_line_means_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert getattr(read_settings(), name.lower()) == Settings.model_fields[name.lower()].default


def test_a_file_of_settings_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEB_PORT=9000\nSHARE=3\nUNRELATED=1\nREDIS_URL=\n")
    monkeypatch.setenv("SHARE", "4")
    settings = read_settings()
    assert (settings.web_port, settings.share, settings.redis_url) == (9000, 4, None)


def test_what_a_process_cannot_do_without_is_asked_for_by_name() -> None:
    with pytest.raises(InputError, match="REDIS_URL: is not set"):
        read_settings().require("redis_url")


def test_no_representation_of_the_settings_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_OWNER_URL", "REDIS_URL", "METRICS_TOKEN", "SENTRY_DSN",
               "FLOWER_PASSWORD")  # fmt: skip
    for name in secrets:
        monkeypatch.setenv(name, f"scheme://user:{SECRET}@host")
    settings = read_settings()
    for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in text
    assert SECRET in settings.require("redis_url")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://bots.example.org", "must begin with https://"),
        ("bots.example.org", "is not an address"),
        ("https://", "is not an address"),
        ("https://bots.example.org/hook", "Botyard adds the path itself"),
        ("https://bots.example.org?x=1", "Botyard adds the path itself"),
        ("https://me:secret@bots.example.org", "Botyard adds the path itself"),
        ("https://bots.example.org:8080", "has port 8080, and Telegram calls only 443, 80, 88 and 8443"),
        ("https://bots.example.org:x", "is not an address"),
        ("http://127.0.0.1:8080", "must begin with https://"),
    ],
)
def test_a_public_url_that_telegram_would_not_call_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)
    with pytest.raises(InputError) as refused:
        read_settings()
    assert refused.value.field == "PUBLIC_URL"
    assert words in refused.value.problem


@pytest.mark.parametrize(
    "url", ["https://bots.example.org", "https://bots.example.org/", "https://bots.example.org:8443"]
)
def test_a_public_url_that_telegram_calls_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)
    assert read_settings().public_url == url


def test_the_simulator_on_this_machine_may_call_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("API_URL", "http://127.0.0.1:8081")
    assert read_settings().public_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, None),
        ({"WEBHOOK_BASE_URL": "https://bots.example.org"}, "https://bots.example.org"),
        ({"WEBHOOK_BASE_URL": "http://127.0.0.1:8080"}, None),
        ({"WEBHOOK_BASE_URL": "http://127.0.0.1:8080", "API_URL": "http://127.0.0.1:9000"}, None),
        ({"WEBHOOK_BASE_URL": "http://127.0.0.1:8080", "API_URL": "http://localhost:8081"}, "http://127.0.0.1:8080"),
        (
            {"WEBHOOK_BASE_URL": "http://127.0.0.1:8080", "PUBLIC_URL": "https://bots.example.org"},
            "https://bots.example.org",
        ),
    ],
)
def test_a_loopback_is_the_address_of_the_webhook_for_our_own_simulator_only(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], address: str | None
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert read_settings().webhook_address == address
