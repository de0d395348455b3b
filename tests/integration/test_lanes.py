"""What waits, for what, and the way of one update: what the operator is shown."""

import time
from collections.abc import AsyncIterator

import pytest

from botyard.bots.lanes import lanes
from botyard.bots.tracing import trace
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.telemetry import metrics
from botyard.web.health import _closed_gauges, _outbox_gauges
from tests.factories import TELEGRAM_ID, make_bot, message
from tests.integration.fake_api import FakeApi, error
from tests.integration.outbox_tools import add_row
from tests.integration.rig import Rig, rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    metrics.take_pending()
    async with rig(clean, settings) as made:
        yield made


async def test_every_cause_of_waiting_is_named(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    api.refusing[5] = error(429, "Too Many Requests: retry after 60", retry_after=60)
    for text in ("refused", "behind it"):
        add_row(yard.services, bot, text)
    await yard.deliver(bot)
    add_row(yard.services, bot, chat_key="6", state="retry", due=60, error="Bad Gateway")
    first = add_row(yard.services, bot, chat_key="7", due=60)
    add_row(yard.services, bot, chat_key="8", lane=3, after_id=first)
    add_row(yard.services, bot, chat_key="9")
    found = lanes(yard.settings)
    reply, bulk = found.lanes
    assert (reply.lane, reply.waiting, bulk.lane) == ("reply", 5, "bulk")
    assert reply.causes == {
        "an earlier one": 1, "closed by Telegram": 1, "another try": 1, "a permit": 1, "a sender": 1
    }  # fmt: skip
    assert bulk.causes == {"its message": 1}
    ((bot_name, chat),) = [(one.bot, one.chat) for one in found.closed]
    assert (bot_name, chat) == ("test_bot", "5")


async def test_mailboxes_stand_beside_the_outbox_with_what_they_wait_for(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "misbehaving")
    await yard.give(bot, message(1, chat_id=1), message(2, chat_id=1), message(3, chat_id=2))
    ((lane, waiting, causes),) = [(one.lane, one.waiting, one.causes) for one in lanes(yard.settings).lanes]
    assert (lane, waiting, causes) == ("updates", 3, {"a worker": 2, "an earlier one": 1})


async def test_what_ended_unsent_is_counted_by_lane_and_state(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    add_row(yard.services, bot, deadline=-1)
    add_row(yard.services, bot, deadline=-1, lane=0, method="answerCallbackQuery")
    await yard.deliver(bot)
    metrics.flush(yard.redis)
    found = {one.lane: one.given_up for one in lanes(yard.settings).lanes}
    assert found == {"urgent": {"expired": 1}, "reply": {"expired": 1}}


async def test_an_unknown_bot_has_no_lanes(yard: Rig) -> None:
    with pytest.raises(InputError, match="there is no bot"):
        lanes(yard.settings, "nobody")


async def test_the_way_of_an_update_is_shown_from_its_arrival_to_the_answer(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind=KINDS + "echo", api_url=api.url)
    api.script = [error(500, "Internal Server Error")]
    await yard.give(bot, message(1, chat_id=5))
    await yard.settle()
    (found,) = trace(yard.settings, 1)
    assert [step.what for step in found.steps] == [
        "taken in", "handlers started", "handlers ended, committed", "sendMessage (reply): called",
        "sendMessage (reply): sent",
    ]  # fmt: skip
    assert "another try" in found.steps[3].waited_for
    assert found.steps[4].detail == "message 1001"
    (by_message,) = trace(yard.settings, 1001)
    assert by_message == found


async def test_an_update_that_waits_says_for_what(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "echo")
    await yard.give(bot, message(1, chat_id=5), message(2, chat_id=5))
    for number, words in ((1, "a worker"), (2, "1 earlier ones of its chat")):
        (found,) = trace(yard.settings, number)
        assert found.steps[-1].waited_for == words


async def test_an_update_that_was_given_up_names_its_letter(yard: Rig) -> None:
    bot = make_bot(kind=KINDS + "misbehaving")
    await yard.give(bot, message(1, "raise", chat_id=5))
    await yard.settle(sending=False)
    (found,) = trace(yard.settings, 1)
    assert [step.what for step in found.steps] == ["taken in", "handlers started", "given up"]
    assert "dead letter 1: ValueError" in found.steps[-1].detail
    assert "2 failed starts" in found.steps[1].waited_for


async def test_a_number_that_nobody_knows_is_said_to_be_unknown(yard: Rig) -> None:
    make_bot()
    with pytest.raises(InputError, match="no update and no message 77"):
        trace(yard.settings, 77)


async def test_prometheus_is_told_what_waits_and_what_is_closed(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    other = make_bot(TELEGRAM_ID + 1, api_url=api.url)
    for chat in (5, 6, 7):
        api.refusing[chat] = error(429, "Too Many Requests: retry after 60", retry_after=60)
        add_row(yard.services, bot, chat_key=str(chat), params={"chat_id": chat, "text": "x"})
    add_row(yard.services, other, chat_key="5", lane=3)
    await yard.deliver(bot)
    await yard.deliver(other)
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in [*await _closed_gauges(yard.host.redis), *_outbox_gauges()]
        for sample in family.samples
    }
    assert found["closed_chats", ("bot", str(bot.id))] == 3
    assert (found["bot_closed", ("bot", str(bot.id))], found["bot_closed", ("bot", str(other.id))]) == (1, 0)
    assert found["closed_opens_timestamp_seconds", ("bot", str(bot.id))] > time.time() + 50
    assert found["outbox_rows", ("lane", "reply"), ("waits_for", "trouble")] == 3
    assert found["outbox_rows", ("lane", "bulk"), ("waits_for", "trouble")] == 1
