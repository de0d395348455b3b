"""What a courier does about answers and failures, with a wire that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from botyard.simulator.delivery import Courier
from botyard.simulator.model import Update, Webhook
from botyard.simulator.wire import Answer, Target, Wire, WireError, target
from tests.unit.simulator.asking import order
from tests.unit.simulator.conftest import Stage

OK = Answer(200)


class Scripted(Wire):
    """Gives one answer after the other, the last one again and again."""

    def __init__(self, *script: Answer | Exception) -> None:
        super().__init__()
        self.script = list(script)
        self.posts = 0

    async def post(self, to: Target, body: bytes, seconds: float) -> Answer:  # noqa: ARG002 - the real one's
        self.posts += 1
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def delivering(
    stage: Stage, *script: Answer | Exception, execute: Callable[..., object] = lambda *_: None
) -> AsyncIterator[tuple[Courier, Scripted]]:
    wire = Scripted(*script)
    stage.bot.webhook = Webhook("http://127.0.0.1:9/", max_connections=1)
    courier = Courier(
        world=stage.world,
        history=stage.simulator.history,
        wire=wire,
        execute=execute,
        bot=stage.bot,
        webhook=stage.bot.webhook,
    )
    try:
        yield courier, wire
    finally:
        courier.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def put(stage: Stage, courier: Courier, lane: str = "a", *, life: float = 150) -> Update:
    stage.bot.next_update_id += 1
    update = Update(stage.bot.next_update_id, "callback_query", 1, lane, stage.clock() + life, b"{}")
    stage.bot.pending[update.update_id] = update
    courier.put(update)
    return update


async def test_a_lane_outlives_a_failure_that_nobody_thought_of(stage: Stage) -> None:
    async with delivering(stage, RuntimeError("odd"), OK) as (courier, _):
        put(stage, courier)
        await settle()
        assert not stage.bot.pending
        assert stage.bot.webhook
        assert stage.bot.webhook.last_error_message == "Delivery broke: RuntimeError"


async def test_a_method_in_an_answer_that_breaks_holds_up_no_other_lane(stage: Stage) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("odd")

    answer = Answer(200, {"content-type": "application/json"}, b'{"method":"sendMessage"}')
    async with delivering(stage, answer, execute=breaks) as (courier, _):
        for lane in "abc":
            put(stage, courier, lane)
        await settle()
        assert not stage.bot.pending


async def test_a_retry_after_of_zero_counts_as_none(stage: Stage) -> None:
    async with delivering(stage, Answer(500, {"retry-after": "0"})) as (courier, wire):
        put(stage, courier)
        await settle()
        assert wire.posts == 2
        order(stage, "/sim/clock", advance=2.1)
        await settle()
        assert wire.posts == 3


async def test_an_update_is_given_up_as_soon_as_its_next_attempt_would_come_too_late(stage: Stage) -> None:
    async with delivering(stage, WireError("away")) as (courier, _):
        first, second = put(stage, courier, life=3), put(stage, courier, life=500)
        first.attempts = 2
        await settle()
        assert list(stage.bot.pending) == [second.update_id]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".org"])
async def test_a_host_that_cannot_be_is_refused_and_ends_no_delivery(stage: Stage, host: str) -> None:
    words = stage.refusal("setWebhook", url=f"https://{host}/x")
    assert words == "Bad Request: bad webhook: invalid webhook URL specified"
    with pytest.raises(WireError):
        await Wire().post(target(f"https://{host}/x", ""), b"{}", 1.0)
