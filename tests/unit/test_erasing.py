"""Erasing a state folder: what is ours goes, what is not stays, and what was cut off can be finished."""

import shutil
from pathlib import Path

import pytest

from botyard.errors import InputError
from botyard.running.erasing import erase_state, is_ours
from botyard.running.local_secrets import load_or_make
from botyard.supervisor import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    for name in ("postgres/base", "valkey", "logs", "ready", "simulator.json.files"):
        (folder / name).mkdir(parents=True)
    (folder / "postgres" / "base" / "1").write_text("rows")
    (folder / "simulator.json").write_text("{}")
    (folder / "simulator.json.good").write_text("{}")
    load_or_make(folder)
    return folder


def test_a_folder_in_which_nothing_else_is_goes_with_everything_in_it(state: Path) -> None:
    assert is_ours(state)
    assert erase_state(state) == []
    assert not state.exists()


def test_what_somebody_else_keeps_in_the_folder_stays(state: Path) -> None:
    (state / "letter.txt").write_text("dear")
    assert erase_state(state) == ["letter.txt"]
    assert [path.name for path in state.iterdir()] == ["letter.txt"]
    assert not is_ours(state)


def test_secrets_of_something_else_do_not_make_a_folder_ours(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"api_key": "x"}')
    assert not is_ours(tmp_path)


def test_what_was_cut_off_is_finished_by_doing_it_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(InputError, match=r"postgres cannot be removed \(Permission denied\)"):
            erase_state(state)
    assert is_ours(state)
    assert erase_state(state) == []


def test_a_run_that_began_meanwhile_is_not_erased_under_its_feet(state: Path) -> None:
    with StateFolder(state), pytest.raises(InputError, match="already running"):
        erase_state(state)
    assert (state / "postgres" / "base" / "1").exists()
