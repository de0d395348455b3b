"""``botyard erase``."""

import typer

from botyard.commands.output import TROUBLE, Yes, confirm, say


def erase(*, yes: Yes = False) -> None:
    """Remove everything that `botyard run` has kept in this folder: bots, messages, secrets, logs."""
    from botyard.running.erasing import erase_state, is_ours  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415
    from botyard.supervisor import running_pid  # noqa: PLC0415

    state = get_settings().state_dir.absolute()
    if not state.exists():
        say(f"There is nothing in {state}.")
        return
    if not is_ours(state):
        # Whatever the setting points at, only a folder that was ours is touched.
        say(f"botyard: {state} was not made by `botyard run`. Look what it is, and remove it yourself.")
        raise typer.Exit(TROUBLE)
    if (pid := running_pid(state)) is not None:
        say(f"botyard: `botyard run` (process {pid}) uses {state}. Stop it first.")
        raise typer.Exit(TROUBLE)
    confirm(f"Remove {state} with every bot, message and secret in it?", yes=yes)
    if left := erase_state(state):
        say(f"Everything of Botyard is gone; {state} stays, for there is more in it: {', '.join(left)}.")
    else:
        say(f"{state} is gone.")
