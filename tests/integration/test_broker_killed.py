"""RabbitMQ dies under load and comes back: each update takes effect once, and is answered in order."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import rabbitmq
from tests.e2e.conftest import FAST
from tests.e2e.load import SLOW_KIND, drained, write_in_bursts
from tests.e2e.yard import Yard
from tests.rabbitmq import RabbitServer

pytestmark = pytest.mark.skipif(rabbitmq.SERVER not in os.environ, reason="needs RabbitMQ: see `make test-rabbitmq`")


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitServer]:
    with rabbitmq.serving() as server:
        yield server


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, broker: RabbitServer) -> Iterator[Yard]:
    with Yard(tmp_path_factory.mktemp("yard"), **FAST, BROKER_URL=broker.url) as running:
        running.simulator.post("/sim/settings", flood=False, retry_scale=0.2)
        yield running


@pytest.mark.timeout(280)
def test_workers_survive_the_death_of_rabbitmq_and_nothing_is_lost_doubled_or_out_of_order(
    yard: Yard, broker: RabbitServer
) -> None:
    bots = [
        yard.add_bot(f"420000020{number}:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SLOW_KIND, queue)
        for number, queue in enumerate(("updates", "slow"))
    ]
    lives = {name: yard.pid(name) for name in ("worker", "worker_slow", "worker_outbound", "worker_maintenance")}
    yard.simulator.post("/sim/history/reset")

    def restart(burst: int, of: int) -> None:
        """Twice, in the middle of a burst: gone, and back after some bursts that nobody could be told of."""
        if burst in (of // 4, 2 * of // 3):
            broker.kill()
        if burst in (of // 4 + 3, 2 * of // 3 + 1):
            broker.start()

    made = write_in_bursts(yard, bots, messages=2000, chats=50, seconds=40, meanwhile=restart)
    ended = time.monotonic()
    verdict, history = drained(yard, made, 120)

    print(verdict, f"recovered within {time.monotonic() - ended:.1f} s")
    assert verdict.examples == []
    assert verdict.accepted == made == 2000
    # Telegram never hears of it: an update is acknowledged once it is in its mailbox.
    assert {event["status"] for event in history if event["kind"] == "delivery"} == {200}
    assert {name: yard.pid(name) for name in lives} == lives, "no worker has ended"
    assert rabbitmq.PASSWORD not in "".join(Path(log).read_text(errors="replace") for log in yard.logs())
