"""Which methods of the Bot API the simulator has: the table in the documentation, made from the methods themselves.

``python -m botyard.simulator.coverage docs/simulator.md`` writes it anew.
"""

import inspect
import sys
from pathlib import Path

from botyard.simulator import schema
from botyard.simulator.methods import REGISTRY
from botyard.simulator.polling import Polling

BEGIN = "<!-- methods: made by python -m botyard.simulator.coverage docs/simulator.md -->"
END = "<!-- end of methods -->"
WIDTH = 120
REFUSING = "Refuse, in Telegram's words."
"""The docstring of a method that has no behaviour but its refusal."""


def table() -> str:
    """Return the methods that the simulator has, with what their docstrings say first, and those it lacks."""
    names = schema.names()
    present = {names[key]: _summary(function) for key, function in REGISTRY.items()}
    present["getUpdates"] = _summary(Polling.get_updates)
    refusing = sorted(name for name, summary in present.items() if summary == REFUSING)
    rows = [f"| {name} | {summary} |" for name, summary in sorted(present.items()) if summary != REFUSING]
    missing = sorted(set(names.values()) - present.keys())
    return "\n".join(
        [
            f"{len(rows)} of the {len(names)} methods of Bot API {schema.version()}:",
            "",
            "| method | what it does here |",
            "|---|---|",
            *rows,
            "",
            *_wrapped(f"Always refused, in Telegram's words: {', '.join(refusing)}."),
            "",
            *_wrapped(f"Not there yet, answered with 404: {', '.join(missing)}."),
        ]
    )


def written(text: str) -> str:
    """Return a document with the present table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(path: Path) -> None:
    """Write the table into a document."""
    path.write_text(written(path.read_text()))


def _summary(function: object) -> str:
    first = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return " ".join(first.split()).replace("``", "`").replace("|", "\\|")


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]))
