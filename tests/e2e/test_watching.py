"""What a running yard shows of itself, and to whom."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import psutil
import psycopg2
import pytest

from botyard.embedded import free_port
from tests.e2e.load import KIND
from tests.e2e.yard import Yard, wait_until


def _get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_readiness_say_states_and_nothing_else(yard: Yard) -> None:
    web = f"http://127.0.0.1:{yard.web_port}"
    assert _get(f"{web}/health") == (200, '{"status":"ok","backup":{"verifiedAgeSeconds":null,"ok":true}}')
    broker = '"broker":"ok",' if yard.environment["BROKER_URL"] else ""
    said = f'{{"redis":"ok","database":"ok","migrations":"ok",{broker}"sync":"ok"}}'
    assert _get(f"{web}/ready") == (200, said)


def test_metrics_count_what_came_in_what_was_processed_and_how_long_the_answer_took(yard: Yard) -> None:
    bot = yard.add_bot("4100000005:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KIND, "updates")
    before = yard.metric("bot_messages_processed_total")
    written = [{"person_id": 6_500_000_000 + number, "text": "hello"} for number in range(20)]

    yard.simulator.post("/sim/batch", bot_id=bot, messages=written)

    wait_until(lambda: yard.metric("bot_messages_processed_total") >= before + 20, 30, "20 more are processed")
    wait_until(lambda: yard.metric("bot_response_time_seconds_count") >= 20, 30, "their answers were timed")
    # Each process adds up what it counted once a second.
    wait_until(lambda: yard.metric("webhook_requests_total") >= 20, 30, "the requests were counted")
    wait_until(lambda: yard.metric("mailbox_updates") == yard.metric("outbox_rows") == 0, 30, "nothing waits")


def _spoil(yard: Yard, bot: int) -> None:
    """As after a deploy without the bot's package: what was there when it was added cannot be loaded any more."""
    owner = yard.environment["DATABASE_OWNER_URL"]
    with closing(psycopg2.connect(owner)) as database, database, database.cursor() as cursor:
        cursor.execute(
            "UPDATE bots SET kind = 'tests.e2e.bots:nobody' FROM bot_identities i"
            " WHERE i.bot_id = bots.id AND i.telegram_id = %s",
            [bot],
        )
        assert cursor.rowcount == 1


def test_logs_carry_ids_and_no_token(yard: Yard) -> None:
    token = "4100000006:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
    bot = yard.add_bot(token, KIND, "updates")
    _spoil(yard, bot)
    yard.simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": 6_600_000_000, "text": "hello"}])

    def text() -> str:
        return "".join(path.read_text(errors="replace") for path in yard.logs())

    wait_until(lambda: "tests.e2e.bots:nobody cannot be loaded" in text(), 30, "the trouble is logged")
    assert token.partition(":")[2] not in text()
    assert '"task_id"' in text()


@pytest.fixture
def flower(yard: Yard) -> Iterator[str]:
    port = free_port()
    environment = {**yard.environment, "FLOWER_PORT": str(port), "FLOWER_PASSWORD": "of-the-test"}
    process = subprocess.Popen([sys.executable, "-m", "botyard.cli", "flower"], env=environment)
    url = f"http://127.0.0.1:{port}/flower"
    try:
        wait_until(lambda: _answers(url), 30, "Flower answers")
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return _get(f"{url}/healthcheck")[0] == 200
    except OSError:
        return False


def test_flower_asks_for_its_password_and_lets_nobody_change_anything(flower: str, yard: Yard) -> None:
    shown = "Basic " + b64encode(b"botyard:of-the-test").decode()
    assert _get(f"{flower}/workers")[0] == 401
    assert _get(f"{flower}/workers", Authorization="Basic " + b64encode(b"botyard:wrong").decode())[0] == 401
    assert _get(f"{flower}/workers", Authorization=shown)[0] == 200

    order = urllib.request.Request(
        f"{flower}/api/worker/shutdown/worker@{os.uname().nodename}", method="POST", headers={"Authorization": shown}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(order, timeout=10)
    assert refused.value.code == 403
    assert refused.value.read() == b"Read only mode is enabled"
    assert yard.pid("worker")


def test_workers_say_how_they_are_to_whoever_inspects_them(yard: Yard) -> None:
    asked = subprocess.run(
        ["celery", "-A", "tasks", "inspect", "--json", "stats"], env=yard.environment, capture_output=True, check=True
    )
    said = json.loads(asked.stdout)
    assert {name.partition("@")[0] for name in said} >= {"worker", "slow", "outbound", "maintenance"}


def _policies(pid: int) -> set[int]:
    return {os.sched_getscheduler(thread.id) for thread in psutil.Process(pid).threads()}


def test_workers_interrupt_nobody_when_they_wake_up(yard: Yard) -> None:
    for name in ("worker", "worker_outbound"):
        main = yard.pid(name)
        for pid in [main, *(child.pid for child in psutil.Process(main).children())]:
            assert _policies(pid) == {os.SCHED_BATCH}
    assert _policies(yard.pid("web")) == {os.SCHED_OTHER}
