"""What becomes of calls is recorded while others are under way."""

import asyncio
from typing import Any

import psycopg2
import pytest
from aiohttp import web
from structlog.testing import capture_logs

import botyard.delivery.slice
from botyard.bots.registry import ServedBot
from botyard.delivery.outbox import Outbox
from botyard.delivery.sender import Sender
from botyard.telegram.run import Lane
from botyard.telemetry import metrics
from tests.factories import make_bot, until
from tests.integration.fake_api import FakeApi
from tests.integration.outbox_tools import add_row
from tests.integration.rig import Rig
from tests.services import Services


@pytest.fixture
def bot(clean: Services, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(api_url=api.url)


def sent(services: Services) -> int:
    return int(services.superuser("SELECT count(*) FROM outbox WHERE state = 'sent'")[0][0])


async def test_many_ends_are_recorded_although_some_calls_take_long(
    yard: Rig, api: FakeApi, bot: ServedBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(botyard.delivery.slice, "_GATHER_SECONDS", 30)
    gate = asyncio.Event()

    async def in_time(_: web.Request, params: dict[str, Any]) -> web.StreamResponse:
        await gate.wait()
        return api.sent(params)

    quick = botyard.delivery.slice._ENOUGH
    for chat in range(1, quick + 4):
        params = {"chat_id": chat, "text": "hi"}
        add_row(yard.services, bot, "hi", chat_key=str(chat), lane=Lane.REPLY, params=params)
        if chat > quick:
            api.refusing[chat] = in_time
    slice_ = asyncio.create_task(yard.deliver(bot))
    try:
        await until(lambda: sent(yard.services) == quick, 10)
        assert len(api.calls) == quick + 3, "the others are under way"
    finally:
        gate.set()
        await slice_
    assert sent(yard.services) == quick + 3


async def test_what_was_sent_is_recorded_although_another_call_ended_in_a_fault_of_the_code(
    yard: Rig, api: FakeApi, bot: ServedBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chat in (1, 2, 3):
        add_row(yard.services, bot, "hi", chat_key=str(chat), params={"chat_id": chat, "text": "hi"})
    send = Sender.send

    async def fails_for_two(self: Any, ready: Any) -> Any:
        if ready.row.chat == "2":
            raise ZeroDivisionError
        return await send(self, ready)

    monkeypatch.setattr(Sender, "send", fails_for_two)
    with pytest.raises(ZeroDivisionError):
        await yard.deliver(bot)
    assert len(api.calls) == 2
    assert sent(yard.services) == 2


async def test_a_sender_that_has_nothing_to_record_does_not_wait_for_a_database_that_is_away(
    yard: Rig, api: FakeApi, bot: ServedBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_row(yard.services, bot, "hi")
    asked = 0

    async def away(*_: Any, **__: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        raise psycopg2.OperationalError

    monkeypatch.setattr(Outbox, "record_and_claim", away)
    with pytest.raises(psycopg2.OperationalError):
        await yard.deliver(bot)
    assert asked == 1
    monkeypatch.undo()
    await yard.deliver_until(bot, lambda: sent(yard.services) == 1)
    assert api.texts == ["hi"]


async def test_what_a_lost_sender_was_sending_is_counted_and_said(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    add_row(yard.services, bot, "hi", params={"chat_id": 5, "text": "hi"})
    await Outbox(yard.host.statements, bot.id, bot.customer_id, "gone").record_and_claim([], 50)
    metrics.take_pending()
    with capture_logs() as lines:
        await yard.deliver(bot)
    assert [line["count"] for line in lines if line["event"] == "sends_uncertain"] == [1]
    assert any("uncertain" in name for name in map(str, metrics.take_pending()))
    assert api.texts == ["hi"]
