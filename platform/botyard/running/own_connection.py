"""The bot of BOT_TOKEN as `botyard run` tells of it, and what it does while the Bot API cannot be reached."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from botyard.running.formation import simulator_url
from botyard.running.prepared import own_bot
from botyard.settings import Settings
from botyard.supervisor import StartError, Step, run_step

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 60.0


def own_greeting(settings: Settings, state: Path) -> list[str]:
    """The lines about the bot of BOT_TOKEN."""
    if settings.bot_token is None:
        return []
    own = own_bot(state)
    if own.username and settings.api_url == simulator_url(settings):
        return [f"Your bot @{own.username} lives on the simulator. Chat with it:  {settings.api_url}/"]
    how = f"by webhook at {settings.public_url}" if settings.public_url else "by long polling"
    connected = f"Your bot @{own.username} is connected {how}."
    first = connected if own.username else "Your bot is not connected yet; this is tried again and again."
    return [first, *(f"    {warning}" for warning in own.warnings)]


async def connect_later(
    settings: Settings, state: Path, step: Step, say: Callable[[str], None], first_pause: float = _FIRST_PAUSE
) -> None:
    """Try until the bot is connected, or until it is clear that trying again cannot help.

    Args:
        settings: of this run.
        state: the state folder.
        step: what connects it and notes the outcome.
        say: takes a line for the person at the terminal.
        first_pause: seconds before the first try; doubled for each further one, up to a minute.
    """
    pause = first_pause
    while settings.bot_token is not None and not own_bot(state).username:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        try:
            await run_step(step, str(state))
        except StartError as error:
            for line in (*error.lines, "Your bot stays unconnected. Mend this, then start again."):
                say(line)
            return
        if own_bot(state).username:
            for line in own_greeting(settings, state):
                say(line)
