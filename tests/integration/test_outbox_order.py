"""Rows that wait for others are put off, and go on when those end: nothing is forgotten, and a claim stays small."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import orjson
import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from botyard.bots.registry import ServedBot
from botyard.delivery import outbox as statements
from botyard.delivery.outbox import Result, revive_forgotten
from botyard.telegram.run import Lane
from db.engine import get_engine
from db.prepared import Prepared
from tests.e2e.yard import wait_until
from tests.factories import make_bot
from tests.integration.outbox_tools import add_row, column, outbox_of, texts
from tests.services import Services


@pytest.fixture
def bot(clean: Services) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot()


def put_off(services: Services, row_id: int) -> None:
    services.superuser(f"UPDATE outbox SET due = 'infinity' WHERE id = {row_id}")  # noqa: S608 - our own number


def is_put_off(services: Services, row_id: int) -> bool:
    return column(services, row_id, "due = 'infinity'") == (True,)


def test_every_row_of_a_long_queue_goes_once_and_in_order(clean: Services, bot: ServedBot) -> None:
    for number in range(130):
        add_row(clean, bot, str(number), chat_key=str(number % 2))
    outbox = outbox_of(bot)
    sent: list[str] = []
    while outbox.next_due() is not None:
        rows = outbox.record_and_claim([], 50)
        sent += texts(rows)
        outbox.record_and_claim([Result(row.id, row.attempt, "sent", 7) for row in rows], 0)
    assert [text for text in sent if int(text) % 2] == [str(number) for number in range(1, 130, 2)]
    assert [text for text in sent if int(text) % 2 == 0] == [str(number) for number in range(0, 130, 2)]


_ROWS = "INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, state)"
_SEEN_LAST = {"a few that wait": ("queued", 100), "none that waits": ("sent", 8000)}


def _some(services: Services, bot: ServedBot, state: str, rows: int, then: str = "SELECT 1") -> None:
    with contextlib.closing(psycopg2.connect(services.owner_url)) as database:
        database.autocommit = True
        cursor = database.cursor()
        cursor.execute("SELECT set_config('app.tenant', '1', false)")
        cursor.execute(
            f"{_ROWS} SELECT {bot.id}, 1, n %% 300, 3, 'sendMessage', '{{}}', %s FROM generate_series(1, %s) AS n",  # noqa: S608
            (state, rows),
        )
        cursor.execute(then)


class Asked:
    """A sender's connection."""

    def __init__(self, cursor: Cursor, bot: ServedBot) -> None:
        self._cursor = cursor
        self._wanted: dict[str, Any] = {"bot": bot.id, "owner": "me", "limit": 50, "paced": 50, "lowest": 3, "max": 3}

    def plans(self) -> None:
        """Prepare what is asked, as each connection does every second."""
        for statement in (
            statements._ADOPT,
            statements._CLAIM,
            statements._RECORD_SENT,
            statements._RECORD_ANY,
            statements._NEXT_DUE,
        ):
            self._cursor.execute(statement.prepare)

    def blocks_read(self, statement: Prepared, *results: Result) -> int:
        """Ask, in a transaction of its own."""
        wanted = self._wanted | {"batch": orjson.dumps(results).decode()}
        self._cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.execute, wanted)
        ((((plan,),),)) = self._cursor.fetchall()
        return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


@pytest.fixture
def asked(clean: Services, bot: ServedBot) -> Iterator[Asked]:  # noqa: ARG001 - the emptied database
    pooled = get_engine("statements").raw_connection()
    cursor = cast("Cursor", pooled.cursor())
    cursor.execute("DEALLOCATE ALL; SELECT set_config('app.tenant', '1', false)")
    try:
        yield Asked(cursor, bot)
    finally:
        pooled.invalidate()


@pytest.mark.parametrize("seen", _SEEN_LAST)
def test_what_a_sender_asks_reads_little_of_a_long_queue_that_came_a_moment_ago(
    clean: Services, bot: ServedBot, asked: Asked, seen: str
) -> None:
    """Before PostgreSQL has looked at the table again, as it is in the minute after a broadcast was queued."""
    clean.superuser("ALTER TABLE outbox SET (autovacuum_enabled = false)")
    try:
        _some(clean, bot, *_SEEN_LAST[seen], then="VACUUM ANALYZE outbox")
        _some(clean, bot, "queued", 30000)
        asked.plans()
        for _ in range(3):
            assert asked.blocks_read(statements._CLAIM) < 5000
            assert asked.blocks_read(statements._ADOPT) < 50
            sending = clean.superuser("SELECT id, attempt FROM outbox WHERE state = 'sending'")
            assert sending
            results = [Result(row_id, attempt, "sent", 7) for row_id, attempt in sending]
            assert asked.blocks_read(statements._RECORD_ANY, *results[::2]) < 5000
            again = [replace(one, verdict="queued", due_in=60) for one in results[1::2]]
            assert asked.blocks_read(statements._RECORD_ANY, *again) < 5000
        assert asked.blocks_read(statements._NEXT_DUE) < 500
    finally:
        clean.superuser("ALTER TABLE outbox RESET (autovacuum_enabled)")


