"""The link for whoever is the first: told at a start at which there is nobody who could sign in."""

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Final

from botyard.running.formation import botyard_command

_SECONDS: Final = 60


async def tell_first_link(environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Make the link, if it is needed, and say it.

    Args:
        environment: what the processes of this run are told.
        say: takes a line for the person at the terminal, and writes it nowhere else.
    """
    link = await _first_link(environment)
    if link:
        say("Nobody can sign in yet. This link makes you the first, within 15 minutes:")
        say(f"    {link}")


async def _first_link(environment: Mapping[str, str]) -> str:
    # In a process of its own: this one needs no database otherwise, and stays small.
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    asked = await asyncio.create_subprocess_exec(
        *botyard_command("admin", "link"), env={**os.environ, **environment}, stdin=nothing, stdout=pipe, stderr=nothing
    )
    try:
        output, _ = await asyncio.wait_for(asked.communicate(), _SECONDS)
    except TimeoutError:
        return ""
    finally:
        if asked.returncode is None:
            asked.kill()
            await asked.wait()
    # It fails if there is somebody already.
    return output.decode().strip() if asked.returncode == 0 else ""
