"""Other software that does a part of what Botyard does, as its own documentation says to use it.

Its libraries live in ``.venv-peers``; nothing here is imported by what is measured.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
_FOLDER: Final = HERE.parents[1] / ".venv-peers"
PYTHON: Final = _FOLDER / "bin" / "python"


def prepare() -> None:
    """Install what the peers need, if that is not there yet."""
    wanted = HERE / "requirements.txt"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    mark = _FOLDER / "installed"
    if mark.exists() and mark.read_text() == digest:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", _FOLDER], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
    mark.write_text(digest)


def command(script: str, *words: str) -> list[str]:
    """How a script of this folder is run."""
    return [str(PYTHON), str(HERE / f"{script}.py"), *words]
