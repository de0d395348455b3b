"""JSON Web Tokens that say of themselves what a verifier must not believe (RFC 8725)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from botyard.accounts import signed_tokens
from botyard.accounts.signed_tokens import Claims, SignedTokens
from botyard.settings import Settings
from botyard.vault.keys import Keyring

CLAIMS = Claims(4, 9)


@pytest.fixture
def keys() -> Keyring:
    return Keyring(Settings(secret_key=Fernet.generate_key().decode()))


@pytest.fixture
def tokens(keys: Keyring) -> SignedTokens:
    return SignedTokens(keys)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def private(keys: Keyring) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keys.at_hand()[0].derived("access tokens"))


def signed(keys: Keyring, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """With our key, whatever it says."""
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{base64.urlsafe_b64encode(private(keys).sign(text.encode())).rstrip(b'=').decode()}"


def test_our_own_token_is_read(tokens: SignedTokens) -> None:
    token = tokens.issue(CLAIMS)
    assert tokens.read(token) == CLAIMS
    header, claims = parts(token)
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    assert claims["exp"] - claims["iat"] == 15 * 60


def test_a_token_without_signature_is_refused(tokens: SignedTokens) -> None:
    token = tokens.issue(CLAIMS)
    header, claims = parts(token)
    for algorithm in ("none", "None", "NONE", ""):
        unsigned = f"{part(header | {'alg': algorithm})}.{part(claims)}."
        assert tokens.read(unsigned) is None
    assert tokens.read(token.rsplit(".", 1)[0] + ".") is None


def test_our_public_key_is_no_shared_secret(tokens: SignedTokens, keys: Keyring) -> None:
    header, claims = parts(tokens.issue(CLAIMS))
    public = private(keys).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, public.public_bytes_raw(), pem.strip()):
        text = f"{part(header | {'alg': 'HS256'})}.{part(claims)}"
        mac = hmac.digest(secret, text.encode(), hashlib.sha256)
        assert tokens.read(f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}") is None


@pytest.mark.parametrize(
    "kid",
    [
        "00000000",
        "../../../../dev/null",
        "' OR 1=1 --",
        "",
        None,
        7,
        ["a"],
        {"kid": 1},
        "x" * 100_000,
        "https://evil.example",
    ],
    ids=lambda kid: str(kid)[:20],
)
def test_a_key_of_another_name_is_looked_up_nowhere_else(tokens: SignedTokens, keys: Keyring, kid: object) -> None:
    header, claims = parts(tokens.issue(CLAIMS))
    assert tokens.read(signed(keys, header | {"kid": kid}, claims)) is None
    del header["kid"]
    assert tokens.read(signed(keys, header, claims)) is None


def test_keys_that_a_token_brings_along_are_not_used(tokens: SignedTokens) -> None:
    own = Ed25519PrivateKey.generate()
    header, claims = parts(tokens.issue(CLAIMS))
    x = base64.urlsafe_b64encode(own.public_key().public_bytes_raw()).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": header["kid"]}
    brought: list[dict[str, Any]] = [
        {"jwk": jwk}, {"jku": "https://evil.example/keys.json"}, {"x5u": "https://evil.example/k"}, {"x5c": [x]}
    ]  # fmt: skip
    for more in brought:
        text = f"{part(header | more)}.{part(claims)}"
        signature = base64.urlsafe_b64encode(own.sign(text.encode())).rstrip(b"=").decode()
        assert tokens.read(f"{text}.{signature}") is None


CHANGED: list[tuple[str, Callable[[dict[str, Any], dict[str, Any]], object]]] = [
    ("another audience", lambda _, claims: claims.update(aud="botyard:mini-app")),
    ("another issuer", lambda _, claims: claims.update(iss="https://evil.example")),
    ("another type", lambda header, _: header.update(typ="JWT")),
    ("no type", lambda header, _: header.pop("typ")),
    ("an unknown critical extension", lambda header, _: header.update(crit=["b64"], b64=False)),
    ("expired", lambda _, claims: claims.update(exp=claims["iat"] - 61)),
    ("from the future", lambda _, claims: claims.update(iat=claims["iat"] + 120, nbf=claims["iat"] + 120)),
    ("a subject that is none", lambda _, claims: claims.update(sub="4")),
    ("a sign-in that is none", lambda _, claims: claims.update(sid="ses_9; DROP TABLE people")),
    *(
        (f"no {name}", lambda _, claims, name=name: claims.pop(name))
        for name in ("aud", "iss", "exp", "iat", "sub", "sid")
    ),
]


@pytest.mark.parametrize(("what", "change"), CHANGED, ids=[name for name, _ in CHANGED])
def test_a_token_with_our_signature_for_something_else_is_refused(
    tokens: SignedTokens, keys: Keyring, what: str, change: Callable[[dict[str, Any], dict[str, Any]], object]
) -> None:
    del what
    header, claims = parts(tokens.issue(CLAIMS))
    assert tokens.read(signed(keys, header, claims)) == CLAIMS
    change(header, claims)
    assert tokens.read(signed(keys, header, claims)) is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "e30.e30.", "\0.\0.\0", "x" * 5000])
def test_what_is_no_token_is_none(tokens: SignedTokens, token: str) -> None:
    assert tokens.read(token) is None


@pytest.mark.parametrize(("seconds", "valid"), [(0, True), (950, True), (965, False), (-50, True), (-70, False)])
def test_clocks_may_differ_by_a_minute(tokens: SignedTokens, seconds: int, *, valid: bool) -> None:
    token = tokens.issue(CLAIMS, datetime.now(UTC) - timedelta(seconds=seconds))
    assert (tokens.read(token) is not None) is valid


def test_another_installations_tokens_are_refused(tokens: SignedTokens) -> None:
    other = SignedTokens(Keyring(Settings(secret_key=Fernet.generate_key().decode())))
    assert tokens.read(other.issue(CLAIMS)) is None


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_bytes(Fernet.generate_key())
    return file


def test_tokens_of_before_a_rotation_stay_valid_and_new_ones_are_known_where_it_is_not_yet(source: Path) -> None:
    def process() -> SignedTokens:
        return SignedTokens(Keyring(Settings(secret_key=None, secret_key_file=source)))

    running = process()
    before = running.issue(CLAIMS)
    source.write_bytes(Fernet.generate_key() + b"\n" + source.read_bytes())
    restarted = process()
    assert restarted.read(before) == CLAIMS
    assert running.read(restarted.issue(CLAIMS)) == CLAIMS


def test_names_of_keys_that_are_made_up_do_not_read_the_keys_all_the_time(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keyring(Settings(secret_key=None, secret_key_file=source))
    tokens = SignedTokens(keys)
    token = tokens.issue(CLAIMS)
    looked: list[str] = []
    monkeypatch.setattr(keys, "find", looked.append)
    header, claims = parts(token)
    for number in range(100):
        assert tokens.read(signed(keys, header | {"kid": f"{number:08x}"}, claims)) is None
    assert looked == ["00000000"]
    assert tokens.read(token) == CLAIMS


def test_strangers_do_not_keep_a_new_key_unknown(source: Path) -> None:
    keys = Keyring(Settings(secret_key=None, secret_key_file=source))
    tokens = SignedTokens(keys)
    header, claims = parts(tokens.issue(CLAIMS))
    # Now nothing is looked up for a minute.
    assert tokens.read(signed(keys, header | {"kid": "00000000"}, claims)) is None
    source.write_bytes(Fernet.generate_key() + b"\n" + source.read_bytes())
    keys.newest()
    assert tokens.read(SignedTokens(keys).issue(CLAIMS)) == CLAIMS


def test_a_token_is_never_taken_for_an_api_key() -> None:
    assert not signed_tokens.is_signed_token("by_" + "a" * 43)
    assert signed_tokens.is_signed_token("a.b.c")