def test_what_is_found_waiting_is_put_off_and_goes_when_the_row_before_it_ends(clean: Services, bot: ServedBot) -> None:
    first, second, third = (add_row(clean, bot, text) for text in ("first", "second", "third"))
    outbox = outbox_of(bot)
    (row,) = outbox.record_and_claim([], 50)
    assert [is_put_off(clean, one) for one in (first, second, third)] == [False, True, True]
    again = outbox.record_and_claim([Result(first, row.attempt, "queued", due_in=0)], 0)
    assert again == []
    assert is_put_off(clean, second), "its predecessor is still open"
    (row,) = outbox.record_and_claim([], 50)
    outbox.record_and_claim([Result(first, row.attempt, "dead", error="x")], 0)
    assert [is_put_off(clean, one) for one in (second, third)] == [False, True]


def test_a_row_whose_predecessor_ends_while_another_sender_puts_it_off_is_not_forgotten(
    clean: Services, bot: ServedBot
) -> None:
    first, second = add_row(clean, bot, "first"), add_row(clean, bot, "second")
    old = outbox_of(bot, "old")
    (row,) = old.record_and_claim([], 1)
    clean.superuser(f"UPDATE outbox SET due = now() WHERE id = {second}")  # noqa: S608 - our own number
    with contextlib.closing(psycopg2.connect(clean.owner_url)) as other, ThreadPoolExecutor(1) as threads:
        other.cursor().execute("SELECT set_config('app.tenant', '1', true)")
        other.cursor().execute("UPDATE outbox SET due = 'infinity' WHERE id = %s", (second,))
        recorded = threads.submit(old.record_and_claim, [Result(first, row.attempt, "sent", 7)], 0)
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
        wait_until(lambda: bool(clean.superuser(waits)) or recorded.done(), 10, "the record waits for the other sender")
        other.commit()
        recorded.result(timeout=10)
    assert texts(outbox_of(bot, "new").record_and_claim([], 50)) == ["second"]


def test_what_was_put_off_and_forgotten_is_looked_at_again(clean: Services, bot: ServedBot) -> None:
    add_row(clean, bot, "sent", state="sent")
    forgotten, behind = add_row(clean, bot, "forgotten"), add_row(clean, bot, "behind it")
    put_off(clean, forgotten)
    put_off(clean, behind)
    assert outbox_of(bot).next_due() is None
    assert revive_forgotten() == 1
    assert [row.id for row in outbox_of(bot).record_and_claim([], 50)] == [forgotten]
    assert revive_forgotten() == 0, "what waits for an open row waits rightly"


def test_what_waits_behind_a_send_left_uncertain_goes_on(clean: Services, bot: ServedBot) -> None:
    add_row(clean, bot, "left", repeat_policy="leave")
    add_row(clean, bot, "next")
    assert texts(outbox_of(bot, "gone").record_and_claim([], 50)) == ["left"]
    assert outbox_of(bot).adopt() == 1
    assert texts(outbox_of(bot).record_and_claim([], 50)) == ["next"]


def test_what_waits_for_somebody_who_cannot_be_reached_is_dropped_with_the_rest(
    clean: Services, bot: ServedBot
) -> None:
    urgent, first, second = (add_row(clean, bot, str(lane), lane=lane) for lane in (0, 1, 1))
    behind_urgent = add_row(clean, bot, "answer", lane=0)
    outbox = outbox_of(bot)
    rows = outbox.record_and_claim([], 50)
    outbox.record_and_claim([Result(row.id, row.attempt, "dead", error="blocked", unreachable=True) for row in rows], 0)
    assert [column(clean, one, "state") for one in (urgent, first, second)] == [("dead",), ("dead",), ("dropped",)]
    assert [row.id for row in outbox.record_and_claim([], 50)] == [behind_urgent]


def test_what_shares_the_bots_rate_and_is_not_asked_for_is_neither_claimed_nor_due(
    clean: Services, bot: ServedBot
) -> None:
    for chat, lane in (("b", Lane.BULK), ("a", Lane.SCHEDULED), ("c", Lane.BULK)):
        add_row(clean, bot, chat, chat_key=chat, lane=lane.value)
    add_row(clean, bot, "reply", chat_key="d", due=20)
    outbox = outbox_of(bot)
    assert outbox.record_and_claim([], 50, paced=0) == []
    due = outbox.next_due(paced=False)
    assert due is not None
    assert due > 10
    assert texts(outbox.record_and_claim([], 50, paced=2)) == ["a", "b"]
    assert outbox.next_due() == 0.0
