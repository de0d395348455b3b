"""The outbox' statements: who may be claimed when, and whose result counts."""

from typing import Any

import pytest

from botyard.bots.registry import ServedBot
from botyard.delivery.outbox import Result, bots_with_due_rows
from botyard.sent_messages import real_ids
from botyard.telegram.run import provisional_id
from tests.factories import make_bot
from tests.integration.outbox_tools import add_row, column, outbox_of, texts
from tests.services import Services


@pytest.fixture
def bot(clean: Services) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot()


def test_only_the_oldest_row_of_a_chat_and_lane_may_be_claimed(clean: Services, bot: ServedBot) -> None:
    for text, chat in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")):
        add_row(clean, bot, text, chat_key=chat)
    outbox = outbox_of(bot)
    first = outbox.record_and_claim([], 50)
    assert sorted(texts(first)) == ["a1", "b1"]
    assert outbox.record_and_claim([], 50) == [], "what is being sent blocks what follows"
    done = [Result(row.id, row.attempt, "sent", 7) for row in first]
    assert texts(outbox.record_and_claim(done, 50)) == ["a2"]


def test_lanes_go_urgent_first_and_may_overtake_within_a_chat(clean: Services, bot: ServedBot) -> None:
    for lane in (3, 2, 1, 0):
        add_row(clean, bot, f"lane {lane}", lane=lane)
    outbox = outbox_of(bot)
    assert texts(outbox.record_and_claim([], 2)) in (["lane 0", "lane 1"], ["lane 1", "lane 0"])
    assert {row.lane for row in outbox.record_and_claim([], 50)} == {2, 3}


def test_the_limit_takes_the_most_urgent_and_then_the_oldest(clean: Services, bot: ServedBot) -> None:
    add_row(clean, bot, "bulk", chat_key="a", lane=3)
    add_row(clean, bot, "reply", chat_key="b", lane=1)
    add_row(clean, bot, "urgent", chat_key="c", lane=0)
    add_row(clean, bot, "later reply", chat_key="d", lane=1)
    outbox = outbox_of(bot)
    assert [texts(outbox.record_and_claim([], 1))[0] for _ in range(4)] == ["urgent", "reply", "later reply", "bulk"]


@pytest.mark.parametrize("limit", [0, 1])
def test_a_limit_of_nothing_claims_nothing(clean: Services, bot: ServedBot, limit: int) -> None:
    add_row(clean, bot)
    assert len(outbox_of(bot).record_and_claim([], limit)) == limit


def test_a_claimed_row_carries_its_attempt_and_is_fenced_by_it(clean: Services, bot: ServedBot) -> None:
    row_id = add_row(clean, bot)
    outbox = outbox_of(bot)
    (first,) = outbox.record_and_claim([], 50)
    assert (first.id, first.attempt, first.chat, first.failures) == (row_id, 1, "5", 0)
    (second,) = outbox.record_and_claim([Result(row_id, 1, "retry", due_in=0, error="x", counted=True)], 50)
    assert (second.attempt, second.failures) == (2, 1)
    for late in (Result(row_id, 1, "dead", error="late"), Result(row_id, 1, "sent", 5), Result(row_id, 3, "sent", 5)):
        outbox.record_and_claim([late], 0)
        assert column(clean, row_id, "state, attempt") == ("sending", 2)
    outbox.record_and_claim([Result(row_id, 2, "sent", 77)], 0)
    assert column(clean, row_id, "state, message_id, resolved_at IS NOT NULL") == ("sent", 77, True)
    outbox.record_and_claim([Result(row_id, 2, "dead", error="too late")], 0)
    assert column(clean, row_id, "state") == ("sent",)


def test_a_row_that_waits_for_its_retry_blocks_what_follows_it(clean: Services, bot: ServedBot) -> None:
    first = add_row(clean, bot, "first")
    add_row(clean, bot, "second")
    add_row(clean, bot, "elsewhere", chat_key="6")
    outbox = outbox_of(bot)
    outbox.record_and_claim([], 1)
    assert texts(outbox.record_and_claim([Result(first, 1, "retry", due_in=60, error="429")], 50)) == ["elsewhere"]
    due = outbox.next_due()
    assert due is not None
    assert 58 < due <= 60


