import pytest

from tests.model import fingerprints
from tests.model.__main__ import main
from tests.model.configurations import FULL, HUNTS, PLANTED, QUICK, Planted, run, setup_of
from tests.model.explorer import explore
from tests.model.inbound import Inbound
from tests.model.inbound_state import Setup, Update


@pytest.mark.parametrize("name", QUICK)
def test_no_invariant_breaks_and_everything_comes_to_its_end(name: str) -> None:
    result = run(setup_of(name))
    assert result.problem == "", "\n".join(result.trace)
    assert result.states > 10


@pytest.mark.parametrize("planted", [one for one in PLANTED if one.quick], ids=lambda one: f"{one.bug} in {one.where}")
def test_a_planted_bug_is_caught_by_its_invariant(planted: Planted) -> None:
    result = run(setup_of(planted.where, planted.bug))
    assert result.invariant == planted.invariant, result.problem or "not caught"
    assert result.trace


def test_names_of_configurations_are_given_once() -> None:
    assert len({**QUICK, **FULL, **HUNTS}) == len(QUICK) + len(FULL) + len(HUNTS)


def test_the_way_to_a_violation_is_told_step_by_step() -> None:
    setup = Setup((Update(0),), (0,), 0, bugs=frozenset({"pop-at-take"}))
    result = explore(Inbound(setup))
    assert result.trace == ("update 0 comes, 200", "w0 gets ticket (0, 1)", "w1 takes chat 0, update 0")


def test_the_command_tells_what_it_found_and_how_bugs_were_caught(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["model", "--quick", "--only", "a chat twice"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "ok  in: a chat twice in a process" in said
    assert "ONCE: update 0 becomes a dead letter, and had its end" in said
    assert "0 unexpected" in said


def test_too_many_states_prove_nothing() -> None:
    assert explore(Inbound(Setup((Update(0),), (0,), 0)), limit=3).invariant == "LIMIT"


def test_the_model_was_held_against_the_scripts_and_statements_as_they_are() -> None:
    assert fingerprints.changed() == [], (
        "these scripts or statements changed: look whether tests/model still says what they do, and change it where it "
        "does not; then run: python -m tests.model.fingerprints --write"
    )


def test_comments_and_blank_lines_change_no_fingerprint() -> None:
    assert fingerprints.said("-- why\nSELECT 1\n\n  FROM a\n") == fingerprints.said("SELECT 1\nFROM a")
    assert fingerprints.said("SELECT 1") != fingerprints.said("SELECT 2")
