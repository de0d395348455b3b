"""Content in a bucket, against a server that speaks S3."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from botyard.errors import InputError, TransientError
from botyard.media import bucket
from botyard.media.store import MediaGone, MediaStore, store_of
from botyard.settings import Settings
from tests.factories import make_bot, message
from tests.integration.fake_api import fake_api
from tests.integration.rig import rig
from tests.services import Services

CONTENT = bytes(range(256)) * 50_000  # more than one part of a multipart upload
NAME = sha256(CONTENT).hexdigest()
HOUR = 3600.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    started = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucketed(server: str) -> dict[str, object]:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{server}/files", method="PUT")).close()
    keys = {"media_s3_access_key": "an-id", "media_s3_secret_key": "a-secret"}
    return {"media_s3_url": server, "media_s3_bucket": "files", "media_max_bytes": 20_000_000, **keys}


@pytest.fixture
def store(bucketed: dict[str, object]) -> MediaStore:
    return store_of(Settings.model_validate(bucketed))


@pytest.mark.parametrize("content", [CONTENT, io.BytesIO(CONTENT)], ids=["bytes", "a file"])
def test_content_comes_back_as_it_was(store: MediaStore, content: bytes | io.BytesIO) -> None:
    kept = store.put(content)
    assert (kept.name, kept.size) == (NAME, len(CONTENT))
    with store.open(NAME) as opened:
        assert opened.read() == CONTENT


def test_what_is_not_there_is_gone_and_what_is_too_large_is_refused(store: MediaStore) -> None:
    with pytest.raises(MediaGone):
        store.open("0" * 64)
    with pytest.raises(InputError, match="MEDIA_MAX_BYTES"):
        store.put(b"x" * 20_000_001)


def test_what_is_unused_is_found_and_removed_and_what_is_fresh_stays(store: MediaStore) -> None:
    store.put(b"fresh")
    name = sha256(b"fresh").hexdigest()
    assert name not in list(store.unused(HOUR))
    assert store.remove(name, HOUR) is False
    assert name in list(store.unused(-HOUR))
    assert store.remove(name, -HOUR) is True
    assert store.remove(name, -HOUR) is True
    with pytest.raises(MediaGone):
        store.open(name)


def test_content_that_was_put_long_ago_is_put_anew(store: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"old")
    first = _put_at(store, b"old")
    store.put(b"old")
    assert _put_at(store, b"old") == first, "it is fresh"
    monkeypatch.setattr(bucket, "_FRESH", timedelta(seconds=-60))
    monkeypatch.setattr(bucket, "obstore", _Counting())
    store.put(b"old")
    assert _Counting.puts == 1


class _Counting:
    puts = 0

    def __getattr__(self, name: str) -> object:
        if name == "put":
            type(self).puts += 1
        return getattr(obstore, name)


def _put_at(store: MediaStore, content: bytes) -> datetime:
    inner: S3Store = store._store  # type: ignore[attr-defined]
    found = obstore.head(inner, f"media/{sha256(content).hexdigest()}")["last_modified"]
    assert found <= datetime.now(UTC) + timedelta(seconds=1)
    return found


def test_a_server_that_is_away_is_trouble_that_may_pass_and_tells_no_secret(bucketed: dict[str, object]) -> None:
    away = store_of(Settings.model_validate(bucketed | {"media_s3_url": "http://127.0.0.1:1"}))
    for work in (lambda: away.put(b"x"), lambda: away.open(NAME), lambda: list(away.unused(0))):
        with pytest.raises(TransientError) as trouble:
            work()
        assert "a-secret" not in str(trouble.value)


async def test_a_handlers_photo_goes_over_the_bucket(
    clean: Services, settings: Settings, bucketed: dict[str, object]
) -> None:
    fit = Settings.model_validate(bucketed)
    changes = {name: getattr(fit, name) for name in bucketed}
    async with fake_api() as api, rig(clean, settings, handler_timeout_seconds=10.0, **changes) as yard:
        bot = make_bot(kind="tests.integration.test_uploads:sending", api_url=api.url)
        await yard.give(bot, message(1, "/photo"))
        await yard.settle()
        assert api.calls[1].files["photo"][0] == "a.jpg"
        assert len(api.calls[1].files["photo"][2]) == 256 * 40
