"""Keys and sealed secrets, without a database."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from botyard.errors import InputError
from botyard.settings import get_settings, read_settings
from botyard.vault import keys
from botyard.vault.keys import Key, Keyring, keyring, read_keys
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import SealedSecret, service, token_of, webhook_of
from botyard.vault.sealing import seal

TOKEN = "4200000001:AAE-an_invented-token_of-35-characters"
NAME = token_of(4_200_000_001)
SOURCES = ("SECRET_KEY", "SECRET_KEY_FILE", "SECRET_KEY_COMMAND")


def new_key() -> str:
    return Fernet.generate_key().decode()


def forget() -> None:
    get_settings.cache_clear()
    keyring.cache_clear()


@pytest.fixture(autouse=True)
def own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in SOURCES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SECRET_KEY", new_key())
    forget()
    yield
    forget()


def sealed(bot_id: int = 1, name: str = NAME, secret: str = TOKEN) -> SealedSecret:
    return SealedSecret(bot_id, name, seal(bot_id, name, secret)[0])


@pytest.mark.parametrize("secret", [TOKEN, "", "ключ 🔑", "x" * 10_000])
def test_what_was_sealed_opens_again(secret: str) -> None:
    kept, key_id = seal(7, NAME, secret)
    assert open_sealed(SealedSecret(7, NAME, kept)) == secret
    assert SealedSecret(7, NAME, kept).key_id == key_id == keyring().at_hand()[0].id


def test_a_sealed_secret_shows_nothing_of_itself() -> None:
    one, other = sealed(), sealed()
    assert one.sealed != other.sealed, "the same secret is never sealed the same way"
    assert TOKEN.encode() not in one.sealed
    assert repr(one) == f"SealedSecret(bot_id=1, name='{NAME}')"


@pytest.mark.parametrize(
    ("bot_id", "name"), [(2, NAME), (1, token_of(4_200_000_002)), (1, webhook_of(4_200_000_001)), (1, service("x"))]
)
def test_a_secret_opens_in_the_row_it_was_sealed_for_and_in_no_other(bot_id: int, name: str) -> None:
    with pytest.raises(InputError, match="sealed for another row") as refused:
        open_sealed(SealedSecret(bot_id, name, sealed().sealed))
    assert refused.value.__suppress_context__


def test_a_secret_of_which_a_single_bit_was_changed_does_not_open() -> None:
    whole = sealed().sealed
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(InputError):
            open_sealed(SealedSecret(1, NAME, bytes(changed)))


@pytest.mark.parametrize(
    "rubbish", [b"", b"x", b"\x01", TOKEN.encode(), b"gAAAA" + b"x" * 80, b"gAAAA\xff", b"\x02" * 60]
)
def test_what_was_never_sealed_is_refused_without_being_repeated(rubbish: bytes) -> None:
    with pytest.raises(InputError) as refused:
        open_sealed(SealedSecret(1, NAME, rubbish))
    assert refused.value.field == "SECRET_KEY"
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_missing_key_is_named_and_so_are_those_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, key_id = seal(1, NAME, TOKEN)
    monkeypatch.setenv("SECRET_KEY", new_key())
    forget()
    with pytest.raises(InputError) as refused:
        open_sealed(SealedSecret(1, NAME, kept))
    own = keyring().at_hand()[0].id
    assert refused.value.problem == f"has no key {key_id}, which sealed token of bot 1; at hand: {own}."


def test_the_newest_key_seals_and_all_of_them_open(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = os.environ["SECRET_KEY"], new_key()
    before = sealed()
    monkeypatch.setenv("SECRET_KEY", f"{new},{old}")
    forget()
    assert open_sealed(before) == TOKEN
    assert sealed().key_id != before.key_id


def test_what_older_code_sealed_opens_with_any_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    old = os.environ["SECRET_KEY"]
    before = SealedSecret(1, NAME, Fernet(old).encrypt(TOKEN.encode()))
    monkeypatch.setenv("SECRET_KEY", f"{new_key()}\n{old}")
    forget()
    assert open_sealed(before) == TOKEN
    assert before.key_id is None
    monkeypatch.setenv("SECRET_KEY", new_key())
    forget()
    with pytest.raises(InputError, match="which older code sealed"):
        open_sealed(before)


def from_file(monkeypatch: pytest.MonkeyPatch, path: Path, *values: str) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(path))
    path.write_text("\n".join(values) + "\n")


def test_keys_come_from_a_file_and_a_new_one_is_learnt_by_what_it_sealed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new, path = new_key(), new_key(), tmp_path / "keys"
    from_file(monkeypatch, path, old)
    forget()
    running, other = Keyring(read_settings()), Keyring(read_settings())
    assert [key.id for key in running.at_hand()] == [other.newest().id]
    path.write_text(f"{new}\n{old}\n")
    found = other.newest()
    assert found.id != running.at_hand()[0].id, "who seals asks for the newest key each time"
    assert running.find(found.id), "who opens asks when it meets an unknown key"
    assert running.at_hand()[0].id == found.id


def test_an_unknown_key_is_looked_for_at_most_once_in_some_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, now = tmp_path / "keys", [1000.0]
    from_file(monkeypatch, path, new_key())
    forget()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ring = Keyring(read_settings())
    assert ring.find("00000000") is None
    added = new_key()
    path.write_text(added)
    wanted = read_keys(read_settings())[0].id
    assert ring.find(wanted) is None
    now[0] += 3
    assert ring.find(wanted)


def test_a_store_of_keys_that_is_away_stops_nobody_who_has_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    from_file(monkeypatch, path, new_key())
    forget()
    before = sealed()
    path.unlink()
    assert open_sealed(before) == TOKEN
    assert open_sealed(sealed()) == TOKEN
    forget()
    with pytest.raises(InputError, match=r"SECRET_KEY_FILE: .*keys cannot be read \(FileNotFoundError\)"):
        open_sealed(before)


def test_keys_that_went_stay_with_the_process_which_may_hold_what_they_sealed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, old, new = tmp_path / "keys", new_key(), new_key()
    from_file(monkeypatch, path, old)
    forget()
    before = sealed()
    path.write_text(new)
    after = sealed()
    assert after.key_id != before.key_id
    assert open_sealed(before) == open_sealed(after) == TOKEN


def test_keys_come_from_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my keys").write_text(new_key())
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_COMMAND", "cat 'my keys'")
    forget()
    assert open_sealed(sealed()) == TOKEN


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("false", "its command ended with status 1"),
        ("/no/such/program", r"its command cannot be run \(FileNotFoundError\)"),
        ("sleep 30", "its command did not end within 0 seconds"),
        ("printf '\\377'", r"its command cannot be run \(UnicodeDecodeError\)"),
        ("cat '", r"its command cannot be run \(ValueError\)"),
        ("true", "gives no key"),
        ("echo not-a-key", "is not a Fernet key"),
    ],
)
def test_a_command_that_gives_no_keys_is_named(monkeypatch: pytest.MonkeyPatch, command: str, problem: str) -> None:
    monkeypatch.setattr(keys, "_COMMAND_SECONDS", 0.2)
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_COMMAND", command)
    forget()
    with pytest.raises(InputError, match=problem) as refused:
        sealed()
    assert refused.value.field == "SECRET_KEY_COMMAND"


def test_keys_may_come_from_one_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", "keys")
    with pytest.raises(InputError, match="SECRET_KEY and SECRET_KEY_FILE are set: only one of them may be"):
        read_settings()


def test_without_any_key_nothing_is_sealed_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    forget()
    with pytest.raises(InputError, match="SECRET_KEY: is not set"):
        sealed()


def test_the_format_and_the_derivation_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a database has today must open for ever."""
    key = Key(bytes(range(32)))
    assert key.id == "ef9ef84f"
    kept = bytes.fromhex(
        "01ef9ef84f" + "3e39e98d68b6cf6be9011227bb9780746c8774cf0b898af3989b658849eea32a244ee0d66626da9cbbd6d9"
    )
    monkeypatch.setenv("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    forget()
    assert open_sealed(SealedSecret(12, token_of(42), kept)) == "42:an old token"
