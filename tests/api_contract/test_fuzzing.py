"""Schemathesis finds nothing, whoever asks; `python -m tests.api_contract.fuzzing 300` looks for longer."""

import pytest

from tests.api_contract.fuzzing import run_all
from tests.services import Services

SECONDS = 6


@pytest.mark.slow
def test_no_request_is_answered_otherwise_than_is_said(services: Services) -> None:
    for ran in run_all(services, SECONDS):
        assert not ran.failed, f"{ran.who}:\n{ran.said}"