@pytest.mark.parametrize("state", ["sent", "dead", "uncertain", "expired"])
def test_a_resolved_row_lets_the_next_one_go(clean: Services, bot: ServedBot, state: str) -> None:
    add_row(clean, bot, "first", state=state)
    add_row(clean, bot, "second")
    assert texts(outbox_of(bot).record_and_claim([], 50)) == ["second"]


def test_an_edit_waits_for_its_message_also_in_another_lane(clean: Services, bot: ServedBot) -> None:
    message = add_row(clean, bot, "message", lane=1)
    add_row(clean, bot, "edit", lane=0, after_id=message)
    outbox = outbox_of(bot)
    assert texts(outbox.record_and_claim([], 50)) == ["message"]
    assert outbox.next_due() is None, "it waits for a result, not for a time"
    assert texts(outbox.record_and_claim([Result(message, 1, "sent", 9)], 50)) == ["edit"]


def test_the_next_due_time_is_that_of_the_heads_only(clean: Services, bot: ServedBot) -> None:
    assert outbox_of(bot).next_due() is None
    add_row(clean, bot, "head", due=30)
    add_row(clean, bot, "behind it", due=0)
    assert outbox_of(bot).record_and_claim([], 50) == []
    due = outbox_of(bot).next_due()
    assert due is not None
    assert 28 < due <= 30
    add_row(clean, bot, "elsewhere", chat_key="6", due=-5)
    assert outbox_of(bot).next_due() == 0.0


def test_what_a_lost_sender_was_sending_is_uncertain_and_follows_the_bots_choice(
    clean: Services, bot: ServedBot
) -> None:
    repeat = add_row(clean, bot, "repeat", chat_key="a")
    leave = add_row(clean, bot, "leave", chat_key="b", repeat_policy="leave")
    spent = add_row(clean, bot, "spent", chat_key="c", uncertain_count=2)
    outbox_of(bot, "gone").record_and_claim([], 50)
    assert outbox_of(bot, "gone").adopt() == 0, "one's own rows are nobody else's"
    assert outbox_of(bot, "me").adopt() == 3
    shown = "state, uncertain_count, attempt, resolved_at IS NULL"
    assert column(clean, repeat, shown) == ("queued", 1, 1, True)
    assert column(clean, leave, shown) == ("uncertain", 1, 1, False)
    assert column(clean, spent, shown) == ("uncertain", 3, 1, False)
    (again,) = outbox_of(bot, "me").record_and_claim([], 50)
    assert (again.id, again.attempt, again.uncertain_count, again.may_repeat) == (repeat, 2, 1, True)


def test_the_first_claim_of_a_holder_takes_over_and_says_so_whether_it_finds_anything_to_send(
    clean: Services, bot: ServedBot
) -> None:
    add_row(clean, bot, "left", repeat_policy="leave")
    gone, me = outbox_of(bot, "gone"), outbox_of(bot, "me")
    gone.record_and_claim([], 50)
    assert (me.record_and_claim([], 50), me.outbox.adopted) == ([], 1)
    add_row(clean, bot, "later")
    assert [row.params["text"] for row in gone.record_and_claim([], 50)] == ["later"]
    assert (me.record_and_claim([], 50), me.outbox.adopted) == ([], 1), "the first only"
    next_one = outbox_of(bot, "next")
    assert [row.params["text"] for row in next_one.record_and_claim([], 50)] == ["later"]
    assert next_one.outbox.adopted == 1


def test_a_late_sent_of_the_same_attempt_is_believed_and_a_late_refusal_is_not(clean: Services, bot: ServedBot) -> None:
    kept = [
        add_row(clean, bot, chat_key=chat, repeat_policy=policy) for chat, policy in (("a", "repeat"), ("b", "leave"))
    ]
    refused = add_row(clean, bot, chat_key="c")
    gone = outbox_of(bot, "gone")
    gone.record_and_claim([], 50)
    outbox_of(bot).adopt()
    gone.record_and_claim(
        [*(Result(row_id, 1, "sent", 9) for row_id in kept), Result(refused, 1, "dead", error="x")], 0
    )
    assert [column(clean, row_id, "state, message_id") for row_id in kept] == [("sent", 9), ("sent", 9)]
    assert column(clean, refused, "state") == ("queued",)
    assert [row.id for row in outbox_of(bot).record_and_claim([], 50)] == [refused]


