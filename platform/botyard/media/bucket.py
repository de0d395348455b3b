"""Content in a bucket that speaks S3, for processes on several machines. See docs/delivery.md."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import IO, Final

from botyard.errors import InputError, TransientError
from botyard.media.store import Kept, MediaGone, check_size, copied

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ImportError:
    raise InputError("MEDIA_S3_URL", "needs the package obstore, which is not installed.", "Install it.") from None

_CHUNK: Final = 1 << 20
# What is younger is not written again; shorter by far than MEDIA_KEEP_HOURS.
_FRESH: Final = timedelta(hours=1)


class BucketStore:
    """Content as objects ``<folder>/<SHA-256>``; its last use is the object's time.

    A bucket knows no lock: content that was unused for ``MEDIA_KEEP_HOURS`` and is put again in the very moment between
    a removal's look and its deletion would be lost, and its message become a dead letter.

    Args:
        url: where the server is, without the bucket.
        bucket: its name; it must be there.
        access_key: half of the credentials.
        secret_key: the other half.
        region: as the server calls it.
        most: bytes of one content at most.
        folder: how the objects' names begin.
    """

    def __init__(
        self, url: str, bucket: str, access_key: str, secret_key: str, region: str, most: int, folder: str = "media"
    ) -> None:
        self._most = most
        self._folder = folder
        self._store = S3Store(
            bucket,
            endpoint=url,
            access_key_id=access_key,
            secret_access_key=secret_key,
            region=region,
            virtual_hosted_style_request=False,
            client_options={"allow_http": url.startswith("http://"), "connect_timeout": "5s", "timeout": "60s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
        )

    def put(self, content: bytes | IO[bytes]) -> Kept:
        """See ``MediaStore``.

        Raises:
            TransientError: the bucket cannot be reached.
        """
        if isinstance(content, bytes):
            check_size(len(content), self._most)
            kept = Kept(sha256(content).hexdigest(), len(content))
            if not self._unused_for(kept.name, _FRESH):
                return kept
        with tempfile.TemporaryFile() as spooled:
            kept = copied(content, spooled, self._most)
            spooled.seek(0)
            try:
                obstore.put(self._store, self._path(kept.name), spooled, max_concurrency=2)
            except BaseError as error:
                raise _trouble(error) from None
        return kept

    def open(self, name: str) -> IO[bytes]:
        """See ``MediaStore``; the content is on this machine's disk when this returns.

        Raises:
            TransientError: the bucket cannot be reached.
        """
        spooled = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
        try:
            for piece in obstore.get(self._store, self._path(name)).stream(min_chunk_size=_CHUNK):
                spooled.write(piece)
        except FileNotFoundError:
            spooled.close()
            raise MediaGone(name) from None
        except BaseError as error:
            spooled.close()
            raise _trouble(error) from None
        spooled.seek(0)
        return spooled

    def unused(self, seconds: float) -> Iterator[str]:
        """See ``MediaStore``."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        try:
            for page in obstore.list(self._store, self._folder):
                for found in page:
                    if found["last_modified"] < before:
                        yield found["path"].rpartition("/")[2]
        except BaseError as error:
            raise _trouble(error) from None

    def remove(self, name: str, seconds: float) -> bool:
        """See ``MediaStore``."""
        if not self._unused_for(name, timedelta(seconds=seconds)):
            return False
        try:
            obstore.delete(self._store, self._path(name))
        except FileNotFoundError:
            return True
        except BaseError as error:
            raise _trouble(error) from None
        return True

    def _unused_for(self, name: str, time: timedelta) -> bool:
        try:
            found = obstore.head(self._store, self._path(name))
        except FileNotFoundError:
            return True
        except BaseError as error:
            raise _trouble(error) from None
        return found["last_modified"] < datetime.now(UTC) - time

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _trouble(error: Exception) -> TransientError:
    # The library's own words contain addresses and answers of the server.
    return TransientError(f"the bucket of MEDIA_S3_URL does not take or give files ({type(error).__name__})")
