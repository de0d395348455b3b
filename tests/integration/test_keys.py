"""Keys that change while everything runs, and keys that are wrong."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from botyard.bots import registry
from botyard.cli import app
from botyard.errors import InputError
from botyard.vault import resealing
from botyard.vault.key_use import KeyUse, check_keys, key_uses
from botyard.vault.keys import keyring
from botyard.vault.opening import open_sealed
from botyard.vault.resealing import copy_older_secrets, rotate
from botyard.vault.sealed import OLDER_KEY_ID, SealedSecret, token_of, webhook_of
from botyard.vault.sealing import keep_secret, seal
from db.engine import get_sessions
from db.models import Bot, BotSecret
from tests.commands import botyard
from tests.e2e.yard import wait_until
from tests.factories import SECRET, TELEGRAM_ID, TOKEN, make_bot
from tests.integration.sealed_rows import FIRST, older_bots, opened, sealed_bots, stored, token, webhook_secret
from tests.services import Services, environment

BOTYARD = str(Path(sys.executable).parent / "botyard")
OLDER_COLUMNS = "SELECT token_encrypted, webhook_secret_encrypted, webhook_secret_hash FROM bots ORDER BY id"


def new_key() -> str:
    return Fernet.generate_key().decode()


@contextmanager
def newer_key(services: Services) -> Iterator[str]:
    """A new key before the one in use; its id."""
    with environment({"SECRET_KEY": f"{new_key()},{services.environment['SECRET_KEY']}"}):
        yield keyring().newest().id


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return botyard(os.environ, *words)


def test_tokens_and_webhook_secrets_are_sealed_at_rest(clean: Services) -> None:
    bot = make_bot()
    assert opened(clean) == {(bot.id, token_of(TELEGRAM_ID)): TOKEN, (bot.id, webhook_of(TELEGRAM_ID)): SECRET}
    for secret, key_id in stored(clean):
        assert key_id == secret.key_id == keyring().newest().id
        assert TOKEN.split(":")[1].encode() not in secret.sealed
        assert SECRET.encode() not in secret.sealed
    assert TOKEN not in repr(bot)
    assert clean.superuser(OLDER_COLUMNS) == [(None, None, None)]


def test_a_secret_that_is_kept_again_takes_the_place_of_the_one_before(clean: Services) -> None:
    bot = make_bot()
    with get_sessions("system").begin() as session:
        row = session.get_one(Bot, bot.id)
        keep_secret(session, row, token_of(TELEGRAM_ID), "another")
    assert opened(clean)[bot.id, token_of(TELEGRAM_ID)] == "another"
    assert len(stored(clean)) == 2


def test_the_release_step_seals_anew_what_older_code_stored_and_leaves_it_there(clean: Services) -> None:
    bots = older_bots(clean.environment["SECRET_KEY"], 230)
    before = clean.superuser(OLDER_COLUMNS)
    assert copy_older_secrets() == 460
    expected = {(bot, token_of(FIRST + number)): token(number) for number, bot in enumerate(bots)}
    expected |= {(bot, webhook_of(FIRST + number)): webhook_secret(number) for number, bot in enumerate(bots)}
    assert opened(clean) == expected
    assert clean.superuser(OLDER_COLUMNS) == before, "the code before this one still reads them"
    doors = clean.superuser("SELECT count(*) FROM bot_identities i JOIN bots b USING (public_id)"
                            " WHERE i.secret_hash = b.webhook_secret_hash")  # fmt: skip
    assert doors == [(230,)]
    kept = stored(clean)
    assert copy_older_secrets() == 0
    assert stored(clean) == kept, "the second time nothing is left to do"


def test_the_release_step_works_beside_itself_and_overwrites_nothing(clean: Services) -> None:
    bots = older_bots(clean.environment["SECRET_KEY"], 300)
    with get_sessions("system").begin() as session:
        keep_secret(session, session.get_one(Bot, bots[7]), token_of(FIRST + 7), "of newer code")
    with ThreadPoolExecutor(3) as pool:
        copied = list(pool.map(lambda _: copy_older_secrets(), range(3)))
    assert sum(copied) == 599
    assert opened(clean)[bots[7], token_of(FIRST + 7)] == "of newer code"


def test_a_bot_of_older_code_is_served_before_and_after_the_release_step(clean: Services) -> None:
    (bot,) = older_bots(clean.environment["SECRET_KEY"], 1)
    for step in (lambda: None, copy_older_secrets, rotate):
        step()
        served = registry.find(bot)
        assert served is not None
        assert open_sealed(served.token) == token(0)


def test_a_rotation_leaves_nothing_under_an_old_key(clean: Services) -> None:
    older_bots(clean.environment["SECRET_KEY"], 150)
    copy_older_secrets()
    before = opened(clean)
    with newer_key(clean) as newest:
        done = rotate()
        assert (done.key_id, done.resealed, done.emptied, done.left) == (newest, 300, 150, 0)
        assert {key_id for _, key_id in stored(clean)} == {newest}
        assert {secret.key_id for secret, _ in stored(clean)} == {newest}
        assert set(clean.superuser(OLDER_COLUMNS)) == {(None, None, None)}
        again = rotate()
        assert (again.resealed, again.emptied) == (0, 0)
        alone = os.environ["SECRET_KEY"].split(",")[0]
    with environment({"SECRET_KEY": alone}):
        check_keys()
        assert opened(clean) == before


def test_a_bot_whose_door_only_older_code_knows_keeps_it(clean: Services) -> None:
    (bot,) = older_bots(clean.environment["SECRET_KEY"], 1)
    clean.superuser("UPDATE bot_identities SET public_id = 'another'")
    rotate()
    assert clean.superuser(OLDER_COLUMNS)[0][2] is not None
    assert bot


def test_what_others_write_and_open_during_a_rotation_is_neither_lost_nor_shut(clean: Services) -> None:
    bots, ended = sealed_bots(400), threading.Event()

    def write() -> dict[int, str]:
        written = {}
        while not ended.is_set():
            for number in range(0, 400, 40):
                with get_sessions("system").begin() as session:
                    row = session.get_one(Bot, bots[number])
                    written[number] = f"{token(number)}-{os.urandom(4).hex()}"
                    keep_secret(session, row, token_of(FIRST + number), written[number])
        return written

    def read() -> int:
        count = 0
        while not ended.is_set():
            for bot in bots[::13]:
                served = registry.find(bot)
                assert served is not None
                assert open_sealed(served.token).startswith(f"{served.telegram_id}:")
                count += 1
        return count

    with newer_key(clean) as newest, ThreadPoolExecutor(4) as pool:
        writers, readers = pool.submit(write), [pool.submit(read) for _ in range(2)]
        try:
            resealed = rotate().resealed
        finally:
            ended.set()
        written, read_count = writers.result(), sum(reader.result() for reader in readers)
        assert written
        assert read_count
        assert resealed >= 700
        assert {key_id for _, key_id in stored(clean)} == {newest}
        found = opened(clean)
    for number, bot in enumerate(bots):
        assert found[bot, token_of(FIRST + number)] == written.get(number, token(number))


def test_a_secret_that_is_replaced_while_it_is_being_resealed_stays_the_new_one(
    clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot()
    replaced: list[SealedSecret] = []

    def open_and_be_overtaken(secret: SealedSecret) -> str:
        if not replaced and secret.name == token_of(TELEGRAM_ID):
            replaced.append(secret)
            with get_sessions("system").begin() as session:
                keep_secret(session, session.get_one(Bot, bot.id), secret.name, "the newer one")
        return open_sealed(secret)

    monkeypatch.setattr(resealing, "open_sealed", open_and_be_overtaken)
    with newer_key(clean):
        assert rotate().left == 0
        assert replaced
        assert opened(clean)[bot.id, token_of(TELEGRAM_ID)] == "the newer one"


def test_a_rotation_that_is_killed_in_the_middle_is_finished_by_the_next(clean: Services) -> None:
    sealed_bots(3000)
    before = opened(clean)
    with newer_key(clean) as newest:
        command = [BOTYARD, "keys", "rotate"]

        def done() -> int:
            return int(clean.superuser(f"SELECT count(*) FROM bot_secrets WHERE key_id = '{newest}'")[0][0])  # noqa: S608

        for share in (500, 2500):
            with subprocess.Popen(command, env=dict(os.environ)) as killed:
                wait_until(lambda: done() > share, 60, "some are resealed")  # noqa: B023
                killed.kill()
            assert share < done() < 6000
            assert opened(clean) == before
        assert run("keys", "rotate").returncode == 0
        assert done() == 6000
        assert opened(clean) == before


def test_a_running_process_learns_of_a_new_key_from_the_file(clean: Services, tmp_path: Path) -> None:
    path, old, new = tmp_path / "keys", clean.environment["SECRET_KEY"], new_key()
    path.write_text(old)
    bot = make_bot()
    with environment({"SECRET_KEY": "", "SECRET_KEY_FILE": str(path)}):
        assert open_sealed(bot.token) == TOKEN
        path.write_text(f"{new}\n{old}\n")
        assert run("keys", "rotate").returncode == 0
        path.write_text(new)
        served = registry.find(bot.id)
        assert served is not None
        assert served.token.key_id != bot.token.key_id
        assert open_sealed(served.token) == TOKEN
        assert open_sealed(bot.token) == TOKEN, "what it still holds from before opens, too"


def changes_nothing(services: Services, act: Callable[[], object]) -> None:
    tables = "SELECT t::text FROM {} t ORDER BY 1"
    before = [services.superuser(tables.format(table)) for table in ("bots", "bot_secrets", "bot_identities")]
    act()
    assert before == [services.superuser(tables.format(table)) for table in ("bots", "bot_secrets", "bot_identities")]


def test_a_wrong_key_is_refused_before_anything_is_changed(clean: Services) -> None:
    make_bot()
    check_keys()
    needed = keyring().newest().id
    with environment({"SECRET_KEY": new_key()}):
        own = keyring().newest().id
        expected = f"lacks key {needed} (2 secrets), with which stored secrets are sealed; at hand: {own}."
        with pytest.raises(InputError, match="Nothing was changed") as refused:
            check_keys()
        assert refused.value.problem.startswith(expected)

        def migrate() -> None:
            ended = run("migrate")
            assert ended.returncode == 1
            assert expected in ended.stderr

        changes_nothing(clean, migrate)


def test_a_wrong_key_is_refused_before_older_secrets_are_copied(clean: Services) -> None:
    older_bots(clean.environment["SECRET_KEY"], 2)
    with environment({"SECRET_KEY": new_key()}):

        def copy() -> None:
            for step in (check_keys, copy_older_secrets, rotate):
                with pytest.raises(InputError, match="which older code sealed"):
                    step()

        clean.superuser("UPDATE bot_identities SET public_id = 'p' || telegram_id, secret_hash = 'h'")
        changes_nothing(clean, copy)


@pytest.mark.parametrize("command", ["worker", "poller"])
def test_a_process_that_opens_tokens_does_not_start_with_a_wrong_key(clean: Services, command: str) -> None:
    make_bot()
    clean.superuser("UPDATE bots SET intake = 'polling'")
    words = {
        "worker": [
            str(Path(sys.executable).parent / "celery"),
            "-A",
            "tasks",
            "worker",
            "-Q",
            "outbound",
            "-P",
            "threads",
        ],
        "poller": [BOTYARD, "poller"],
    }[command]
    changed = {**os.environ, "SECRET_KEY": new_key()}
    ended = subprocess.run(words, env=changed, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "SECRET_KEY: lacks key" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_away_or_empty_is_no_wrong_key(clean: Services) -> None:
    make_bot()
    url = clean.environment["DATABASE_SYSTEM_URL"]
    for other in (url.replace("@127.0.0.1:", "@127.0.0.1:1"), url.replace("/botyard", "/postgres")):
        assert other != url
        with environment({"DATABASE_SYSTEM_URL": other, "SECRET_KEY": new_key()}):
            check_keys()


@pytest.mark.usefixtures("clean")
def test_without_any_secret_no_key_is_asked_for() -> None:
    with environment({"SECRET_KEY": ""}):
        check_keys()
        assert copy_older_secrets() == 0
    make_bot()
    with environment({"SECRET_KEY": ""}), pytest.raises(InputError, match="SECRET_KEY: is not set"):
        check_keys()


def test_the_status_says_which_keys_are_needed_and_at_hand(clean: Services) -> None:
    older_bots(clean.environment["SECRET_KEY"], 1, first=5)
    make_bot()
    old = keyring().newest().id
    with newer_key(clean) as newest:
        assert key_uses() == [
            KeyUse(newest, 0, at_hand=True, newest=True),
            KeyUse(old, 2, at_hand=True, newest=False),
            KeyUse(OLDER_KEY_ID, 1, at_hand=True, newest=False),
        ]
        shown = CliRunner().invoke(app, ["keys", "status"])
        assert shown.exit_code == 0
        assert [line.split() for line in shown.stdout.splitlines()[1:]] == [
            [newest, "0", "True", "True"], [old, "2", "True", "False"], ["older", "1", "True", "False"],
        ]  # fmt: skip
    with environment({"SECRET_KEY": new_key()}):
        shown = CliRunner().invoke(app, ["keys", "status", "--json"])
        assert shown.exit_code == 1
        assert f"Not at hand, and needed: {old}, older." in shown.stderr


def test_what_older_code_sealed_and_newer_code_has_moved_is_resealed_too(clean: Services) -> None:
    (bot,) = older_bots(clean.environment["SECRET_KEY"], 1)
    clean.superuser(
        "INSERT INTO bot_secrets (bot_id, name, customer_id, sealed, key_id)"
        " SELECT id, 'token:' || telegram_id, 1, token_encrypted, 'older' FROM bots",
        "UPDATE bots SET token_encrypted = NULL",
    )
    check_keys()
    assert key_uses()[-1] == KeyUse(OLDER_KEY_ID, 1, at_hand=True, newest=False)
    assert rotate().left == 0
    assert len(key_uses()) == 1
    assert opened(clean)[bot, token_of(FIRST)] == token(0)


@pytest.mark.usefixtures("clean")
def test_a_rotation_that_lacks_a_key_does_what_it_can_and_says_so() -> None:
    lost = make_bot()
    with environment({"SECRET_KEY": new_key()}):
        make_bot(TELEGRAM_ID + 1)
        with environment({"SECRET_KEY": f"{new_key()},{os.environ['SECRET_KEY']}"}):
            shown = CliRunner().invoke(app, ["keys", "rotate", "--json"])
            assert shown.exit_code == 1
            assert '"resealed": 2' in shown.stdout
            assert '"left": 2' in shown.stdout
    assert open_sealed(lost.token) == TOKEN


def test_a_process_with_the_old_key_only_names_the_key_with_which_it_has_sealed(clean: Services) -> None:
    bot, name = make_bot(), token_of(TELEGRAM_ID)
    old = keyring().newest().id
    with get_sessions("system").begin() as session:
        row = session.get_one(Bot, bot.id)
        held = session.get_one(BotSecret, (bot.id, name))
        assert held.key_id == old, "what it knows is of before the rotation"
        with newer_key(clean), get_sessions("system").begin() as rotation:
            sealed, key_id = seal(bot.id, name, TOKEN)
            rotation.connection().exec_driver_sql(
                "UPDATE bot_secrets SET sealed = %s, key_id = %s WHERE name = %s", (sealed, key_id, name)
            )
        keep_secret(session, row, name, "another")
    found = {secret.name: (secret.key_id, key_id) for secret, key_id in stored(clean)}
    assert found[name] == (old, old)


def test_a_key_is_counted_and_replaced_by_what_it_has_sealed_whatever_stands_beside_that(clean: Services) -> None:
    make_bot()
    old = keyring().newest().id
    with newer_key(clean) as newest:
        clean.superuser(f"UPDATE bot_secrets SET key_id = '{newest}'")  # noqa: S608
        assert key_uses() == [KeyUse(newest, 0, at_hand=True, newest=True), KeyUse(old, 2, at_hand=True, newest=False)]
        with environment({"SECRET_KEY": os.environ["SECRET_KEY"].split(",")[0]}):
            with pytest.raises(InputError, match=f"lacks key {old}"):
                check_keys()
            assert rotate().left == 2
        assert rotate().resealed == 2
        assert key_uses()[1:] == [KeyUse(old, 0, at_hand=True, newest=False)]
