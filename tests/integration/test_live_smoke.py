"""`make test-live`, held against the simulator."""

import asyncio
import os
import sys

from tests.unit.simulator.process import BOT, TOKEN, Client


async def _run(**settings: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVE_")} | settings
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.live", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_without_a_token_it_says_so_and_is_content() -> None:
    code, said = await _run()
    assert code == 0
    assert "LIVE_BOT_TOKEN is not set" in said


async def test_without_a_chat_it_asks_and_sends_nothing(client: Client) -> None:
    code, said = await _run(LIVE_BOT_TOKEN=TOKEN, LIVE_API_URL=client.url)
    assert code == 0
    assert f"@demo_bot, id {BOT}" in said
    assert "no webhook, 0 updates wait" in said
    assert "LIVE_CHAT is not set" in said
    assert not [event for event in await client.events("call") if event["method"] == "sendMessage"]


async def test_with_a_chat_it_sends_edits_and_deletes(client: Client) -> None:
    person = await client.prepare()
    await client.write(person, "/start")
    code, said = await _run(LIVE_BOT_TOKEN=TOKEN, LIVE_API_URL=client.url, LIVE_CHAT=str(person))
    assert code == 0, said
    methods = [event["method"] for event in await client.events("call")]
    assert methods[-3:] == ["sendMessage", "editMessageText", "deleteMessage"]
    assert TOKEN.partition(":")[2] not in said


async def test_a_refused_token_fails_and_is_not_repeated(client: Client) -> None:
    wrong = "4200000009:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
    code, said = await _run(LIVE_BOT_TOKEN=wrong, LIVE_API_URL=client.url)
    assert code == 1
    assert "failed:" in said
    assert wrong.partition(":")[2] not in said
