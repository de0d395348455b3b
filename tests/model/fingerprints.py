"""Which scripts and statements the model was last held against: ``python -m tests.model.fingerprints [--write]``.

A changed one may do what the model does not know of. Look whether the model still says what it does; then write anew.
"""

import hashlib
import json
import sys
from pathlib import Path

from botyard.delivery import outbox
from botyard.processing import statements
from db.prepared import Prepared

NOTED = Path(__file__).parent / "fingerprints.json"
_LUA = Path(__file__).parents[2] / "platform" / "botyard" / "mailbox" / "lua"
_STATEMENTS: dict[str, str | Prepared] = {
    "LOAD": statements.LOAD,
    "COMMIT": statements.COMMITS[True, True, True, True],
    "WRITE_EARLY": statements.WRITE_EARLY,
    "WRITTEN_EARLY": statements.WRITTEN_EARLY,
    "adopt": outbox._ADOPT,
    "claim": outbox._CLAIM,
    "record": outbox._RECORD_ANY,
    "next due": outbox._NEXT_DUE,
    "asleep": outbox._ASLEEP,
    "forgotten": outbox._FORGOTTEN,
}


def present() -> dict[str, str]:
    """The fingerprint of each script and statement as it is now."""
    texts = {f"lua/{path.name}": path.read_text(encoding="utf-8") for path in sorted(_LUA.glob("*.lua"))}
    texts |= {f"sql/{name}": text.sql if isinstance(text, Prepared) else text for name, text in _STATEMENTS.items()}
    return {name: hashlib.sha256(said(text).encode()).hexdigest() for name, text in texts.items()}


def said(text: str) -> str:
    """A script or statement without blank lines, indents, and lines that are comments."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))


def noted() -> dict[str, str]:
    """The fingerprints that the model was held against."""
    found: dict[str, str] = json.loads(NOTED.read_text(encoding="utf-8"))
    return found


def changed() -> list[str]:
    """What is there now and was not noted, was noted and is there no more, or is another."""
    now, then = present(), noted()
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        NOTED.write_text(json.dumps(present(), indent=2) + "\n", encoding="utf-8")
    else:
        print(*changed(), sep="\n")
