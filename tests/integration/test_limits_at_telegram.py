"""Three processes send for one bot at once; what counts is when the requests arrive at Telegram's side."""

import asyncio
import json
import os
import random
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from tests.services import Services

SENDS, PROCESSES, BOT = 10_000, 3, 1
PRIVATE, GROUPS = 3000, 60
BULK, PAID, GROUP_WINDOW = 300.0, 2000.0, 5.0
TOLERANCE = 0.020

Arrival = tuple[float, str, str, str, float]
"""The second, the method, the chat, the text, and for how long the request was on its way."""


@pytest.fixture
async def arrivals() -> AsyncIterator[tuple[str, list[Arrival]]]:
    """An address that notes each request's moment, and the notes."""
    noted: list[Arrival] = []

    async def note(request: web.Request) -> web.Response:
        at = time.monotonic()
        body = await request.json()
        transit = at - body["sent"]
        noted.append((at, request.match_info["method"], str(body["chat_id"]), body.get("text", ""), transit))
        return web.json_response({"ok": True, "result": {"message_id": len(noted)}})

    application = web.Application()
    application.router.add_post("/{method}", note)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", noted
    await runner.cleanup()


def plan(chance: random.Random) -> list[list[Any]]:
    """Random sends: most of them replies and bulk to people, some to groups, some paid, some forwards."""
    sends = []
    for number in range(SENDS):
        group = chance.random() < 0.05
        chat = f"-{chance.randrange(1, GROUPS)}" if group else str(number % PRIVATE + 1)
        lane = chance.choice([1, 1, 1, 3, 3])
        method = "forwardMessage" if chance.random() < 0.05 else "sendMessage"
        sends.append([method, chat, lane, lane == 3 and method == "sendMessage" and chance.random() < 0.5])
    return sends


async def run(services: Services, url: str, sends: list[list[Any]]) -> None:
    settings = {
        "LIMIT_BULK_PER_SECOND": str(BULK), "LIMIT_PAID_PER_SECOND": str(PAID), "LIMIT_PRIVATE_PER_SECOND": "1",
    }  # fmt: skip
    environment = {**os.environ, **services.environment, **settings}
    command = (sys.executable, "-m", "tests.integration.limited_sender")
    children = []
    for number in range(PROCESSES):
        child = await asyncio.create_subprocess_exec(*command, env=environment, stdin=asyncio.subprocess.PIPE)
        order = {"bot": BOT, "url": url, "window": GROUP_WINDOW, "sends": sends[number::PROCESSES]}
        children.append(asyncio.create_task(child.communicate(json.dumps(order).encode())))
    await asyncio.gather(*children)


def most_within(moments: list[float], seconds: float) -> int:
    """How many of these sorted moments fall into the fullest half-open window."""
    return max(bisect_left(moments, begin + seconds) - index for index, begin in enumerate(moments))


@pytest.mark.timeout(240)
async def test_three_processes_and_ten_thousand_sends_exceed_no_limit_in_any_window(
    clean: Services, arrivals: tuple[str, list[Arrival]]
) -> None:
    url, noted = arrivals
    await run(clean, url, plan(random.Random(7)))
    assert len(noted) == SENDS
    # What a busy machine takes over carrying a request brings it nearer to those behind it.
    slack = TOLERANCE + max(transit for *_, transit in noted)
    print(f"the longest way of a request: {slack - TOLERANCE:.3f} s")
    chats: dict[str, list[float]] = defaultdict(list)
    for at, method, chat, *_ in sorted(noted):
        chats[chat] += [at] * (2 if method == "forwardMessage" else 1)
    for chat, moments in chats.items():
        if chat.startswith("-"):
            assert most_within(moments, GROUP_WINDOW - slack) <= 20, chat
            continue
        for index in range(len(moments)):
            # After a burst of three, one a second: the fourth and every later one is so far behind.
            for later in range(index + 3, len(moments)):
                assert moments[later] - moments[index] >= (later - index - 2) - slack, chat
    bulk = sorted(at for at, method, _, text, _ in noted if text == "3")
    assert most_within(bulk, 1 - slack) <= BULK
    assert sum(after - before for before, after in pairwise(bulk)) >= (len(bulk) - 1) / BULK - slack
    paid = sorted(at for at, _, _, text, _ in noted if text == "3p")
    assert most_within(paid, 1 - slack) <= PAID
