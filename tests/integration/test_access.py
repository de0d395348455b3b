"""Who is let in, and what they reach."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256

import pytest
import redis
from sqlalchemy import event, text
from typer.testing import CliRunner

from botyard.accounts import access, customers, reading, services
from botyard.accounts.access import (
    Actor,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Suspended,
    actor_of,
    bot_for,
    customer_for,
    superadmin_only,
)
from botyard.accounts.bearer import fresh_key, public_id_of
from botyard.accounts.leaving import due_removals, finish_removal
from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.cli import app
from botyard.errors import InputError
from db.acting import acting_as
from db.engine import get_engine, get_sessions
from db.models import Bot, BotIdentity
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import House, house, superadmin
from tests.services import Services


@pytest.fixture
def one(clean: Services) -> House:
    del clean
    return house("one", TELEGRAM_ID)


@pytest.fixture
def two(one: House) -> House:
    del one
    return house("two", TELEGRAM_ID + 1)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What is asked of the database."""
    found: list[str] = []

    def note(*words: object) -> None:
        found.append(str(words[2]))

    engines = [get_engine("application"), get_engine("system")]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def test_a_token_has_256_random_bits_and_only_its_digest_is_kept(clean: Services) -> None:
    made = services.new_token(TokenWanted("anna"))
    # 43 of 62 letters and digits, behind the public id and before the checksum.
    assert re.fullmatch(r"by_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", made.token)
    assert len({fresh_key().key.split("_")[2][:43] for _ in range(1000)}) == 1000
    kept = clean.superuser("SELECT digest FROM access_tokens")
    assert [bytes(digest) for (digest,) in kept] == [sha256(made.token.encode()).digest()]
    everything = clean.superuser("SELECT (SELECT string_agg(t::text, '') FROM access_tokens t)||coalesce((SELECT string_agg(a::text, '') FROM audit a), '')")  # fmt: skip # noqa: E501
    assert made.token not in everything[0][0]
    assert made.token not in repr(made)


def test_a_person_without_a_customer_is_a_superadmin_and_stays_what_they_are(one: House) -> None:
    assert actor_of(superadmin()).superadmin
    member = actor_of(one.tokens[Role.VIEWER])
    assert not member.superadmin
    # Another token of the same person gives no other rights.
    again = actor_of(services.new_token(TokenWanted(member.name)).token)
    assert (again.superadmin, dict(again.roles)) == (False, {one.id: Role.VIEWER})


@pytest.mark.parametrize("shown", [None, "", "by_", "by_" + "a" * 43, "\ud800", "x" * 10_000])
def test_whoever_shows_no_token_of_ours_is_not_let_in(clean: Services, shown: str | None) -> None:
    del clean
    with pytest.raises(NotSignedIn):
        actor_of(shown)


def test_a_token_that_expired_or_was_revoked_is_refused_at_once(clean: Services) -> None:
    made = services.new_token(TokenWanted("anna", expires_days=1))
    assert actor_of(made.token).name == "anna"
    clean.superuser("UPDATE access_tokens SET expires_at = now()")
    with pytest.raises(NotSignedIn):
        actor_of(made.token)
    clean.superuser("UPDATE access_tokens SET expires_at = now() + interval '1 hour'")
    assert actor_of(made.token).name == "anna"
    services.revoke_token(made.id)
    with pytest.raises(NotSignedIn):
        actor_of(made.token)
    with pytest.raises(InputError, match="there is no token 99"):
        services.revoke_token(99)


def test_a_role_may_do_what_those_below_it_may(one: House) -> None:
    for role, token in one.tokens.items():
        for needed in Role:
            if role >= needed:
                assert customer_for(actor_of(token), one.id, needs=needed).id == one.id
                assert bot_for(actor_of(token), one.bot.id, needs=needed).id == one.bot.id
            else:
                with pytest.raises(NotAllowed, match=f"needs the role {needed}"):
                    bot_for(actor_of(token), one.bot.id, needs=needed)


