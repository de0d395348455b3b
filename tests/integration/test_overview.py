"""Looking at bots, in a large database and beside a Redis that hangs."""

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeout
from sqlalchemy import event

from botyard.bots import removal
from botyard.bots.overview import details, outbox_lanes, set_status, summaries
from botyard.mailbox import server
from botyard.settings import Settings
from db.engine import get_engine
from tests.factories import TELEGRAM_ID, make_bot
from tests.services import Services

MANY = """
INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params, state, resolved_at)
SELECT 1, 1, '5', 1, 'sendMessage', '{}', 'sent', now() FROM generate_series(1, 20000)
"""


@pytest.fixture
def hanging(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A Redis that takes connections and never answers."""
    monkeypatch.setattr(server, "_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
        yield settings.model_copy(update={"redis_url": url})


@pytest.mark.parametrize(
    "ask",
    [
        summaries,
        lambda settings: details(str(TELEGRAM_ID), settings),
        lambda settings: set_status(str(TELEGRAM_ID), "paused", settings),
        lambda settings: outbox_lanes(1, settings),
    ],
)
def test_nobody_waits_for_ever_for_a_redis_that_hangs(hanging: Settings, ask: Callable[[Settings], Any]) -> None:
    assert make_bot().id == 1
    with get_engine("system").begin() as connection:
        connection.exec_driver_sql(MANY.replace("20000", "1").replace("'sent', now()", "'queued', NULL"))
    with pytest.raises(RedisTimeout):
        ask(hanging)


def test_looking_at_a_silent_bot_or_removing_it_does_not_read_everybodys_outbox(
    clean: Services, settings: Settings
) -> None:
    make_bot()
    silent = make_bot(TELEGRAM_ID + 1)
    clean.superuser(MANY, "ANALYZE outbox")
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "outbox" in statement:
            asked.append((statement, parameters))

    engine = get_engine("system")
    event.listen(engine, "before_cursor_execute", note)
    try:
        details(str(silent.telegram_id), settings)
        outbox_lanes(silent.id, settings)
        removal._delete_rows(removal._begin(str(silent.telegram_id)))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 4
    with engine.connect() as connection:
        plans = [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            for statement, parameters in asked
        ]
    assert [plan for plan in plans if not re.search(r"Index Cond: \(+bot_id = 2|using ix_outbox_open", plan)] == []