def test_a_late_sent_of_an_attempt_that_was_repeated_changes_nothing(clean: Services, bot: ServedBot) -> None:
    row_id = add_row(clean, bot)
    gone = outbox_of(bot, "gone")
    gone.record_and_claim([], 50)
    assert [row.id for row in outbox_of(bot).record_and_claim([], 50)] == [row_id]
    gone.record_and_claim([Result(row_id, 1, "sent", 9)], 0)
    assert column(clean, row_id, "state, attempt, message_id") == ("sending", 2, None)


def test_a_dead_row_leaves_a_dead_letter_with_the_call(clean: Services, bot: ServedBot) -> None:
    row_id = add_row(clean, bot, "never", update_id=9, telegram_id=bot.telegram_id, n=1)
    outbox = outbox_of(bot)
    outbox.record_and_claim([], 50)
    outbox.record_and_claim([Result(row_id, 1, "dead", error="Forbidden: bot was blocked")], 0)
    found = clean.superuser(
        "SELECT what, outbox_id, update_id, reason, attempts, request->>'method', request#>>'{params,text}'"
        " FROM dead_letters"
    )
    assert found == [("send", row_id, 9, "Forbidden: bot was blocked", 1, "sendMessage", "never")]


def test_a_sent_message_is_history_and_an_edit_is_not(clean: Services, bot: ServedBot) -> None:
    sent, edited = add_row(clean, bot, "said"), add_row(clean, bot, "edited", chat_key="6", method="editMessageText")
    outbox = outbox_of(bot)
    outbox.record_and_claim([], 50)
    outbox.record_and_claim([Result(sent, 1, "sent", 70), Result(edited, 1, "sent", 71)], 0)
    assert clean.superuser("SELECT direction, message_id, text, outbox_id FROM messages") == [("out", 70, "said", sent)]


def test_real_ids_are_found_by_update_and_number_and_none_for_what_was_not_sent(
    clean: Services, bot: ServedBot
) -> None:
    known: dict[str, Any] = {"telegram_id": bot.telegram_id, "update_id": 9}
    add_row(clean, bot, n=1, state="sent", message_id=70, **known)
    add_row(clean, bot, n=2, state="dead", **known)
    first, second, third, other = (provisional_id(*place) for place in ((9, 1), (9, 2), (9, 3), (8, 1)))
    assert real_ids(1, bot.telegram_id, [first, second, third, other]) == {first: 70, second: None}
    assert real_ids(1, bot.telegram_id + 1, [first]) == {}


def test_two_senders_never_claim_one_row(clean: Services, bot: ServedBot) -> None:
    from concurrent.futures import ThreadPoolExecutor

    senders = [outbox_of(bot, str(owner)) for owner in range(4)]
    assert [sender.adopt() for sender in senders] == [0] * 4
    for number in range(60):
        add_row(clean, bot, chat_key=str(number))
    with ThreadPoolExecutor(4) as threads:
        claimed = list(threads.map(lambda sender: sender.record_and_claim([], 20), senders))
    ids = [row.id for rows in claimed for row in rows]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 20


def test_another_bots_and_another_customers_rows_are_left_alone(clean: Services, bot: ServedBot) -> None:
    other = make_bot(bot.telegram_id + 1)
    add_row(clean, other)
    add_row(clean, bot, customer_id=2)
    assert outbox_of(bot).record_and_claim([], 50) == []
    assert outbox_of(bot).next_due() is None


def test_a_bot_with_due_rows_is_found_by_the_sweep(clean: Services, bot: ServedBot) -> None:
    others = [make_bot(bot.telegram_id + number) for number in range(1, 5)]
    add_row(clean, bot)
    add_row(clean, others[0], due=60)
    add_row(clean, others[1], state="sending", owner="gone", started_at=-61)
    add_row(clean, others[2], state="sending", owner="alive", started_at=-30)
    add_row(clean, others[3], state="sent")
    assert sorted(bots_with_due_rows()) == [bot.id, others[1].id]


def test_a_row_after_its_last_useful_moment_is_known_to_be_late(clean: Services, bot: ServedBot) -> None:
    add_row(clean, bot, chat_key="a", deadline=-1)
    add_row(clean, bot, chat_key="b", deadline=60)
    add_row(clean, bot, chat_key="c")
    rows = outbox_of(bot).record_and_claim([], 50)
    assert {row.chat: row.late for row in rows} == {"a": True, "b": False, "c": False}
