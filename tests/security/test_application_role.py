"""Whoever starts with an application role that the policies would not hold is told so, and does not start."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from botyard.errors import InputError
from db.roles import check_application_role
from tests.services import Services, environment

WRONG = {
    "is a superuser": "SUPERUSER",
    "has BYPASSRLS": "BYPASSRLS",
    "has BYPASSRLS through the role botyard_system": "IN ROLE botyard_system",
    "through the role botyard_owner": "IN ROLE botyard_owner",
}


@pytest.fixture
def role(services: Services, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a role with these rights."""
    services.superuser(f"CREATE ROLE above LOGIN PASSWORD 'above' {WRONG[request.param]}")
    url = make_url(services.environment["DATABASE_URL"]).set(username="above", password="above")
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        services.superuser("DROP ROLE above")


@pytest.mark.parametrize(("role", "says"), [(name, name) for name in WRONG], indirect=["role"])
def test_a_role_above_the_policies_is_refused(role: str, says: str) -> None:
    with environment({"DATABASE_URL": role}), pytest.raises(InputError) as refused:
        check_application_role()
    assert refused.value.field == "DATABASE_URL"
    assert says in refused.value.problem


def test_an_owner_of_one_table_is_refused(services: Services) -> None:
    services.superuser("CREATE TABLE its_own (id int)", "ALTER TABLE its_own OWNER TO botyard_app")
    try:
        with pytest.raises(InputError, match="owns tables"):
            check_application_role()
    finally:
        services.superuser("DROP TABLE its_own")


def test_the_role_that_the_release_step_makes_is_accepted(services: Services) -> None:
    del services
    check_application_role()


def test_a_database_that_is_away_stops_no_start(services: Services) -> None:
    away = make_url(services.environment["DATABASE_URL"]).set(port=1).render_as_string(hide_password=False)
    with environment({"DATABASE_URL": away}), capture_logs() as logs:
        check_application_role()
    assert [line["event"] for line in logs] == ["application_role_not_checked"]


@pytest.mark.parametrize("role", ["has BYPASSRLS"], indirect=True)
def test_the_web_process_does_not_start_with_such_a_role(role: str) -> None:
    from starlette.testclient import TestClient

    from botyard.web.front import build_app

    with environment({"DATABASE_URL": role}):
        web = TestClient(build_app())
        with pytest.raises(InputError, match="BYPASSRLS"), web:
            pass