def test_what_is_anothers_and_what_is_nowhere_is_the_same_error_after_the_same_work(
    one: House, two: House, statements: list[str]
) -> None:
    actor = actor_of(one.tokens[Role.OWNER])

    def told(load: Callable[[], object]) -> tuple[type[BaseException], str, list[str]]:
        statements.clear()
        with pytest.raises(NotFound) as refused:
            load()
        return type(refused.value), str(refused.value), statements[:]

    theirs = told(lambda: bot_for(actor, two.bot.id, needs=Role.VIEWER))
    assert theirs == told(lambda: bot_for(actor, 999_999, needs=Role.VIEWER))
    assert any("set_config" in statement for statement in theirs[2])
    theirs = told(lambda: customer_for(actor, two.id, needs=Role.VIEWER))
    assert theirs == told(lambda: customer_for(actor, 999_999, needs=Role.VIEWER))
    for odd in (0, -1, 2**63, 10**30):
        told(lambda odd=odd: bot_for(actor, odd, needs=Role.VIEWER))  # type: ignore[misc]
        told(lambda odd=odd: customer_for(actor, odd, needs=Role.VIEWER))  # type: ignore[misc]


def test_a_superadmin_reaches_everything_as_the_tenant_whose_it_is(
    one: House, two: House, statements: list[str]
) -> None:
    root = actor_of(superadmin())
    assert bot_for(root, one.bot.id, needs=Role.OWNER).id == one.bot.id
    assert any("set_config" in statement for statement in statements)
    assert [bot.id for bot, _ in reading.bots_of(root, after=0, limit=10)[0]] == [one.bot.id, two.bot.id]
    assert [bot.id for bot, _ in reading.bots_of(root, after=one.bot.id, limit=1)[0]] == [two.bot.id]
    for missing in (999_999, 0):
        with pytest.raises(NotFound):
            bot_for(root, missing, needs=Role.VIEWER)
        with pytest.raises(NotFound):
            customer_for(root, missing, needs=Role.VIEWER)


def test_somebody_who_acts_for_two_customers_sees_both_and_is_asked_which_one_is_meant(one: House, two: House) -> None:
    services.new_token(TokenWanted("anna", "one", Role.VIEWER))
    anna = actor_of(services.new_token(TokenWanted("anna", "two", Role.OWNER)).token)
    assert [customer.id for customer in reading.customers_of(anna, after=0, limit=10)[0]] == [one.id, two.id]
    assert [bot.id for bot, _ in reading.bots_of(anna, after=0, limit=10)[0]] == [one.bot.id, two.bot.id]
    with pytest.raises(InputError, match="more than one"):
        reading.own_customer(anna, None, needs=Role.VIEWER)
    assert reading.own_customer(anna, two.id, needs=Role.OWNER).id == two.id
    with pytest.raises(NotAllowed):
        bot_for(anna, one.bot.id, needs=Role.OPERATOR)


def test_a_superadmins_key_for_some_bots_is_none_for_the_installation() -> None:
    root = Actor(1, "root", superadmin=True, roles={})
    superadmin_only(root)
    with pytest.raises(NotAllowed):
        superadmin_only(replace(root, bots=frozenset({1})))


def test_the_tenant_ends_with_the_transaction(one: House) -> None:
    for _ in range(10):
        with access.tenant_session(one.id) as session:
            assert session.scalar(text("SELECT count(*) FROM bots")) == 1
        with get_engine("application").connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM bots")).scalar() == 0


def test_a_suspended_customers_people_get_nothing_and_are_told_so(one: House, two: House) -> None:
    customers.suspend_customer(one.id)
    actor = actor_of(one.tokens[Role.OWNER])
    for load in (
        lambda: bot_for(actor, one.bot.id, needs=Role.VIEWER),
        lambda: customer_for(actor, one.id, needs=Role.VIEWER),
    ):
        with pytest.raises(Suspended, match="suspended"):
            load()
    assert reading.bots_of(actor, after=0, limit=10) == ([], None)
    assert reading.customers_of(actor, after=0, limit=10) == ([], None)
    assert bot_for(actor_of(superadmin()), one.bot.id, needs=Role.OWNER).status == "inactive"
    assert bot_for(actor_of(two.tokens[Role.OWNER]), two.bot.id, needs=Role.OWNER).status == "active"


