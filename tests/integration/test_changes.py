from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, delete, insert, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from botyard.events import BotRestarted, record
from botyard.settings import Settings
from botyard.sync import get_sync
from botyard.sync.service import Data
from db.acting import act_as, acting_as
from db.changes import YardSession
from db.engine import get_engine, get_sessions
from db.models import AuditEntry, Bot, BotIdentity, Customer, Person
from tests.factories import TOKEN, make_bot
from tests.services import Services

Told = list[tuple[str, Data]]


@pytest.fixture
def told(settings: Settings) -> Iterator[Told]:  # noqa: ARG001 - its servers
    """What this process hears, its own words included."""
    found: Told = []
    end = get_sync().on("*", lambda event, data: found.append((event, data)))
    yield found
    end()


def names(told: Told) -> list[str]:
    return [f"{event} {data.get('id')}" for event, data in told]


def audit() -> list[AuditEntry]:
    with get_sessions("system")() as session:
        return list(session.query(AuditEntry).order_by(AuditEntry.id))


def begin() -> Session:
    return get_sessions("system")()


def test_a_change_is_told_after_its_commit_with_ids_and_versions_only(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        row.name, row.config_version = "secret plans", 9
        session.flush()
        assert told == [], "nobody can read it yet"
        session.commit()
    assert told == [("bots.updated", {"id": bot.id, "version": 9, "customer": 1})]


def test_what_is_rolled_back_is_not_told_and_leaves_no_record(told: Told) -> None:
    bot = make_bot()
    told.clear()
    before = len(audit())
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        row.name = "other"
        session.flush()
        session.rollback()
        session.commit()
    assert told == []
    assert len(audit()) == before


def test_a_savepoint_that_is_taken_back_takes_its_changes_with_it(told: Told) -> None:
    with begin() as session:
        session.add(Customer(name="First", username="first"))
        session.flush()
        inner = session.begin_nested()
        session.add(Customer(name="Second", username="second"))
        session.flush()
        inner.rollback()
        with session.begin_nested():
            session.add(Customer(name="Third", username="third"))
        assert told == [], "a savepoint's end is no commit"
        session.commit()
    assert [event for event, _ in told] == ["customers.created", "customers.created"]
    assert [entry.after["name"] for entry in audit() if entry.after] == ["First", "Third"]


def test_bulk_statements_are_told_row_by_row_and_recorded(told: Told) -> None:
    bots = [make_bot(telegram_id=4_200_000_000 + number) for number in range(3)]
    told.clear()
    with begin() as session:
        changed = session.execute(update(Bot).where(Bot.id.in_([bots[0].id, bots[1].id])).values(status="paused"))
        assert changed.rowcount == 2  # type: ignore[attr-defined]
        session.commit()
    # In which order one statement changes its rows is the database's affair.
    assert sorted(names(told)) == [f"bots.updated {bots[0].id}", f"bots.updated {bots[1].id}"]
    entry = audit()[-1]
    assert (entry.before or {})["status"] == "active"
    assert (entry.after or {})["status"] == "paused"
    told.clear()
    with begin() as session:
        session.query(Bot).filter(Bot.id == bots[2].id).delete()
        session.execute(delete(Bot).where(Bot.id == bots[0].id))
        session.commit()
    assert names(told) == [f"bots.deleted {bots[2].id}", f"bots.deleted {bots[0].id}"]
    assert audit()[-1].action == "deleted"


def test_a_bulk_statement_that_changes_nothing_tells_nothing(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with begin() as session:
        session.execute(update(Bot).where(Bot.id == bot.id + 1).values(status="paused"))
        session.commit()
    assert told == []


def test_rows_that_a_bulk_insert_makes_are_told_as_something_new(told: Told) -> None:
    with begin() as session:
        session.execute(insert(Customer), [{"name": "A", "username": "a"}, {"name": "B", "username": "b"}])
        session.commit()
    assert told == [("customers.created", {})]


def test_a_part_of_a_bot_is_told_as_a_change_of_the_bot(told: Told) -> None:
    make_bot()
    made = [(event, data["id"]) for event, data in told if event.startswith("bots.")]
    assert ("bots.created", 1) in made
    assert ("bots.updated", 1) in made, "its identity"
    assert {number for _, number in made} == {1}


def test_a_domain_event_is_told_by_its_number(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        record(session, row, BotRestarted())
        session.commit()
    ((event, data),) = told
    assert event == "events.bot.restarted"
    assert data["bot"] == bot.id
    assert data["id"]


def test_raw_sql_is_not_told_but_counts_a_version(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with get_engine("system").begin() as connection:
        connection.execute(text("UPDATE bots SET kind = 'other'"))
    assert told == []
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        assert row.config_version == bot.config_version + 1


def test_the_record_says_who_changed_what_from_what_to_what(settings: Settings) -> None:  # noqa: ARG001 - its servers
    with acting_as("person:12"), begin() as session:
        session.add(Person(name="Anna", superadmin=True))
        session.commit()
    act_as("botyard")
    with begin() as session:
        person = session.query(Person).one()
        person.superadmin = False
        session.commit()
    made, changed = audit()
    assert (made.actor, made.action, made.entity, made.before) == ("person:12", "created", "people:1", None)
    assert (made.after or {})["name"] == "Anna"
    assert (changed.actor, changed.before, changed.after) == ("botyard", {"superadmin": True}, {"superadmin": False})


def test_the_record_masks_secrets_and_tokens_that_got_into_a_name(settings: Settings) -> None:  # noqa: ARG001 - its servers
    bot = make_bot()
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        row.name, row.webhook_secret_hash = f"my {TOKEN}", b"a new hash"
        session.commit()
    entry = audit()[-1]
    assert entry.after is not None
    assert entry.after["webhook_secret_hash"] == "***"
    assert TOKEN.partition(":")[2] not in str([(one.before, one.after) for one in audit()])


def test_every_session_of_the_product_listens() -> None:
    for role in ("application", "system"):
        assert issubclass(get_sessions(role).class_, YardSession)


def test_a_refused_row_in_a_savepoint_silences_nothing_before_it(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with begin() as session:
        row = session.get(Bot, bot.id)
        assert row is not None
        row.name = "other"
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Customer(name="Another default", username="default"))
        session.commit()
    assert names(told) == [f"bots.updated {bot.id}"]


def test_a_bulk_statement_takes_parameters_and_lists_of_them(told: Told) -> None:
    bots = [make_bot(telegram_id=4_200_000_000 + number) for number in range(3)]
    told.clear()
    with begin() as session:
        session.execute(update(Bot).where(Bot.id == bindparam("bot")).values(status="paused"), {"bot": bots[0].id})
        session.execute(update(Bot), [{"id": bots[1].id, "status": "paused"}])
        session.commit()
    assert names(told) == [f"bots.updated {bots[0].id}", f"bots.updated {bots[1].id}"]


def test_a_bulk_statement_records_what_was_there_and_not_what_its_session_knew(clean: Services) -> None:
    bot = make_bot()
    with begin() as session:
        assert session.get(Bot, bot.id)
        clean.superuser("UPDATE bots SET status = 'paused'")
        session.execute(update(Bot).where(Bot.id == bot.id).values(status="active"))
        session.commit()
    assert (audit()[-1].before or {})["status"] == "paused"


def test_a_change_of_what_the_record_masks_is_told_all_the_same(told: Told) -> None:
    bot = make_bot()
    told.clear()
    with begin() as session:
        door = session.query(BotIdentity).one()
        door.secret_hash = b"another"
        session.commit()
    assert names(told) == [f"bots.updated {bot.id}"]
    assert (audit()[-1].before, audit()[-1].after) == ({"secret_hash": "***"}, {"secret_hash": "***"})
