from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from botyard.web.front import build_app
from tests.integration.api.callers import Caller, superadmin
from tests.services import Services


@pytest.fixture
def web(clean: Services) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the environment
    """The web process."""
    with TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def root(web: TestClient) -> Caller:
    """A superadmin."""
    return Caller(web, superadmin())


@pytest.fixture
def stranger(web: TestClient) -> Caller:
    """Somebody without a token."""
    return Caller(web)