def test_somebody_of_two_customers_goes_on_acting_for_the_one_that_is_not_suspended(one: House, two: House) -> None:
    services.new_token(TokenWanted("anna", "one", Role.OWNER))
    token = services.new_token(TokenWanted("anna", "two", Role.OWNER)).token
    customers.suspend_customer(one.id)
    anna = actor_of(token)
    assert [bot.id for bot, _ in reading.bots_of(anna, after=0, limit=10)[0]] == [two.bot.id]
    assert reading.own_customer(anna, None, needs=Role.OWNER).id == two.id
    with pytest.raises(Suspended):
        bot_for(anna, one.bot.id, needs=Role.VIEWER)


@pytest.mark.parametrize("before", ["active", "paused", "maintenance", "error", "inactive"])
def test_after_a_suspension_bots_are_as_they_were(
    one: House, clean: Services, valkey: "redis.Redis", before: str
) -> None:
    clean.superuser(f"UPDATE bots SET status = '{before}', status_reason = 'of its own'")  # noqa: S608 - from the list above
    with acting_as("person:7"):
        stopped = customers.suspend_customer(one.id)
        assert customers.suspend_customer(one.id) == []
        mailboxes = f"by:bot:{one.bot.telegram_id}"
        assert valkey.hget(mailboxes, "paused") == (None if before in ("error", "inactive") else "1")
        kept = before in ("error", "inactive")
        now, why = clean.superuser("SELECT status, status_reason FROM bots")[0]
        assert (now, why) == (before, "of its own") if kept else now == "inactive" and "suspended" in why
        assert customers.resume_customer(one.id) == stopped == ([] if kept else [one.bot.id])
    assert clean.superuser("SELECT status FROM bots") == [(before,)]
    assert valkey.hget(mailboxes, "paused") == {"active": "0", "maintenance": "0", "paused": "1"}.get(before)
    if not kept:
        events = clean.superuser("SELECT type, actor FROM events ORDER BY id")
        back = "bot.started" if before == "active" else "bot.stopped"
        assert events == [("bot.stopped", "person:7"), (back, "person:7")]


def test_a_customer_goes_when_its_last_bot_is_gone(one: House, clean: Services) -> None:
    assert customers.remove_customer(one.id) == [one.bot.id]
    assert customers.begin_removal(one.id) == [one.bot.id]
    assert clean.superuser("SELECT status, removal_began IS NOT NULL FROM bots") == [("inactive", True)]
    assert customers.remove_customer(one.id) == [one.bot.id]
    clean.superuser("DELETE FROM bots")
    assert customers.remove_customer(one.id) == []
    assert clean.superuser("SELECT count(*) FROM customers WHERE username = 'one'") == [(0,)]
    assert customers.remove_customer(one.id) == []
    with pytest.raises(NotSignedIn):
        actor_of(one.tokens[Role.OWNER])


def test_a_worker_removes_the_bots_of_a_leaving_customer_and_then_the_customer(
    one: House, two: House, clean: Services
) -> None:
    customers.begin_removal(one.id)
    finish_removal(one.bot.id, one.id)
    finish_removal(one.bot.id, one.id)
    assert clean.superuser("SELECT id FROM bots") == [(two.bot.id,)]
    assert clean.superuser("SELECT id FROM customers WHERE id > 1") == [(two.id,)]


def test_one_worker_at_a_time_removes_a_bot(one: House, clean: Services, valkey: "redis.Redis") -> None:
    customers.begin_removal(one.id)
    with valkey.lock(f"by:removing:{one.bot.id}", timeout=60):
        finish_removal(one.bot.id, one.id)
    assert clean.superuser("SELECT id FROM bots") == [(one.bot.id,)]
    finish_removal(one.bot.id, one.id)
    assert clean.superuser("SELECT id FROM bots") == []


