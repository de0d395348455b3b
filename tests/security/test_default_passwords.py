"""There are no passwords, keys or people that every installation has in common."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, table, text

from botyard.accounts import invitations, passwords
from botyard.accounts.invitations import first_link
from botyard.accounts.people import add_superadmin, is_anybody_there, person_and_places
from botyard.errors import InputError
from botyard.settings import Settings, read_settings
from db.engine import get_engine
from tests.integration.api.people import PASSWORD, add_person
from tests.services import Services, environment, make_database, migrate

ROOT = Path(__file__).parents[2]
GOOD_KEY = "x7dL2k1lQ0m3bqk9YxTq3H0mJrP5u8w2Zc4v6n8B1d0="


@pytest.fixture
def fresh(services: Services) -> Iterator[None]:
    """A database that was just made, as a first start finds it."""
    make_database(services, "fresh")
    names = ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_OWNER_URL")
    urls = {
        name: make_url(os.environ[name]).set(database="fresh").render_as_string(hide_password=False) for name in names
    }
    with environment(urls):
        migrate("head")
        yield


@pytest.mark.usefixtures("fresh")
def test_a_fresh_installation_has_nobody_and_nothing_that_lets_anybody_in() -> None:
    with get_engine("owner").connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        held = {name for name in tables if connection.execute(select(func.count()).select_from(table(name))).scalar()}
    assert {"people", "access_tokens", "sign_ins", "invitations", "bot_secrets"} <= set(tables)
    assert held == {"alembic_version", "customers"}
    assert not is_anybody_there()


def test_the_first_link_is_random_kept_as_a_digest_and_valid_for_a_quarter_of_an_hour(clean: Services) -> None:
    links = [first_link(), first_link()]
    assert all(links)
    codes = [one.code for one in links if one]
    assert codes[0] != codes[1]
    assert all(re.fullmatch(r"by_link_[0-9A-Za-z]{43}", code) for code in codes)
    rows = clean.superuser("SELECT invitations::text, expires_at FROM invitations")
    assert len(rows) == 1, "the earlier one is gone"
    assert codes[1] not in rows[0][0]
    assert timedelta(minutes=14) < rows[0][1] - datetime.now(UTC) <= timedelta(minutes=15)
    with pytest.raises(InputError, match="not valid"):
        invitations.invited_by(codes[0])


def test_the_first_link_makes_one_superadmin_and_there_is_no_second_one(clean: Services) -> None:
    del clean
    link = first_link()
    assert link is not None
    begun = invitations.redeem(link.code, "anna", PASSWORD, address="192.0.2.1", device=None)
    person, places = person_and_places(begun.person_id)
    assert (person.name, person.superadmin, places) == ("anna", True, [])
    assert first_link() is None
    with pytest.raises(InputError, match="not valid"):
        invitations.redeem(link.code, "mallory", PASSWORD, address="192.0.2.1", device=None)


def test_a_first_link_is_worth_nothing_once_there_is_somebody(clean: Services) -> None:
    del clean
    link = first_link()
    assert link is not None
    add_person("anna")
    for use in (
        lambda: invitations.invited_by(link.code),
        lambda: invitations.redeem(link.code, "mallory", PASSWORD, address="192.0.2.1", device=None),
    ):
        with pytest.raises(InputError, match="not valid"):
            use()


def test_who_was_the_first_meanwhile_stays_the_only_one(clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    del clean
    link, real = first_link(), passwords.hash_password

    def hashed_slowly(password: str) -> str:
        add_person("anna")
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", hashed_slowly)
    assert link is not None
    with pytest.raises(InputError, match="not valid"):
        invitations.redeem(link.code, "mallory", PASSWORD, address="192.0.2.1", device=None)


def test_a_superadmin_of_the_command_line_has_no_easy_password_either(clean: Services) -> None:
    del clean
    for password in ("", "admin", "adminadminadmin", "changeme1234"):
        with pytest.raises(InputError) as refused:
            add_superadmin("admin", password)
        assert refused.value.field == "password"
    assert not is_anybody_there()
    assert add_superadmin("admin", PASSWORD).password_hash


@pytest.mark.parametrize("where", ["staging", "production"])
@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("REDIS_URL", "redis://:PASSWORD@localhost:6379/0"),
        ("DATABASE_URL", "postgresql://botyard_app:changeme@db/botyard"),
        ("FLOWER_PASSWORD", "admin"),
        ("METRICS_TOKEN", "secret"),
        ("SECRET_KEY", "A" * 43 + "="),
    ],
)
def test_a_secret_of_an_example_is_refused_outside_development(
    monkeypatch: pytest.MonkeyPatch, where: str, name: str, sample: str
) -> None:
    for one in ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, sample)
    monkeypatch.setenv("ENVIRONMENT", where)
    with pytest.raises(InputError, match=name) as refused:
        read_settings()
    assert sample not in str(refused.value)
    monkeypatch.setenv("ENVIRONMENT", "development")
    read_settings()


def test_the_sample_of_settings_is_refused_as_it_stands() -> None:
    sample = (ROOT / ".env.example").read_text(encoding="utf-8")
    found = dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", sample, re.MULTILINE))
    with_password = [name for name, value in found.items() if "PASSWORD@" in value]
    assert len(with_password) == 5
    for name in with_password:
        with pytest.raises(ValueError, match=name):
            Settings(environment="production", **{name.lower(): found[name]})
    Settings(environment="production", secret_key=GOOD_KEY, redis_url="redis://:qX4-vb2_a@localhost:6379/0")
