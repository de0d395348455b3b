"""The folder in which the content of files waits: whole, once, bounded, and gone only when nobody wants it."""

import io
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from botyard.errors import InputError
from botyard.media.store import FolderStore, MediaGone, store_of
from botyard.settings import Settings

CONTENT = b"some content"
NAME = sha256(CONTENT).hexdigest()
HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "media", 1000)


def path_of(folder: Path, name: str = NAME) -> Path:
    return folder / "media" / name[:2] / name[2:4] / name


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize("content", [CONTENT, io.BytesIO(CONTENT)], ids=["bytes", "a file"])
def test_content_lies_under_its_hash_and_comes_back_as_it_was(
    store: FolderStore, tmp_path: Path, content: bytes | io.BytesIO
) -> None:
    kept = store.put(content)
    assert (kept.name, kept.size) == (NAME, len(CONTENT))
    assert path_of(tmp_path).read_bytes() == CONTENT
    assert path_of(tmp_path).stat().st_mode & 0o077 == 0
    with store.open(NAME) as opened:
        assert opened.read() == CONTENT


def test_the_same_content_is_kept_once_and_counts_as_used_again(store: FolderStore, tmp_path: Path) -> None:
    store.put(CONTENT)
    inode = path_of(tmp_path).stat().st_ino
    aged(path_of(tmp_path), 3 * HOUR)
    assert list(store.unused(HOUR)) == [NAME]
    store.put(CONTENT)
    assert path_of(tmp_path).stat().st_ino == inode
    assert list(store.unused(HOUR)) == []


@pytest.mark.parametrize("content", [b"x" * 1001, io.BytesIO(b"x" * 1001)], ids=["bytes", "a file"])
def test_what_is_too_large_is_refused_by_the_name_of_the_setting_and_leaves_nothing(
    store: FolderStore, tmp_path: Path, content: bytes | io.BytesIO
) -> None:
    with pytest.raises(InputError, match="MEDIA_MAX_BYTES: a file to be sent is larger than 1000 bytes"):
        store.put(content)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", [NAME, "", "..", "../../etc/passwd", NAME + "/x", "A" * 64])
def test_what_is_not_kept_is_gone_whatever_its_name(store: FolderStore, name: str) -> None:
    with pytest.raises(MediaGone):
        store.open(name)


def test_what_was_put_again_since_it_was_found_unused_is_not_removed(store: FolderStore, tmp_path: Path) -> None:
    store.put(CONTENT)
    aged(path_of(tmp_path), 3 * HOUR)
    (found,) = store.unused(HOUR)
    store.put(CONTENT)
    assert store.remove(found, HOUR) is False
    aged(path_of(tmp_path), 3 * HOUR)
    assert store.remove(found, HOUR) is True
    assert store.remove(found, HOUR) is True
    assert not path_of(tmp_path).exists()


PUT = """
import io, os, sys
from pathlib import Path
from botyard.media.store import FolderStore
class Dying(io.BytesIO):
    def read(self, size=-1):
        found = super().read(4)
        if not found:
            os.kill(os.getpid(), 9)
        return found
FolderStore(Path(sys.argv[1]), 1000).put(Dying(b"some content"))
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_that_looks_whole(
    store: FolderStore, tmp_path: Path
) -> None:
    ran = subprocess.run([sys.executable, "-c", PUT, str(tmp_path / "media")], check=False)
    assert ran.returncode == -9
    (left,) = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    with pytest.raises(MediaGone):
        store.open(NAME)
    assert list(store.unused(HOUR)) == []
    store.put(CONTENT)
    aged(left, 3 * HOUR)
    assert list(store.unused(HOUR)) == []
    assert not left.exists(), "it is cleared away with what is unused"


def test_the_folder_is_in_the_state_unless_another_is_named(tmp_path: Path) -> None:
    assert Settings(state_dir=tmp_path, media_dir=None).media_folder == tmp_path / "media"
    assert Settings(state_dir=tmp_path, media_dir=tmp_path / "x").media_folder == tmp_path / "x"


def test_a_bucket_without_its_credentials_is_refused_by_the_name_of_the_setting() -> None:
    settings = Settings(media_s3_url="http://127.0.0.1:1", media_s3_bucket="b", media_s3_access_key=None)
    with pytest.raises(InputError, match="MEDIA_S3_ACCESS_KEY: is not set"):
        store_of(settings)
