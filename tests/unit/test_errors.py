import pickle

import pytest

from botyard.errors import BotyardError, InputError, PermanentError, TransientError
from botyard.processing.resolving import Contended, HandlerFailed
from botyard.state.refusal import NotKept
from botyard.telegram.request import NotSent, Unanswered

ERRORS = [
    BotyardError("x"),
    PermanentError("x"),
    TransientError("away", 2.5),
    TransientError(),
    InputError("TOKEN", "is wrong.", "Copy it again."),
    InputError("TOKEN", "is wrong."),
    HandlerFailed("ValueError: x", "Traceback …"),
    Contended(0.2),
    NotKept("user_data['x']", "set"),
    NotSent("ClientConnectorError"),
    Unanswered("SocketTimeoutError"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_between_processes(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert back.args == error.args
    assert str(back) == str(error)
    assert {**vars(back)} == {**vars(error)}


def test_an_input_error_reads_as_field_problem_and_remedy() -> None:
    assert str(InputError("TOKEN", "is wrong.", "Copy it again.")) == "TOKEN: is wrong. Copy it again."
    assert str(InputError("TOKEN", "is wrong.")) == "TOKEN: is wrong."


def test_each_error_says_whether_trying_again_can_help() -> None:
    assert PermanentError("x").permanent
    assert InputError("a", "b").permanent
    assert HandlerFailed("a", "b").permanent
    assert not TransientError("x").permanent
    assert TransientError("x", 3).retry_after == 3
