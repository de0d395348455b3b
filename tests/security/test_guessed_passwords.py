"""Passwords that are guessed: few guesses are evaluated, and strangers lock nobody out for long."""

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from botyard.accounts import passwords, sign_ins, tries
from botyard.accounts.sign_ins import WrongPassword
from botyard.accounts.tries import TooManyTries, know_address, network_of, one_try
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from tests.integration.api.people import PASSWORD, add_person
from tests.services import Services

TRIES = 1000


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a password was compared; the comparison itself takes no time."""
    count: Counter[str] = Counter()

    def compare(stored: str | None, password: str) -> bool:
        count["all"] += 1
        return stored is not None and password == PASSWORD

    monkeypatch.setattr(passwords, "is_password", compare)
    return count


def tried(name: str, password: str, address: str) -> str:
    """What became of a try."""
    try:
        sign_ins.sign_in(name, password, address=address, device=None)
    except (WrongPassword, TooManyTries) as refused:
        return type(refused).__name__
    return "in"


def pass_time(valkey: "redis.Redis", by: timedelta) -> None:
    """Let what is closed open so much earlier."""
    for key in valkey.scan_iter("by:tries:*"):
        if valkey.type(key) == "hash" and (opens := valkey.hget(key, "opens")):
            valkey.hset(key, "opens", int(opens) - int(by / timedelta(milliseconds=1)))


@pytest.mark.parametrize("from_where", ["one address", "many addresses", "many names"])
def test_of_a_thousand_guesses_at_once_at_most_twenty_are_evaluated(
    clean: Services, compared: Counter[str], from_where: str
) -> None:
    del clean
    add_person("anna")

    def guess(number: int) -> str:
        address = f"192.0.2.{number % 250}" if from_where == "many addresses" else "192.0.2.1"
        name = f"anna{number}" if from_where == "many names" else "anna"
        return tried(name, f"guess number {number}", address)

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(guess, range(TRIES)))
    assert answers == {"WrongPassword": 5, "TooManyTries": TRIES - 5}
    assert compared["all"] <= 20


def test_waits_double_up_to_a_quarter_of_an_hour(
    clean: Services, compared: Counter[str], valkey: "redis.Redis"
) -> None:
    del clean, compared
    waits = []
    for number in range(5 + 7):
        assert tried("anna", f"guess number {number}", "192.0.2.1") == "WrongPassword"
        if number >= 4:
            with pytest.raises(TooManyTries) as refused:
                sign_ins.sign_in("anna", "x", address="192.0.2.1", device=None)
            waits.append(refused.value.seconds)
            assert tries.FREE == 5
            pass_time(valkey, timedelta(seconds=waits[-1]))
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_even_the_right_password_is_not_compared_while_one_has_to_wait(clean: Services, compared: Counter[str]) -> None:
    del clean
    add_person("anna")
    for number in range(5):
        tried("anna", f"guess number {number}", "192.0.2.1")
    assert tried("anna", PASSWORD, "192.0.2.1") == "TooManyTries"
    assert compared["all"] == 5


def test_strangers_do_not_lock_out_whoever_signs_in_from_where_they_did_before(
    clean: Services, compared: Counter[str]
) -> None:
    del clean, compared
    add_person("anna")
    assert tried("anna", PASSWORD, "198.51.100.7") == "in"
    for number in range(100):
        tried("anna", f"guess number {number}", f"192.0.2.{number}")
    assert tried("anna", PASSWORD, "203.0.113.1") == "TooManyTries"
    assert tried("anna", PASSWORD, "198.51.100.7") == "in"


def test_a_known_address_gets_no_more_guesses_than_another(clean: Services, compared: Counter[str]) -> None:
    del clean
    add_person("anna")
    assert tried("anna", PASSWORD, "198.51.100.7") == "in"
    compared.clear()
    answers = Counter(tried("anna", f"guess number {number}", "198.51.100.7") for number in range(TRIES))
    assert answers == {"WrongPassword": 5, "TooManyTries": TRIES - 5}


def test_whoever_signs_in_to_an_account_of_their_own_guesses_no_more_than_others(
    clean: Services, compared: Counter[str]
) -> None:
    """Each time another one, from an address that is new for it, while a guess is evaluated: that counts still."""
    del clean, compared
    answers = []
    for number in range(20):
        with contextlib.suppress(TooManyTries), one_try(f"mallory{number}", "192.0.2.1") as own:
            own.right = True
            answers.append(tried(f"anna{number}", "x", "192.0.2.1"))
    assert answers == ["WrongPassword"] * 4


def test_a_password_that_is_right_does_not_count_and_forgets_the_wrong_ones(
    clean: Services, compared: Counter[str]
) -> None:
    del clean, compared
    add_person("anna")
    for _ in range(20):
        answers = [tried("anna", word, "192.0.2.1") for word in ("wrong", "wrong", PASSWORD)]
        assert answers == ["WrongPassword", "WrongPassword", "in"]


def test_an_address_is_known_after_a_link_was_used(clean: Services, compared: Counter[str]) -> None:
    del clean, compared
    add_person("anna")
    for number in range(10):
        tried("anna", f"guess number {number}", f"192.0.2.{number}")
    know_address("anna", "203.0.113.1")
    assert tried("anna", PASSWORD, "203.0.113.1") == "in"


def test_nobody_guesses_without_redis(clean: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    del clean

    def away(settings: object) -> "redis.Redis":
        del settings
        return redis.Redis(port=1, retry=Retry(NoBackoff(), 0))

    monkeypatch.setattr(tries, "redis_of", away)
    with pytest.raises(redis.ConnectionError):
        sign_ins.sign_in("anna", PASSWORD, address="192.0.2.1", device=None)


@pytest.mark.parametrize("address", [None, "192.0.2.1"])
def test_a_try_that_was_not_evaluated_does_not_count(clean: Services, address: str | None) -> None:
    del clean
    for _ in range(10):
        with pytest.raises(passwords.Busy), one_try("anna", address):
            raise passwords.Busy
    refused = []
    for _ in range(6):
        with contextlib.suppress(TooManyTries, WrongPassword), one_try("anna", address) as guess:
            guess.wrong = True
            refused.append(guess)
            raise WrongPassword
    assert len(refused) == 5


def test_what_is_not_compared_is_no_way_to_be_at_home(clean: Services, valkey: "redis.Redis") -> None:
    del clean
    with pytest.raises(passwords.Busy), one_try("anna", "192.0.2.1"):
        raise passwords.Busy
    assert list(valkey.scan_iter("by:tries:known:*")) == []


def test_who_has_signed_in_is_in_even_if_redis_goes_away_then(
    clean: Services, compared: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del clean, compared
    add_person("anna")
    begin, clients = sign_ins._begin, list["redis.Redis"]()

    def remembered(settings: Settings) -> "redis.Redis":
        clients.append(redis_of(settings))
        return clients[-1]

    def gone(*given: Any) -> Any:
        clients[0].connection_pool.disconnect()
        clients[0].connection_pool = redis.ConnectionPool(port=1, retry=Retry(NoBackoff(), 0))
        return begin(*given)

    monkeypatch.setattr(tries, "redis_of", remembered)
    monkeypatch.setattr(sign_ins, "_begin", gone)
    assert tried("anna", PASSWORD, "192.0.2.1") == "in"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_addresses_of_one_network_count_as_one(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_a_comparison_takes_less_than_its_share_and_few_run_at_once() -> None:
    hashed = passwords.hash_password(PASSWORD)
    passwords.is_password(hashed, PASSWORD)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert passwords.is_password(hashed, PASSWORD)
        times.append(time.perf_counter() - began)
    print(f"a comparison takes {min(times) * 1000:.0f} ms")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    def busy(_: int) -> str:
        try:
            return str(passwords.is_password(hashed, PASSWORD))
        except passwords.Busy:
            return "Busy"

    with ThreadPoolExecutor(40) as pool:
        answers = Counter(pool.map(busy, range(40)))
    assert answers["Busy"] >= 1
    assert answers["True"] >= 10
