"""Whether the code on the disk can be started: `make dev` asks, in a process of its own, before it stops what works."""

import sys
from importlib.metadata import entry_points

from botyard.bots.kinds import wanted_updates
from botyard.errors import InputError
from botyard.settings import get_settings


def problems() -> list[str]:
    """What stands in the way of a start, each with its file and line; nothing if all is well."""
    import tasks.maintenance  # noqa: PLC0415 - they read Celery's settings
    import tasks.outbound  # noqa: PLC0415
    import tasks.updates  # noqa: F401, PLC0415

    found = []
    for kind in sorted({*entry_points(group="botyard.bots").names, get_settings().bot_kind}):
        try:
            wanted_updates(kind)
        except InputError as error:
            found.append(error.problem)
    return found


if __name__ == "__main__":
    said = problems()
    print("\n".join(said))  # noqa: T201 - the supervisor shows it
    sys.exit(1 if said else 0)
