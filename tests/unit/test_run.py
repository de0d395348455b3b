import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.delivery.calls import with_real_ids
from botyard.telegram.outbox_bot import provisional_ids
from botyard.telegram.run import Lane, Send, UpdateRun, of_provisional_id, provisional_id

LARGEST = 2**53 - 1
update_ids = st.integers(min_value=-LARGEST, max_value=LARGEST)
numbers = st.integers(min_value=1, max_value=4095)


@given(update_ids, numbers)
def test_a_provisional_id_is_negative_and_says_where_it_came_from(update_id: int, n: int) -> None:
    provisional = provisional_id(update_id, n)
    assert provisional < 0
    assert of_provisional_id(provisional) == (update_id, n)


@given(st.tuples(update_ids, numbers), st.tuples(update_ids, numbers))
def test_no_two_sends_share_a_provisional_id(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (provisional_id(*one) == provisional_id(*other)) is (one == other)


def test_more_sends_than_can_be_numbered_are_refused() -> None:
    assert of_provisional_id(provisional_id(7, 4095)) == (7, 4095)
    with pytest.raises(ValueError, match="at most 4095"):
        provisional_id(7, 4096)


def test_the_last_provisional_id_counts_the_messages_of_the_update() -> None:
    run = UpdateRun(12, "5")
    for items in (1, 3, 2):
        run.queue(Send("x", {}, "5", Lane.REPLY, after=None, items=items))
    assert of_provisional_id(run.last_provisional_id()) == (12, 5)
    assert [of_provisional_id(number) for number in run.last_provisional_ids()] == [(12, 5), (12, 6)]


FIRST, SECOND = provisional_id(10, 1), provisional_id(10, 2)
REAL: dict[int, int | None] = {FIRST: 501, SECOND: None}


def test_every_place_of_a_message_id_gets_the_real_one() -> None:
    params = {
        "chat_id": 5,
        "message_id": FIRST,
        "message_ids": [FIRST, 7],
        "reply_parameters": {"message_id": FIRST, "quote": "x"},
        "text": "kept",
    }
    assert with_real_ids(params, REAL) == {
        "chat_id": 5,
        "message_id": 501,
        "message_ids": [501, 7],
        "reply_parameters": {"message_id": 501, "quote": "x"},
        "text": "kept",
    }
    assert params["message_id"] == FIRST, "the row's own parameters are not changed"


@pytest.mark.parametrize(
    "params",
    [
        {"message_id": SECOND},
        {"message_ids": [7, SECOND]},
        {"reply_parameters": {"message_id": SECOND}},
        {"message_id": provisional_id(99, 1)},
    ],
)
def test_what_refers_to_a_message_that_was_never_sent_cannot_be_sent(params: dict[str, object]) -> None:
    assert with_real_ids(params, REAL) is None


@pytest.mark.parametrize(
    "params", [{}, {"message_id": 7}, {"text": "-5"}, {"reply_parameters": {"chat_id": -5}}, {"chat_id": FIRST}]
)
def test_parameters_without_provisional_ids_stay_as_they_are(params: dict[str, object]) -> None:
    assert with_real_ids(params, {}) == params
    assert provisional_ids(params) == []


def test_provisional_ids_are_found_wherever_a_call_carries_them() -> None:
    params = {"message_id": FIRST, "message_ids": [SECOND, 3], "reply_parameters": {"message_id": FIRST}}
    assert provisional_ids(params) == [FIRST, SECOND, FIRST]
