"""How many operations of a customer may be unfinished: those who look, and those who change something."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from botyard.operations import Runner, TooMany, Wanted, begin
from botyard.operations.running import run
from db.engine import get_sessions
from tests.integration.operations.test_operations import at_locks
from tests.services import Services


def test_those_who_only_look_share_one_and_keep_nobody_from_doing_something(clean: Services) -> None:
    first = begin(Wanted("bot.why", 1, 1))
    assert begin(Wanted("bot.why", 1, 1)) == first
    others = [begin(Wanted("bot.why", 1, bot)) for bot in range(2, 10)] + [begin(Wanted("bot.schema", 1, 1))]
    assert len({first, *others}) == 10
    with pytest.raises(TooMany):
        begin(Wanted("bot.why", 1, 10))
    for _ in range(50):
        begin(Wanted("test", 1, 31))
    run(first, {"bot.why": Runner(lambda _: {})})
    assert begin(Wanted("bot.why", 1, 1)) != first
    assert clean.superuser("SELECT count(*) FROM audit WHERE entity LIKE 'operations:%'") == [(50,)]


def test_two_that_begin_at_once_do_not_both_take_the_last_place(clean: Services) -> None:
    for _ in range(49):
        begin(Wanted("test", 1, 31))
    with get_sessions("system").begin() as session, ThreadPoolExecutor(1) as threads:
        begin(Wanted("test", 1), session)
        second = threads.submit(begin, Wanted("test", 1, 31))
        assert at_locks(clean, 1, 30)
        session.commit()
        with pytest.raises(TooMany):
            second.result(30)
