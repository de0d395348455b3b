"""What the environment asks of a process of the campaign: failpoints, and one planted bug."""

import os
from pathlib import Path
from typing import Any, Final

from botyard.processing import rows
from tests.faults import bugs
from tests.faults.points import Points

POINTS: Final = "FAULT_POINTS"
BUG: Final = "PLANTED_BUG"
SCALE: Final = "FAULT_SCALE"
"""By so much the deadlines of lanes are shorter: an hour of outage becomes a minute."""
HASTY: Final = "FAULT_HASTY"
"""So often, in seconds, a beat has moments of schedules looked for."""


def install() -> None:
    """Before anything of the process runs."""
    if folder := os.environ.get(POINTS):
        Points(Path(folder)).install()
    if scale := os.environ.get(SCALE):
        for useful in (rows._USEFUL_SECONDS, rows._ANSWER_SECONDS):
            shorter: Any = {name: seconds / float(scale) for name, seconds in useful.items()}
            useful.update(shorter)
    if bug := os.environ.get(BUG):
        bugs.plant(bug)
