"""The bots of a local installation: the demo bot on the simulator, and the one of BOT_TOKEN on Telegram."""

import asyncio
import time
from typing import Any, Final

import aiohttp

from botyard.bots.services import AddedBot, NewBot, add_bot
from botyard.errors import InputError
from botyard.settings import Settings, get_settings
from botyard.telegram.request import AiohttpRequest

_WAIT_SECONDS: Final = 20


async def connect_demo(token: str) -> None:
    """Register the demo bot with the simulator and with us; doing it again changes nothing.

    Raises:
        InputError: the simulator cannot be reached.
    """
    settings = get_settings()
    simulator = simulator_url(settings)
    await _tell_simulator(f"{simulator}/sim/bots", {"token": token, "username": "demo_bot", "name": "Demo"})
    demo = NewBot(token, "demo", simulator, "updates", webhook_base_url=settings.webhook_base_url, take_over=True)
    await _add(demo, settings)


async def connect_own(settings: Settings) -> AddedBot:
    """Register and connect the bot of BOT_TOKEN.

    Raises:
        InputError: its token is wrong, Telegram cannot be asked, or it is connected elsewhere.
    """
    own = NewBot(
        settings.require("bot_token"),
        settings.bot_kind,
        settings.api_url,
        webhook_base_url=settings.public_url,
        take_over=settings.take_over,
    )
    try:
        return await _add(own, settings)
    except InputError as error:
        field = "BOT_TOKEN" if error.field == "token" else error.field
        raise InputError(field, error.problem, error.remedy) from None


async def _add(new: NewBot, settings: Settings) -> AddedBot:
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        return await add_bot(new, request, settings)
    finally:
        await request.close()


def simulator_url(settings: Settings) -> str:
    """Where the simulator of this installation answers."""
    return f"http://{settings.simulator_host}:{settings.simulator_port}"


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