def test_each_removal_is_due_once_also_after_a_customer_that_has_just_gone(
    one: House, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers.begin_removal(one.id)
    clean.superuser("UPDATE bots SET removal_began = removal_began - interval '1 hour'")
    monkeypatch.setattr(customers, "due_customers", lambda: [999_999, one.id])
    due = due_removals()
    assert (due.bots, due.customers) == ([(one.bot.id, one.id)], [])


def test_a_worker_removes_nothing_of_which_nobody_has_asked_it(one: House, clean: Services) -> None:
    finish_removal(one.bot.id, one.id)
    finish_removal(one.bot.id, 1)
    finish_removal(999_999, 999_999)
    assert clean.superuser("SELECT status, removal_began FROM bots") == [("active", None)]
    assert clean.superuser("SELECT count(*) FROM customers") == [(2,)]


def test_a_removal_whose_worker_died_is_found_after_a_while(one: House, two: House, clean: Services) -> None:
    customers.begin_removal(one.id)
    assert customers.forgotten_removals() == []
    clean.superuser("UPDATE bots SET removal_began = removal_began - interval '1 hour'")
    assert customers.forgotten_removals() == [one.bot.id]
    assert two.bot.id not in customers.forgotten_removals()


def test_the_installations_own_customer_stays(clean: Services) -> None:
    del clean
    for change in (customers.remove_customer, customers.begin_removal, customers.suspend_customer):
        with pytest.raises(InputError, match="stays"):
            change(1)


@pytest.mark.parametrize("username", ["", "A", "a", "1a", "Ann", "ann b", "ann\n", "a" * 65, "änn", "-ann"])
def test_a_username_that_is_none_is_refused(clean: Services, username: str) -> None:
    with pytest.raises(InputError, match="username"):
        customers.add_customer(username)
    assert clean.superuser("SELECT count(*) FROM customers") == [(1,)]


def test_a_username_is_given_once(one: House) -> None:
    with pytest.raises(customers.Taken, match="'one' is taken"):
        customers.add_customer(one.username)


# --- the commands ---


def run(*words: str) -> tuple[str, str, int]:
    ran = CliRunner().invoke(app, [*words])
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.stdout, ran.stderr, ran.exit_code


def test_the_command_prints_the_token_alone(one: House) -> None:
    shown, said, code = run("admin", "token", "--customer", "one", "--role", "viewer", "--name", "bob")
    assert code == 0
    assert public_id_of(shown.strip())
    assert shown.strip() not in said
    bob = actor_of(shown.strip())
    assert (bob.name, dict(bob.roles)) == ("bob", {one.id: Role.VIEWER})
    listed, _, _ = run("admin", "tokens")
    assert "bob" in listed
    assert "one (viewer)" in listed
    assert shown.strip() not in listed


def test_a_token_is_revoked_by_its_number(clean: Services) -> None:
    shown, _, _ = run("admin", "token")
    ((number,),) = clean.superuser("SELECT id FROM access_tokens")
    assert actor_of(shown.strip()).superadmin
    run("admin", "revoke", str(number))
    with pytest.raises(NotSignedIn):
        actor_of(shown.strip())


def test_customers_are_made_shown_and_suspended_by_commands(clean: Services) -> None:
    assert '"username": "acme"' in run("customer", "add", "acme", "--name", "Acme & Sons", "--json")[0]
    run("admin", "token", "--customer", "acme", "--name", "anna")
    assert "anna (owner)" in run("customer", "show", "acme")[0]
    run("customer", "suspend", "acme")
    assert "suspended" in run("customer", "list")[0]
    run("customer", "resume", "acme")
    assert clean.superuser("SELECT status FROM customers WHERE username = 'acme'") == [("active",)]
    assert '"state": "removed"' in run("customer", "remove", "acme", "--now", "--yes", "--json")[0]
    assert clean.superuser("SELECT count(*) FROM customers") == [(1,)]


def test_a_customer_is_suspended_while_its_bot_gets_another_token(clean: Services) -> None:
    one = customers.add_customer("one")
    bot = make_bot(customer_id=one.id)
    locked, waiting = threading.Event(), list[BaseException]()

    def suspend() -> None:
        locked.wait(10)
        try:
            customers.suspend_customer(one.id)
        except BaseException as error:  # noqa: BLE001 - the test shows it
            waiting.append(error)

    thread = threading.Thread(target=suspend)
    thread.start()
    with get_sessions("system").begin() as session:
        session.get(Bot, bot.id, with_for_update=True)
        locked.set()
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        deadline = time.monotonic() + 10
        while clean.superuser(query) == [(0,)] and time.monotonic() < deadline:
            time.sleep(0.01)
        session.add(BotIdentity(telegram_id=4_299_999_999, bot_id=bot.id, customer_id=one.id))
        session.flush()
    thread.join(10)
    assert waiting == [], "they locked each other out"
