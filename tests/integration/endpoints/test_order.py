"""Events in the order of their transactions: whoever reads on misses none, whenever it was committed."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from psycopg2.extensions import connection

from botyard.endpoints.claiming import any_due, claim
from botyard.endpoints.managing import change_endpoint
from botyard.endpoints.sending import Sender
from botyard.endpoints.settled import Chosen, place_of_id, places, settled_events
from botyard.endpoints.spreading import spread_events
from botyard.errors import InputError
from botyard.events import BotRestarted, BotStopped
from db.migrate import number_anew
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.endpoints.receiver import Receiver, endpoint, happen, messages, send_all
from tests.services import Services

ALL = Chosen()


@contextlib.contextmanager
def transaction(services: Services) -> Iterator[connection]:
    """A transaction of its own, as another process has it."""
    with contextlib.closing(psycopg2.connect(services.environment["DATABASE_SYSTEM_URL"])) as made:
        yield made


def write(made: connection, bot_id: int, kind: str) -> None:
    with made.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events (customer_id, bot_id, type, entity, actor, data) VALUES (1, %s, %s, 'x', 'test', '{}')",
            [bot_id, kind],
        )


def types(after: tuple[int, int] | None = None) -> list[str]:
    return [event.type for event in settled_events(1, after, ALL, 100)]


def test_an_event_that_was_committed_late_is_not_missed(clean: Services, receiver: Receiver) -> None:
    bot = make_bot()
    endpoint(receiver)
    with transaction(clean) as early, transaction(clean) as late:
        write(early, bot.id, "bot.added")
        write(late, bot.id, "bot.started")
        late.commit()
        # The one that began first still runs: what stands behind it could be read now, but not what it will bring.
        assert types() == []
        assert spread_events().unsettled
        assert messages(clean) == []
        early.commit()
    assert types() == ["bot.added", "bot.started"]
    assert not spread_events().unsettled
    told = clean.superuser("SELECT type FROM endpoint_messages ORDER BY id")
    assert told == [("bot.added",), ("bot.started",)]


def test_a_lower_number_that_is_committed_later_comes_behind_what_was_read(clean: Services) -> None:
    bot = make_bot()
    with transaction(clean) as first, transaction(clean) as second:
        # The transaction that began first takes its numbers last.
        write(first, bot.id, "bot.added")
        write(second, bot.id, "bot.queue")
        write(first, bot.id, "bot.started")
        second.commit()
        first.commit()
    read = settled_events(1, None, ALL, 100)
    assert [event.type for event in read] == ["bot.added", "bot.started", "bot.queue"]
    for one, following in itertools.pairwise(read):
        assert types(places([one]))[0] == following.type


def test_who_reads_on_while_many_write_reads_each_event_once(clean: Services) -> None:
    bot = make_bot()
    over = threading.Event()

    def busy(number: int) -> None:
        with transaction(clean) as made:
            for turn in range(60):
                write(made, bot.id, f"{number}.{turn}")
                if turn % (number + 1) == 0:
                    made.commit()
            made.commit()

    def reader() -> list[str]:
        found, place = [], None
        while True:
            last = over.is_set()
            read = settled_events(1, place, ALL, 7)
            found += [event.type for event in read]
            place = places(read) or place
            if last and not read:
                return found

    with ThreadPoolExecutor(5) as threads:
        reading = threads.submit(reader)
        writing = [threads.submit(busy, number) for number in range(4)]
        for one in writing:
            one.result(60)
        over.set()
        found = reading.result(60)
    assert sorted(found) == sorted(f"{number}.{turn}" for number in range(4) for turn in range(60))


def test_spreading_side_by_side_makes_one_message_of_each_event(clean: Services, receiver: Receiver) -> None:
    bot = make_bot()
    for path in range(3):
        endpoint(receiver, f"/{path}")
    happen(bot.id, count=700)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: [spread_events() for _ in range(4)], range(4)))
    assert not spread_events().seen
    counted = clean.superuser("SELECT count(*), count(DISTINCT event_id) FROM endpoint_messages GROUP BY endpoint_id")
    assert counted == [(700, 700)] * 3


async def test_an_endpoint_gets_what_it_wants_and_nothing_that_was_before_it(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot, other = make_bot(), make_bot(TELEGRAM_ID + 1, token=f"{TELEGRAM_ID + 1}:{'a' * 35}")
    happen(bot.id, count=2)
    endpoint(receiver, "/all")
    endpoint(receiver, "/types", types=["message.received", "bot.restarted"])
    endpoint(receiver, "/bot", bots=[other.id])
    stopped = BotStopped(status="paused", reason="x")
    for one in (bot, other):
        happen(one.id, stopped)
        happen(one.id, BotRestarted())
    with transaction(clean) as made:
        write(made, bot.id, "message.received")
        write(made, bot.id, "update.processed")
        made.commit()
    await send_all(sender)
    counted = {path: sum(got.path == path for got in receiver.got) for path in ("/all", "/types", "/bot")}
    assert counted == {"/all": 4, "/types": 3, "/bot": 2}


@pytest.mark.parametrize(
    ("away", "back"),
    [
        ("UPDATE customers SET status = 'suspended'", "UPDATE customers SET status = 'active'"),
        ("UPDATE customers SET removal_began = now()", "UPDATE customers SET removal_began = NULL"),
    ],
)
async def test_nothing_is_made_for_an_endpoint_that_is_off_or_whose_customer_is_suspended_or_being_removed(
    sender: Sender, receiver: Receiver, clean: Services, away: str, back: str
) -> None:
    bot = make_bot()
    number, _ = endpoint(receiver)
    clean.superuser(away)
    happen(bot.id)
    await send_all(sender)
    assert (receiver.got, messages(clean)) == ([], [])
    clean.superuser(back)
    spread_events()
    clean.superuser(away)
    assert (any_due(), claim(10)) == (False, []), "nor is what was made before sent"
    clean.superuser(back)
    await send_all(sender)
    assert len(receiver.got) == 1, "it goes on where it was"
    change_endpoint(number, {"status": "disabled"})
    happen(bot.id)
    await send_all(sender)
    assert len(receiver.got) == 1


async def test_what_was_restored_into_another_cluster_goes_on(
    sender: Sender, receiver: Receiver, clean: Services
) -> None:
    bot = make_bot()
    endpoint(receiver)
    happen(bot.id)
    await send_all(sender)
    assert number_anew() is False
    happen(bot.id)
    clean.superuser(
        "UPDATE events SET xid = xid + 1000000000", "UPDATE endpoints SET after_xid = after_xid + 1000000000"
    )
    await send_all(sender)
    assert len(receiver.got) == 1, "numbers of another cluster never come"
    assert [number_anew(), number_anew()] == [True, False]
    happen(bot.id)
    await send_all(sender)
    numbers = clean.superuser("SELECT event_id FROM endpoint_messages ORDER BY id")
    assert numbers == clean.superuser("SELECT id FROM events ORDER BY id")
    assert (len(numbers), len(receiver.got)) == (3, 3)


def test_a_place_is_found_by_an_event_of_ones_own_only(clean: Services) -> None:
    bot = make_bot()
    happen(bot.id)
    ((number,),) = clean.superuser("SELECT id FROM events")
    assert place_of_id(1, number)[1] == number
    clean.superuser("INSERT INTO customers (id, name, username) VALUES (77, 'Two', 'two')")
    for customer, event in ((77, number), (1, number + 1)):
        with pytest.raises(InputError):
            place_of_id(customer, event)
