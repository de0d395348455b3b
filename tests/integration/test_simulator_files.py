import base64
from pathlib import Path

import aiohttp

from tests.unit.simulator.process import BOT, TOKEN, Client, Process, state_option


async def test_files_and_their_links_outlive_a_restart(tmp_path: Path) -> None:
    options = state_option(tmp_path / "world.json")
    process = Process(*options).wait_until_ready()
    async with aiohttp.ClientSession() as session:
        client = Client(process.url, session)
        person = await client.prepare()
        file = {"name": "a.txt", "base64": base64.b64encode(b"kept").decode()}
        await client.post("/sim/send", bot_id=BOT, person_id=person, kind="document", file=file)
        shown = (await client.call("getUpdates"))["result"][-1]["message"]["document"]
        found = (await client.call("getFile", file_id=shown["file_id"]))["result"]
        process.stop()
        again = Process(*options).wait_until_ready()
        async with session.get(f"{again.url}/file/bot{TOKEN}/{found['file_path']}") as answer:
            assert await answer.read() == b"kept"
        sent = await Client(again.url, session).call("sendDocument", chat_id=person, document=shown["file_id"])
        assert sent["result"]["document"] == shown
        again.stop()


async def test_a_file_beside_the_message_is_found_by_its_name(client: Client) -> None:
    person = await client.prepare()
    await client.write(person)
    form = aiohttp.FormData({"chat_id": str(person), "document": "attach://list"})
    form.add_field("list", b"x" * 100_000, filename="list.bin")
    async with client.session.post(f"{client.url}/bot{TOKEN}/sendDocument", data=form) as answer:
        document = (await answer.json())["result"]["document"]
    assert (document["file_name"], document["file_size"]) == ("list.bin", 100_000)
    call = (await client.events("call"))[-1]
    assert "unknown" not in call
    assert call["params"]["list"]["bytes"] == 100_000
