"""The bots of a local installation: the demo bot on the simulator, and the one of BOT_TOKEN on Telegram."""

import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from botyard.bots.connection.adding import NewBot
from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.connecting import AddedBot, add_bot
from botyard.errors import InputError
from botyard.running.formation import simulator_url
from botyard.running.prepared import OwnBot, note_own_bot
from botyard.settings import Settings, get_settings
from botyard.telegram.request import AiohttpRequest

_WAIT_SECONDS: Final = 20
_CLOCK_SECONDS: Final = 60


async def connect_demo(token: str) -> None:
    """Register the demo bot with the simulator and with us; doing it again changes nothing.

    Raises:
        InputError: the simulator cannot be reached.
    """
    settings = get_settings()
    simulator = simulator_url(settings)
    await _tell_simulator(simulator, token, "demo_bot", "Demo")
    demo = NewBot(token, "demo", simulator, "updates", webhook_base_url=settings.webhook_base_url, take_over=True)
    await _add(demo, settings)


async def connect_own(settings: Settings) -> OwnBot:
    """Register and connect the bot of BOT_TOKEN; if the Bot API cannot be asked now, that is for later.

    Raises:
        InputError: its token or its kind is wrong, or it is connected elsewhere.
    """
    if settings.api_url == simulator_url(settings):
        name = simulated_name(settings.bot_kind)
        await _tell_simulator(settings.api_url, settings.require("bot_token"), name, name)
    own = NewBot(
        settings.require("bot_token"),
        settings.bot_kind,
        settings.api_url,
        webhook_base_url=settings.public_url,
        take_over=settings.take_over,
    )
    try:
        username = (await _add(own, settings)).username
    except Unreachable as error:
        return OwnBot(warnings=(f"{error} Check the network, and API_URL.",))
    except InputError as error:
        field = {"token": "BOT_TOKEN", "kind": "BOT_KIND"}.get(error.field, error.field)
        raise InputError(field, error.problem, error.remedy) from None
    return OwnBot(username, await _look_at_the_clock(settings.api_url))


async def _add(new: NewBot, settings: Settings) -> AddedBot:
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        return await add_bot(new, request, settings)
    finally:
        await request.close()


async def _look_at_the_clock(api_url: str) -> tuple[str, ...]:
    """A warning if the Bot API's clock and ours disagree: deadlines and the ages of updates are then wrong."""
    parts = urlsplit(api_url)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.head(f"{parts.scheme}://{parts.netloc}/", allow_redirects=False) as answer,
        ):
            there = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
        return ()
    ahead = (datetime.now(UTC) - there).total_seconds()
    if abs(ahead) <= _CLOCK_SECONDS:
        return ()
    direction = "ahead of" if ahead > 0 else "behind"
    apart = f"This machine's clock is {abs(ahead):.0f} s {direction} that of {parts.hostname}."
    return (f"{apart} Set it right: what is sent in time may count as too late.",)


def simulated_name(kind: str) -> str:
    """What a bot of one's own is called on the simulator; Telegram's names end in ``bot``."""
    name = re.sub(r"[^a-z0-9]+", "_", Path(kind).stem.lower()).strip("_") or "my"
    return (name if name.endswith("bot") else f"{name}_bot")[-32:]


async def _tell_simulator(simulator: str, token: str, username: str, name: str) -> None:
    body: dict[str, Any] = {"token": token, "username": username, "name": name}
    until = time.monotonic() + _WAIT_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(f"{simulator}/sim/bots", json=body) as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientError as error:
                if time.monotonic() > until:
                    raise InputError(
                        "SIMULATOR_PORT", f"the simulator does not answer ({type(error).__name__}).", "See its log."
                    ) from None
                await asyncio.sleep(0.1)


def main() -> None:
    """The step of `botyard run` that connects the bot of BOT_TOKEN; its outcome stands in the state folder."""
    settings = get_settings()
    try:
        note_own_bot(settings.state_dir, asyncio.run(connect_own(settings)))
    except InputError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the supervisor shows it
        sys.exit(1)


if __name__ == "__main__":
    main()
