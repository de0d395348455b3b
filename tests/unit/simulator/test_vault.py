import base64
from pathlib import Path

import pytest

from botyard.simulator.files import Vault, file_id, read_file_id, signed


@pytest.fixture(params=["memory", "folder"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "files" if request.param == "folder" else None


def test_a_full_vault_drops_what_was_put_in_first(folder: Path | None) -> None:
    vault = Vault(folder, limit=10)
    for name in ("a", "b", "c"):
        vault.put(name, name.encode() * 4)
    assert [vault.get(name) for name in ("a", "b", "c")] == [None, b"bbbb", b"cccc"]


def test_a_file_put_in_again_counts_once(folder: Path | None) -> None:
    vault = Vault(folder, limit=10)
    for _ in range(3):
        vault.put("a", b"aaaa")
    vault.put("b", b"bbbb")
    assert vault.get("a") == b"aaaa"


def test_a_folder_keeps_files_and_their_order_over_restarts(tmp_path: Path) -> None:
    first = Vault(tmp_path / "files", limit=10)
    first.put("b", b"bbbb")
    first.put("a", b"aaaa")
    second = Vault(tmp_path / "files", limit=10)
    second.put("c", b"cccc")
    assert [second.get(name) for name in ("a", "b", "c")] == [b"aaaa", None, b"cccc"]
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0


def test_an_id_tells_bot_and_file() -> None:
    assert read_file_id(file_id(4200000001, "AQADx")) == (4200000001, "AQADx")
    assert file_id(1, "AQADx") != file_id(2, "AQADx")
    assert [read_file_id(text) for text in ("", "!!", "AAAA", "bm90aGluZw", "\N{SNOWMAN}")] == [None] * 5


def test_every_file_in_a_content_gets_the_id_of_the_viewer() -> None:
    content = {"video": {"file_unique_id": "v", "thumbnail": {"file_unique_id": "t"}}, "caption": "x"}
    shown = signed(content, 7)
    assert read_file_id(shown["video"]["file_id"]) == (7, "v")
    assert read_file_id(shown["video"]["thumbnail"]["file_id"]) == (7, "t")
    assert "file_id" not in content["video"]


@pytest.mark.parametrize("bot_id", ["9" * 5000, "", "x", "٣"])
def test_an_id_without_a_bot_is_no_id(bot_id: str) -> None:
    made = base64.urlsafe_b64encode(f"{bot_id}:AQAD".encode()).decode()
    assert read_file_id(made) is None
