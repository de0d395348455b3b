import pytest
from cryptography.fernet import Fernet

from botyard.errors import InputError
from botyard.telegram.tokens import open_sealed, seal
from tests.factories import SECRET, TOKEN, make_bot
from tests.services import Services, environment


def test_tokens_and_webhook_secrets_are_sealed_at_rest(clean: Services) -> None:
    bot = make_bot()
    (token, secret, digest) = clean.superuser(
        "SELECT token_encrypted, webhook_secret_encrypted, webhook_secret_hash FROM bots"
    )[0]
    for sealed in (token, secret, digest):
        assert TOKEN.encode() not in bytes(sealed)
        assert TOKEN.split(":")[1].encode() not in bytes(sealed)
        assert SECRET.encode() not in bytes(sealed)
    assert open_sealed(token) == TOKEN
    assert open_sealed(secret) == SECRET
    assert TOKEN not in repr(bot)


def test_a_token_sealed_with_an_older_key_opens_and_new_ones_use_the_newest(clean: Services) -> None:
    sealed, old = seal(TOKEN), clean.environment["SECRET_KEY"]
    new = Fernet.generate_key().decode()
    with environment({"SECRET_KEY": f"{new},{old}"}):
        assert open_sealed(sealed) == TOKEN
        resealed = seal(TOKEN)
    with environment({"SECRET_KEY": new}):
        assert open_sealed(resealed) == TOKEN
        with pytest.raises(InputError) as refused:
            open_sealed(sealed)
    assert refused.value.field == "SECRET_KEY"
    assert TOKEN not in str(refused.value)


def test_the_same_token_is_never_sealed_the_same_way(clean: Services) -> None:
    assert clean
    assert seal(TOKEN) != seal(TOKEN)


@pytest.mark.parametrize("rubbish", [b"", b"x", TOKEN.encode()])
def test_what_was_never_sealed_is_refused_without_being_repeated(clean: Services, rubbish: bytes) -> None:
    assert clean
    with pytest.raises(InputError) as refused:
        open_sealed(rubbish)
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__
