"""What can be wrong with a dialogue, or go wrong while it is played.

PermanentError
├── InputError
│   └── InvalidDialogue    the file is no dialogue: names line, field and remedy
└── DialogueError          it could not be played
    ├── OrderRefused       the simulator does not let a person do this
    └── DialogueFailed     the bot did something else than what was expected
"""

from pathlib import Path

from botyard.errors import InputError, PermanentError


class InvalidDialogue(InputError):
    """A file is no dialogue.

    Args:
        path: the file.
        line: the line, counted from 1.
        place: the field in it, such as ``steps[3].expect``.
        problem: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, path: Path, line: int, place: str, problem: str, remedy: str = "") -> None:
        super().__init__(f"{path}:{line}: {place}".removesuffix(": "), problem, remedy)
        self.args = (path, line, place, problem, remedy)
        self.path = path
        self.line = line
        self.place = place


class DialogueError(PermanentError):
    """A dialogue could not be played to its end."""


class OrderRefused(DialogueError):
    """The simulator refused what a person was to do.

    Args:
        order: the path of the control API.
        words: why.
    """

    def __init__(self, order: str, words: str) -> None:
        super().__init__(order, words)
        self.order = order
        self.words = words

    def __str__(self) -> str:
        return f"the simulator refuses {self.order}: {self.words}"


class DialogueFailed(DialogueError):
    """A step did not go as it is written.

    Args:
        where: file, line and number of the step.
        step: the step, as it is written.
        expected: what should have happened.
        came: what happened instead.
        story: everything until then, for reading.
    """

    def __init__(self, where: str, step: str, expected: str, came: str, story: str) -> None:
        super().__init__(where, step, expected, came, story)
        self.where = where
        self.step = step
        self.expected = expected
        self.came = came
        self.story = story

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.step}", f"  expected: {self.expected}", f"  came:     {self.came}"]
        return "\n".join([*lines, "  so far:", *(f"    {line}" for line in self.story.splitlines())])
