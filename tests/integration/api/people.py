"""People who sign in with a password."""

from collections.abc import Mapping

from starlette.testclient import TestClient

from botyard.accounts import people
from botyard.accounts.members import join
from botyard.accounts.passwords import hash_password
from botyard.accounts.roles import Role
from db.engine import get_sessions
from tests.integration.api.callers import Answer, Caller

PASSWORD = "tulip wagon fog seven"
_HASHED = hash_password(PASSWORD)


def add_person(name: str, roles: Mapping[int, Role] | None = None, *, superadmin: bool = False) -> int:
    """Somebody with `PASSWORD`, and their roles by the number of the customer."""
    with get_sessions("system").begin() as session:
        person = people.add_person(session, name, _HASHED, superadmin=superadmin)
        for customer, role in (roles or {}).items():
            join(session, person.id, customer, role)
        return person.id


def sign_in(web: TestClient, name: str, password: str = PASSWORD) -> Answer:
    """Try to sign in."""
    return Caller(web).post("/v1/sessions", {"name": name, "password": password})


def signed_in(web: TestClient, name: str) -> Caller:
    """Somebody who has signed in with `PASSWORD`."""
    return Caller(web, sign_in(web, name).body["accessToken"])
