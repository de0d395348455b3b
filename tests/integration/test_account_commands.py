"""People, their keys and members by commands: what a program reads stands alone on standard output."""

import json
from datetime import datetime

import pytest
import structlog
from typer.testing import CliRunner

from botyard.accounts import invitations
from botyard.accounts.access import actor_of
from botyard.accounts.customers import add_customer
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.accounts.sign_ins import sign_in
from botyard.cli import app
from botyard.errors import InputError
from botyard.running.first_person import tell_first_link
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.people import PASSWORD, add_person
from tests.services import Services, environment


def run(*words: str, given: str = "") -> tuple[str, str, int]:
    ran = CliRunner().invoke(app, [*words], input=given)
    # Commands log to a standard error that is closed by now.
    structlog.reset_defaults()
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.stdout, ran.stderr, ran.exit_code


def link_of(shown: str) -> tuple[str, str]:
    address, _, code = shown.strip().partition("#")
    return address, code


def test_a_superadmin_is_made_with_a_password_from_standard_input(clean: Services) -> None:
    del clean
    shown, said, _ = run("admin", "create", "--name", "anna", "--password-stdin", "--json", given=f"{PASSWORD}\n")
    assert json.loads(shown) == {"id": 1, "name": "anna", "superadmin": True}
    assert PASSWORD not in shown + said
    assert sign_in("anna", PASSWORD, address="192.0.2.1", device=None).person_id == 1


def test_without_a_terminal_nobody_is_asked(clean: Services) -> None:
    del clean
    _, said, code = run("admin", "create")
    assert (code, "--password-stdin" in said) == (2, True)


def test_the_first_link_stands_alone_and_there_is_none_once_there_is_somebody(clean: Services) -> None:
    del clean
    with environment({"WEB_HOST": "0.0.0.0", "WEB_PORT": "8099"}):  # noqa: S104
        shown, said, _ = run("admin", "link")
    address, code = link_of(shown)
    assert address == "http://127.0.0.1:8099/welcome"
    assert code not in said
    invitations.redeem(code, "anna", PASSWORD, address="192.0.2.1", device=None)
    with pytest.raises(InputError, match="somebody already"):
        run("admin", "link")
    with environment({"PUBLIC_URL": "https://bots.example.org"}):
        shown, _, _ = run("admin", "link", "--name", "anna", "--json")
    address, code = link_of(json.loads(shown)["link"])
    assert address == "https://bots.example.org/welcome"
    assert invitations.invited_by(code).person == "anna"


async def test_a_start_tells_the_first_link_as_long_as_there_is_nobody(clean: Services) -> None:
    said: list[str] = []
    await tell_first_link(clean.environment, said.append)
    assert len(said) == 2
    _, code = link_of(said[1])
    assert invitations.invited_by(code).purpose == "first"
    add_person("anna")
    await tell_first_link(clean.environment, said.append)
    assert len(said) == 2


def test_a_key_is_made_listed_and_revoked(clean: Services) -> None:
    del clean
    customer = add_customer("acme").id
    bot = make_bot(TELEGRAM_ID, customer_id=customer)
    add_person("anna", {customer: Role.OWNER})
    limits = ["--customer", "acme", "--bot", str(bot.id), "--scope", "bots:read", "--scope", "messages:send"]
    shown, said, _ = run("key", "create", "--person", "anna", "--name", "shop", *limits)
    actor = actor_of(shown.strip())
    assert actor.scopes == frozenset({Scope.BOTS_READ, Scope.MESSAGES_SEND})
    assert (actor.bots, actor.customers) == (frozenset({bot.id}), [customer])
    assert shown.strip() not in said
    (line,) = json.loads(run("key", "list", "--json")[0])
    assert (line["person"], line["name"], line["scopes"]) == ("anna", "shop", ["bots:read", "messages:send"])
    assert datetime.fromisoformat(line["used"])
    run("key", "revoke", str(line["id"]))
    assert json.loads(run("key", "list", "--json")[0]) == []
    for words in (["--scope", "everything"], ["--bot", str(bot.id)], ["--customer", "nobody"]):
        with pytest.raises(InputError):
            run("key", "create", "--person", "anna", "--name", "shop", *words)
    with pytest.raises(InputError, match="nobody called"):
        run("key", "create", "--person", "ben", "--name", "shop")


def test_members_are_invited_listed_changed_and_removed(clean: Services) -> None:
    del clean
    add_customer("acme")
    shown, said, _ = run("member", "invite", "acme", "--role", "owner")
    _, code = link_of(shown)
    assert code not in said
    invitations.redeem(code, "anna", PASSWORD, address="192.0.2.1", device=None)
    assert [one["role"] for one in json.loads(run("member", "list", "acme", "--json")[0])] == ["owner"]
    assert json.loads(run("member", "role", "acme", "anna", "viewer", "--json")[0])["role"] == "viewer"
    with pytest.raises(InputError, match="nobody called 'ben'"):
        run("member", "role", "acme", "ben", "viewer")
    _, said, code_of_exit = run("member", "remove", "acme", "anna")
    assert (code_of_exit, "--yes" in said) == (2, True)
    run("member", "remove", "acme", "anna", "--yes")
    assert json.loads(run("member", "list", "acme", "--json")[0]) == []
