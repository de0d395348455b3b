"""What is sent to customers' endpoints, how it is signed, and what follows from the answer."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from botyard.endpoints import claiming, managing
from botyard.endpoints.claiming import SCHEDULE, Outcome, claim, conclude
from botyard.endpoints.managing import change_endpoint, rotate_secret
from botyard.endpoints.recovering import recover, resend, send_test
from botyard.endpoints.retention import prune_messages
from botyard.endpoints.sending import Sender, seconds_of
from botyard.endpoints.spreading import spread_events
from botyard.errors import InputError
from botyard.vault.resealing import rotate
from db.engine import get_sessions
from db.models import Endpoint
from tests.factories import TELEGRAM_ID, make_bot, until
from tests.integration.endpoints.receiver import Receiver, endpoint, happen, make_due, messages, send_all
from tests.integration.test_keys import new_key
from tests.services import Services, environment


async def test_an_event_is_sent_signed_as_the_standard_wants_it(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, secret = endpoint(receiver)
    happen(bot.id)
    await send_all(sender)
    (got,) = receiver.got
    said = got.verified(secret)
    ((event, at),) = clean.superuser("SELECT id, at FROM events")
    shown = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert said == {
        "type": "bot.stopped",
        "timestamp": shown,
        "data": {
            "id": f"evt_{event}", "type": "bot.stopped", "at": shown, "customerId": "cus_1", "botId": f"bot_{bot.id}",
            "details": {"status": "paused", "reason": "lunch"},
        },
    }  # fmt: skip
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Botyard/")
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    with pytest.raises(WebhookVerificationError):
        got.verified("whsec_" + "A" * 44)
    assert messages(clean) == [("delivered", 1)]
    attempts = clean.superuser("SELECT status, error, answer FROM endpoint_attempts")
    assert attempts == [(200, None, "thanks")]
    assert secret.encode() not in bytes(clean.superuser("SELECT sealed FROM endpoint_secrets")[0][0])
    assert number


async def test_a_message_keeps_its_id_at_every_attempt_until_its_schedule_is_over(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    _, secret = endpoint(receiver)
    receiver.status, receiver.text = 500, "out of\0 order"
    happen(bot.id)
    for attempt in range(1, len(SCHEDULE) + 1):
        await send_all(sender)
        ((state, attempts, waits),) = clean.superuser(
            "SELECT state, attempts, extract(epoch FROM due - now())::float FROM endpoint_messages"
        )
        assert attempts == attempt
        if attempt < len(SCHEDULE):
            assert state == "waiting"
            assert 0.9 * SCHEDULE[attempt] - 5 <= waits <= 1.1 * SCHEDULE[attempt]
        make_due(clean)
    assert messages(clean) == [("failed", len(SCHEDULE))]
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.got) == len(SCHEDULE)
    assert receiver.got[-1].verified(secret)
    answers = clean.superuser("SELECT DISTINCT status, error, answer FROM endpoint_attempts")
    assert answers == [(500, "it answered 500", "out of\ufffd order")]


@pytest.mark.parametrize(
    ("status", "headers", "low", "high"),
    [
        (302, {"Location": "/elsewhere"}, 3, 6),
        (429, {"Retry-After": "120"}, 110, 121),
        (503, {"Retry-After": "9999999"}, 35_900, 36_001),
        (500, {"Retry-After": "120"}, 3, 6),
        (404, {}, 3, 6),
    ],
)
async def test_what_is_no_success_is_tried_again_when_it_is_wanted(
    sender: Sender, receiver: Receiver, clean: Services, status: int, headers: dict[str, str], low: int, high: int
) -> None:
    bot = make_bot()
    endpoint(receiver)
    receiver.status, receiver.headers = status, headers
    happen(bot.id)
    await send_all(sender)
    ((waits,),) = clean.superuser("SELECT extract(epoch FROM due - now())::float FROM endpoint_messages")
    assert low <= waits <= high
    assert [got.path for got in receiver.got] == ["/hook"]


def test_a_retry_after_is_seconds_or_a_date() -> None:
    later = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert seconds_of({"Retry-After": "7"}) == 7
    found = seconds_of({"Retry-After": later})
    assert found is not None
    assert 95 < found <= 100
    for nothing in ({}, {"Retry-After": "soon"}, {"Retry-After": "-1"}, {"Retry-After": "\u0661"}):
        assert seconds_of(nothing) is None


async def test_410_switches_an_endpoint_off_and_its_customer_is_told(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, _ = endpoint(receiver, "/gone")
    _, secret = endpoint(receiver, "/other", types=["endpoint.disabled"])
    receiver.status = 410
    happen(bot.id)
    await send_all(sender)
    receiver.status = 200
    await send_all(sender)
    reason = "it answered 410: nothing is wanted there any more"
    assert clean.superuser(f"SELECT status, status_reason, version FROM endpoints WHERE id = {number}") == [  # noqa: S608
        ("disabled", reason, 2)
    ]
    told = [got.verified(secret) for got in receiver.got if got.path == "/other"]
    # The other one answered 410 the first time, too, if it was asked before the answer was changed: it was not.
    assert [one["data"]["details"] for one in told] == [{"endpoint": f"end_{number}", "reason": reason}]
    assert clean.superuser(
        f"SELECT action, after->>'status' FROM audit WHERE entity = 'endpoints:{number}' AND action = 'updated'"  # noqa: S608
    ) == [("updated", "disabled")]


async def test_five_days_of_nothing_but_failures_switch_an_endpoint_off(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, _ = endpoint(receiver)
    receiver.status = 500
    happen(bot.id, count=2)
    await send_all(sender)
    failing = f"SELECT status, now() - failing_since < interval '1 minute' FROM endpoints WHERE id = {number}"  # noqa: S608
    assert clean.superuser(failing) == [("active", True)]
    receiver.status = 200
    clean.superuser("UPDATE endpoint_messages SET due = now() WHERE id = (SELECT min(id) FROM endpoint_messages)")
    await send_all(sender)
    assert clean.superuser(failing) == [("active", None)], "one success is enough"
    receiver.status = 500
    clean.superuser(f"UPDATE endpoints SET failing_since = now() - interval '121 hours' WHERE id = {number}")  # noqa: S608
    happen(bot.id)
    make_due(clean)
    await send_all(sender)
    assert clean.superuser(f"SELECT status FROM endpoints WHERE id = {number}") == [("disabled",)]  # noqa: S608
    make_due(clean)
    await send_all(sender)
    assert {state for state, _ in messages(clean)} == {"delivered", "discarded"}


async def test_for_a_day_after_a_rotation_both_secrets_are_valid(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, first = endpoint(receiver)
    second = rotate_secret(number).secret
    third = rotate_secret(number).secret
    happen(bot.id)
    await send_all(sender)
    clean.superuser("UPDATE endpoint_secrets SET expires_at = now() - interval '1 s' WHERE name = 'previous'")
    happen(bot.id)
    await send_all(sender)
    both, one = receiver.got
    assert both.verified(second) and both.verified(third) and one.verified(third)  # noqa: PT018
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    for got, wrong in ((both, first), (one, second)):
        with pytest.raises(WebhookVerificationError):
            got.verified(wrong)
    prune_messages()
    assert clean.superuser("SELECT name FROM endpoint_secrets") == [("current",)]


async def test_secrets_of_endpoints_come_under_a_new_key_with_all_others(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, _ = endpoint(receiver)
    second = rotate_secret(number).secret
    newer = new_key()
    with environment({"SECRET_KEY": f"{newer},{clean.environment['SECRET_KEY']}"}):
        assert rotate().resealed == 4
        assert rotate().left == 0
    with environment({"SECRET_KEY": newer}):
        happen(bot.id)
        await send_all(sender)
    (got,) = receiver.got
    assert got.verified(second)
    assert len(got.headers["webhook-signature"].split(" ")) == 2


async def test_a_slow_endpoint_has_two_attempts_under_way_and_holds_nobody_back(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    receiver.held = asyncio.Event()
    endpoint(receiver, "/slow")
    endpoint(receiver, "/quick")
    happen(bot.id, count=12)
    slice_ = asyncio.create_task(sender.run())
    await until(lambda: sum(got.path == "/quick" for got in receiver.got) == 12, 30)
    assert receiver.most_at_once == 2
    assert sum(got.path == "/slow" for got in receiver.got) == 2
    receiver.held.set()
    await slice_
    await sender.land()
    assert messages(clean) == [("delivered", 1)] * 24


async def test_a_message_of_a_worker_that_died_is_sent_by_the_next_one_under_its_id(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    endpoint(receiver)
    happen(bot.id)
    spread_events()
    (dead,) = claim(10)
    assert claim(10) == []
    await send_all(sender)
    assert receiver.got == []
    clean.superuser("UPDATE endpoint_messages SET due = now(), sending_until = now()")
    await send_all(sender)
    (got,) = receiver.got
    assert got.id == f"msg_{dead.id}"
    assert messages(clean) == [("delivered", 2)]


def test_a_worker_that_comes_back_too_late_changes_nothing_but_for_a_delivery(
    receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    endpoint(receiver)
    happen(bot.id)
    spread_events()
    (early,) = claim(10)
    clean.superuser("UPDATE endpoint_messages SET due = now(), sending_until = now()")
    (late,) = claim(10)
    assert (early.id, early.attempt, late.attempt) == (late.id, 1, 2)
    leased = clean.superuser("SELECT state, due, sending_until FROM endpoint_messages")
    conclude(early, Outcome(datetime.now(UTC), 5, error="it answered 500", status=500))
    assert clean.superuser("SELECT state, due, sending_until FROM endpoint_messages") == leased
    conclude(early, Outcome(datetime.now(UTC), 5, status=200))
    conclude(late, Outcome(datetime.now(UTC), 5, error="it answered 500", status=500))
    assert messages(clean) == [("delivered", 2)]
    assert clean.superuser("SELECT count(*) FROM endpoint_attempts") == [(3,)]


def test_claims_side_by_side_never_take_the_same_message_and_keep_the_bounds(
    receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    for path in range(8):
        endpoint(receiver, f"/{path}")
    happen(bot.id, count=5)
    spread_events()
    taken = [one for _ in range(6) for one in claim(4)]
    assert len({one.id for one in taken}) == len(taken) == claiming.OF_CUSTOMER
    of_each = [sum(one.endpoint_id == other.endpoint_id for one in taken) for other in taken]
    assert max(of_each) == claiming.OF_ENDPOINT
    assert clean.superuser("SELECT count(*) FROM endpoint_messages") == [(40,)]


async def test_a_test_is_sent_whatever_types_are_taken(sender: Sender, receiver: Receiver) -> None:
    number, secret = endpoint(receiver, types=["bot.removed"])
    sent = send_test(number)
    await send_all(sender)
    (got,) = receiver.got
    said = got.verified(secret)
    assert (got.id, said["type"], said["data"]) == (
        f"msg_{sent.id}", "endpoint.test", {"endpointId": f"end_{number}", "customerId": "cus_1"},
    )  # fmt: skip


async def test_one_that_was_delivered_can_be_sent_again_under_its_id(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    endpoint(receiver)
    happen(bot.id)
    await send_all(sender)
    ((number,),) = clean.superuser("SELECT id FROM endpoint_messages")
    resend(number)
    await send_all(sender)
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)
    assert messages(clean) == [("delivered", 1)]
    assert clean.superuser("SELECT count(*) FROM endpoint_attempts") == [(2,)]


async def test_what_was_missed_is_recovered_and_nothing_is_sent_twice(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, secret = endpoint(receiver)
    began = datetime.now(UTC)
    happen(bot.id)
    await send_all(sender)
    change_endpoint(number, {"status": "disabled"})
    happen(bot.id, count=3)
    await send_all(sender)
    for refused in (lambda: send_test(number), lambda: recover(number, began)):
        with pytest.raises(InputError):
            refused()
    change_endpoint(number, {"status": "active"})
    await send_all(sender)
    assert len(receiver.got) == 1, "what happened meanwhile is not sent by itself"
    with pytest.raises(InputError):
        recover(number, began - timedelta(days=29))
    recover(number, began)
    await send_all(sender)
    told = [got.verified(secret)["data"]["id"] for got in receiver.got]
    assert len(told) == len(set(told)) == 4
    assert messages(clean) == [("delivered", 1)] * 4


async def test_a_recovery_holds_no_messages_while_it_waits_for_whoever_removes_their_endpoint(
    receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    number, _ = endpoint(receiver)
    began = datetime.now(UTC)
    happen(bot.id)
    spread_events()
    clean.superuser("UPDATE endpoint_messages SET state = 'failed'")
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with get_sessions("system").begin() as removing:
        removing.get(Endpoint, number, with_for_update={"key_share": True})
        recovery = asyncio.create_task(asyncio.to_thread(recover, number, began))
        await until(lambda: bool(clean.superuser(waits)), 30)
        assert clean.superuser("SELECT state FROM endpoint_messages FOR UPDATE NOWAIT") == [("failed",)]
    assert await recovery == 1


async def test_nobody_learns_what_is_inside_from_an_address_that_was_closed_later(
    receiver: Receiver, sender: Sender, clean: Services
) -> None:
    bot = make_bot()
    endpoint(receiver)
    clean.superuser("UPDATE endpoints SET url = 'http://169.254.169.254/latest/meta-data/'")
    happen(bot.id)
    await send_all(sender)
    ((status, error, answer),) = clean.superuser("SELECT status, error, answer FROM endpoint_attempts")
    assert (status, answer) == (None, None)
    assert "not on the internet" in error
    assert "169.254" not in error


def test_messages_are_forgotten_after_a_month_with_their_attempts(receiver: Receiver, clean: Services) -> None:
    number, _ = endpoint(receiver)
    sent = send_test(number)
    kept = send_test(number)
    clean.superuser(
        f"UPDATE endpoint_messages SET created_at = now() - interval '31 days' WHERE id = {sent.id}",  # noqa: S608
        f"INSERT INTO endpoint_attempts (message_id, customer_id, milliseconds) VALUES ({sent.id}, 1, 5)",  # noqa: S608
    )
    assert prune_messages() == 1
    assert clean.superuser("SELECT id FROM endpoint_messages") == [(kept.id,)]
    assert clean.superuser("SELECT count(*) FROM endpoint_attempts") == [(0,)]


def test_a_customer_has_twenty_endpoints_at_most(receiver: Receiver) -> None:
    make_bot(TELEGRAM_ID)
    for path in range(managing.MOST):
        endpoint(receiver, f"/{path}")
    with pytest.raises(InputError, match="20 endpoints"):
        endpoint(receiver, "/one-more")


def test_the_body_of_a_message_is_json_once_and_stays_so(receiver: Receiver, clean: Services) -> None:
    bot = make_bot()
    endpoint(receiver)
    happen(bot.id)
    spread_events()
    ((body,),) = clean.superuser("SELECT body FROM endpoint_messages")
    assert orjson.dumps(orjson.loads(body)).decode() == body
