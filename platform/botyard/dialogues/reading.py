"""Reading a dialogue from its file, with the line of everything that is wrong."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from botyard.dialogues.errors import InvalidDialogue
from botyard.dialogues.script import PLACE, Dialogue

Place = tuple[int | str, ...]
QUOTE = "Texts with ? : , or # inside braces and brackets need quotes."
REMEDY = "docs/dialogues.md lists what may stand there."
REMEDIES = {
    "extra_forbidden": "Is it misspelt?",
    "missing": "Add it.",
    "value_error": "",
}


def read_dialogue(path: Path) -> Dialogue:
    """Read a dialogue.

    Args:
        path: a file of YAML. Every plain value in it is a text, so that ``say: yes`` says "yes".

    Raises:
        InvalidDialogue: the file cannot be read, or is no dialogue.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDialogue(
            path, 1, "", f"the file cannot be read: {error}.", "Give the path of a dialogue."
        ) from None
    try:
        # Only composed: every scalar stays the text that it is, and no tag makes an object.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidDialogue(path, mark.line + 1 if mark else 1, "", f"this is no YAML: {problem}.", QUOTE) from None
    if not isinstance(node, yaml.MappingNode):
        raise InvalidDialogue(path, 1, "", "a dialogue is a mapping with steps.", "Begin with `steps:`.")
    reader = _Reader(path)
    return reader.dialogue(reader.value(node, ()))


class _Reader:
    """Turns nodes of YAML into plain values, and remembers the line of each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[Place, int] = {}
        self._open: list[yaml.Node] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if any(node is outer for outer in self._open):
            raise InvalidDialogue(self._path, line, shown(place), "this contains itself.", "Write it out.")
        self._open.append(node)
        made: Any
        if isinstance(node, yaml.SequenceNode):
            made = [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        else:
            made = self._mapping(node, place)
        self._open.pop()
        return made

    def _mapping(self, node: yaml.Node, place: Place) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidDialogue(self._path, line, shown(place), "a name must be a text.", "Quote it.")
            if key.value in made:
                raise InvalidDialogue(self._path, line, shown((*place, key.value)), "it is said twice.", "Keep one.")
            made[key.value] = self.value(value, (*place, key.value))
            self._lines[*place, key.value] = line
        return made

    def dialogue(self, data: dict[str, Any]) -> Dialogue:
        try:
            dialogue = Dialogue.model_validate(data)
        except ValidationError as error:
            raise self._complaint(error) from None
        dialogue._path = self._path  # noqa: SLF001 - not a field of the file
        for number, step in enumerate(dialogue.steps):
            step._line = self._lines["steps", number]  # noqa: SLF001 - not a field of the file
        return dialogue

    def _complaint(self, error: ValidationError) -> InvalidDialogue:
        first = error.errors()[0]
        place: Place = tuple(first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        if not place and (found := PLACE.match(problem)):
            place = placed(found.group())
            problem = problem[found.end() + 2 :]
        line = next((self._lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in self._lines), 1)
        remedy = " ".join(words for words in (REMEDIES.get(first["type"], ""), REMEDY) if words)
        return InvalidDialogue(self._path, line, shown(place), f"{problem}.".replace("..", "."), remedy)


def shown(place: Place) -> str:
    """Return a place as people write it: ``steps[3].expect``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def placed(text: str) -> Place:
    """Return the place that :func:`shown` has written."""
    parts = text.replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts)
