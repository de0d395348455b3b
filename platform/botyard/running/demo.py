"""The demo bot of a local installation: known to the simulator, connected to our webhook."""

import asyncio
import time
from typing import Any, Final

import aiohttp

from botyard.bots.services import NewBot, add_bot
from botyard.errors import InputError
from botyard.settings import get_settings
from botyard.telegram.request import AiohttpRequest

_WAIT_SECONDS: Final = 20


async def connect(token: str) -> None:
    """Register the demo bot with the simulator and with us; doing it again changes nothing.

    Raises:
        InputError: the simulator cannot be reached.
    """
    settings = get_settings()
    profile = {"token": token, "username": "demo_bot", "name": "Demo"}
    await _tell_simulator(f"{settings.api_url}/sim/bots", profile)
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        await add_bot(NewBot(token, "demo", settings.api_url, queue="updates"), request, settings)
    finally:
        await request.close()


async def _tell_simulator(url: str, body: dict[str, Any]) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(url, json=body) as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientError as error:
                if time.monotonic() > until:
                    raise InputError(
                        "SIMULATOR_PORT", f"the simulator does not answer ({type(error).__name__}).", "See its log."
                    ) from None
                await asyncio.sleep(0.1)
