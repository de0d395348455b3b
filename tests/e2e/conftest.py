"""One running yard for the tests that only use it; those that break it have their own."""

from collections.abc import Iterator

import pytest

from tests.e2e.yard import Yard

FAST = {
    # The limits have tests of their own; here they would only make everything slow.
    "LIMIT_PRIVATE_BURST": "1000",
    "LIMIT_PRIVATE_PER_SECOND": "1000",
}


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """The whole system, as the Procfile says."""
    with Yard(tmp_path_factory.mktemp("yard"), **FAST) as running:
        running.simulator.post("/sim/settings", flood=False, retry_scale=0.2)
        yield running
