"""A prefork worker that is told to end: its children finish what they have in hand, and it goes then, not later."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
import redis
from celery.apps.worker import Worker
from celery.concurrency.asynpool import AsynPool
from celery.platforms import EX_FAILURE

import tasks.leaving
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import get_settings
from botyard.telegram.keys import chat_key
from tasks.leaving import Leaving, YardWorker
from tasks.results import Results
from tests.e2e.yard import wait_until
from tests.factories import TELEGRAM_ID, TIMES, entry, make_bot, message
from tests.services import Services
from tests.workers import celery_worker

CHATS = 100
_OF_A_POOL = (
    "_outqueue", "_quick_get", "_cache", "_poll_result", "_putlock", "restart_state", "_on_ready_counters",
    "_fileno_to_outq", "check_timeouts",
)  # fmt: skip
GONE_SECONDS = 6.0
"""Well before Celery's soft shutdown would be over."""


def resolved(services: Services) -> int:
    with closing(psycopg2.connect(services.owner_url)) as database:
        cursor = database.cursor()
        cursor.execute("SELECT count(*) FROM inbox")
        return int(cursor.fetchall()[0][0])


def test_a_child_that_died_at_work_is_not_at_work_any_more() -> None:
    leaving = Leaving()
    pid = os.fork()
    if not pid:
        with leaving.at_work():
            time.sleep(60)  # until it is killed
        os._exit(0)
    wait_until(lambda: not leaving.nobody_at_work(), 10, "it is at work")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert leaving.nobody_at_work()


class Hanging(YardWorker):
    """Waits for what will never come, when it is to end."""

    def __init__(self) -> None:
        self.blueprint: Any = SimpleNamespace(state=None)

    def _send_worker_shutdown(self) -> None:
        time.sleep(60)  # until it is ended


def test_a_worker_that_cannot_go_on_ends_even_if_what_is_broken_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.leaving, "_LONGEST_END_SECONDS", 0.2)
    pid = os.fork()
    if not pid:
        Hanging().stop(exitcode=EX_FAILURE)
        os._exit(0)
    began = time.monotonic()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == EX_FAILURE
    assert time.monotonic() - began < 10


def test_a_worker_that_is_told_to_end_finishes_what_it_has_and_leaves_the_rest(
    clean: Services, raw_valkey: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMAP_SIGTERM", "SIGQUIT")
    make_bot(kind="tests.integration.kinds:slow")
    keeper, tickets = Keeper(raw_valkey, TIMES), CeleryTickets(celery_producer())
    with celery_worker(tmp_path, ["updates", "slow"], "prefork", "leaving") as (process, _):
        for number in range(CHATS):
            update = message(number + 1, chat_id=number + 1)
            accepted = keeper.accept(TELEGRAM_ID, chat_key(update), update["update_id"], entry(update))
            if accepted.ticket is not None:
                tickets.send(accepted.ticket)
        wait_until(lambda: raw_valkey.hlen(f"by:own:{TELEGRAM_ID}") > 0, 30, "some are in hand")

        process.terminate()
        began = time.monotonic()
        process.wait(30)

        assert time.monotonic() - began < GONE_SECONDS
    left = sum(raw_valkey.llen(name) for name in raw_valkey.scan_iter("by:box:*"))
    assert 0 < resolved(clean) == CHATS - left <= get_settings().slice_chats, "no more than what was in hand"
    assert raw_valkey.hlen(f"by:own:{TELEGRAM_ID}") == 0, "nothing was cut off"
    assert raw_valkey.hlen(f"by:try:{TELEGRAM_ID}") == 0, "nothing counts as tried"


def test_a_prefork_workers_pool_hears_its_children_as_ours_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsynPool, "ResultHandler", AsynPool.ResultHandler)
    monkeypatch.setattr(Worker, "setup_instance", lambda *_, **__: None)
    YardWorker.__new__(YardWorker).setup_instance()
    pool: Any = AsynPool.__new__(AsynPool)
    vars(pool).update(dict.fromkeys(_OF_A_POOL))
    assert isinstance(pool.create_result_handler(), Results)
