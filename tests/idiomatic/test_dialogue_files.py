"""What a dialogue's file may say, and how wrong ones are refused."""

from pathlib import Path

import pytest

from botyard.dialogues import Dialogue, InvalidDialogue, read_dialogue
from botyard.errors import InputError

STEPS = "steps:\n  - say: hello\n"


def read(folder: Path, text: str) -> Dialogue:
    path = folder / "mybot.yml"
    path.write_text(text, encoding="utf-8")
    return read_dialogue(path)


def refusal(folder: Path, text: str) -> InvalidDialogue:
    with pytest.raises(InvalidDialogue) as caught:
        read(folder, text)
    return caught.value


def test_every_plain_value_is_a_text_so_that_people_can_say_yes_and_half_past_twelve(tmp_path: Path) -> None:
    dialogue = read(tmp_path, "steps:\n  - say: yes\n  - say: 12:30\n  - say: 007\n  - say: null\n")
    assert [step.given for step in dialogue.steps] == ["yes", "12:30", "007", "null"]


def test_numbers_and_switches_are_read_where_they_belong(tmp_path: Path) -> None:
    dialogue = read(tmp_path, "seconds: 2.5\nsteps:\n  - block: true\n  - wait: 3\n  - silence: 0.5\n")
    assert (dialogue.seconds, *(step.given for step in dialogue.steps)) == (2.5, True, 3.0, 0.5)


def test_a_plain_text_stands_for_the_text_of_what_is_expected(tmp_path: Path) -> None:
    short, long = read(tmp_path, "steps:\n  - expect: Hi\n  - expect: {text: Hi}\n").steps
    assert short.given == long.given


def test_buttons_are_rows_or_one_row(tmp_path: Path) -> None:
    one, rows = read(tmp_path, "steps:\n  - expect: {buttons: [A, B]}\n  - expect: {buttons: [[A], [B]]}\n").steps
    assert (one.given.buttons, rows.given.buttons) == ([["A", "B"]], [["A"], ["B"]])


def test_a_step_knows_its_line(tmp_path: Path) -> None:
    dialogue = read(tmp_path, "# a comment\n\nsteps:\n  - say: hello\n\n  - restart:\n")
    assert [step.line for step in dialogue.steps] == [4, 6]


@pytest.mark.parametrize(
    ("text", "line", "place", "problem"),
    [
        ("steps:\n  - say: hello\n  - expct: Hi\n", 3, "steps[1].expct", "Extra inputs are not permitted"),
        ("steps:\n  - say: hello\n    press: Go\n", 2, "steps[0]", "this one says press, say"),
        ("steps:\n  - by: Ann\n", 2, "steps[0]", "this one says nothing"),
        ("steps:\n  - say: a\n  - expect:\n      text: b\n      pattern: c\n", 3, "steps[1].expect", "not both"),
        ("steps:\n  - expect:\n      pattern: '(a'\n", 3, "steps[0].expect.pattern", "no regular expression"),
        (f"people: [Ann]\n{STEPS}    by: Ben\n", 4, "steps[0].by", "Ben is not among people: Ann"),
        (f"{STEPS}    in: kitchen\n", 3, "steps[0].in", "kitchen is no person and no group"),
        (f"groups:\n  club: {{members: [Ben]}}\n{STEPS}", 2, "groups.club.members", "Ben is not among people"),
        ("steps:\n  - wait: soon\n", 2, "steps[0].wait", "valid number"),
        ("steps:\n  - join: kitchen\n", 2, "steps[0].join", "kitchen is no group"),
        ("steps:\n  - say: a\n    say: b\n", 3, "steps[0].say", "it is said twice"),
        ("people: [Ann]\n", 1, "steps", "Field required"),
        ("steps: []\n", 1, "steps", "at least 1 item"),
        ("- say: hello\n", 1, "", "a dialogue is a mapping"),
        ("steps:\n  - expect: {text: a, buttons: [b}\n", 2, "", "no YAML"),
        ("steps: &all\n  - *all\n", 1, "steps[0]", "contains itself"),
        ("steps:\n  - send: {dice: 🎲, contact: {}}\n", 2, "steps[0].send", "one thing at a time"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_field(
    tmp_path: Path, text: str, line: int, place: str, problem: str
) -> None:
    error = refusal(tmp_path, text)
    assert (error.line, error.place) == (line, place)
    assert problem in error.problem
    assert str(error).startswith(f"{tmp_path / 'mybot.yml'}:{line}: ")


def test_a_refusal_names_a_remedy_and_is_an_input_error(tmp_path: Path) -> None:
    error = refusal(tmp_path, "steps:\n  - expct: Hi\n")
    assert isinstance(error, InputError)
    assert error.remedy == "Is it misspelt? docs/dialogues.md lists what may stand there."


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDialogue, match="cannot be read"):
        read_dialogue(tmp_path / "nothing.yml")


def test_a_tag_that_would_make_an_object_makes_none(tmp_path: Path) -> None:
    dialogue = read(tmp_path, "steps:\n  - say: !!python/name:os.getcwd hello\n")
    assert dialogue.steps[0].given == "hello"
