"""One running yard for the tests that only use it; those that break it have their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard.embedded import free_port
from tests.e2e.page_stage import browser, stage  # noqa: F401 - fixtures
from tests.e2e.running import Run
from tests.e2e.yard import Yard

FAST = {
    # The limits have tests of their own; here they would only make everything slow.
    "LIMIT_PRIVATE_BURST": "1000",
    "LIMIT_PRIVATE_PER_SECOND": "1000",
}


# Not for the whole session: its processes take their share of the cores even while nothing is asked of them.
@pytest.fixture(scope="package")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """The whole system, as the Procfile says."""
    with Yard(tmp_path_factory.mktemp("yard"), **FAST) as running:
        running.simulator.post("/sim/settings", flood=False, retry_scale=0.2)
        yield running


@pytest.fixture
def run(tmp_path: Path, ports: dict[str, str]) -> Iterator[Run]:
    made = Run(tmp_path / "state", **ports)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()  # its children die with it


@pytest.fixture
def ports() -> dict[str, str]:
    return {name: str(free_port()) for name in ("WEB_PORT", "SIMULATOR_PORT", "FLOWER_PORT")}
