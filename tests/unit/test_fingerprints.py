import sys
from typing import Any

import pytest

from botyard.telemetry.fingerprints import of_error, of_words, place_of


def _error(work: Any) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each caller knows which
        work()
    return raised.value


def _fails(key: str) -> Any:
    return dict[str, Any]()[key]


def test_an_error_is_known_by_its_kind_and_its_place_and_not_by_its_words() -> None:
    one, other = _error(lambda: _fails("a")), _error(lambda: _fails("b"))
    assert of_error(one) == of_error(other)
    assert of_error(one).startswith("KeyError at tests/unit/test_fingerprints.py:")
    assert of_error(one).endswith(" in _fails")


def test_the_place_is_in_the_bots_code_when_a_library_raised() -> None:
    assert " in <lambda>" in of_error(_error(lambda: __import__("json").loads("{")))


def test_sentences_that_differ_in_numbers_only_are_one() -> None:
    assert of_words("sendMessage", "retry after 12") == of_words("sendMessage", "retry after 7")
    assert of_words("sendMessage", "chat not found") != of_words("sendPhoto", "chat not found")


def test_no_token_stands_in_a_fingerprint() -> None:
    assert "AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM" not in of_words("bot4500000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM")


def test_a_thread_can_be_asked_where_it_is() -> None:
    assert place_of(sys._getframe()).endswith(" in test_a_thread_can_be_asked_where_it_is")
