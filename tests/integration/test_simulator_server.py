import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest
import telegram

from tests.unit.simulator.process import BOT, TOKEN, Alone, Client, Hook, Process, eventually, state_option


@pytest.fixture
async def person(client: Client) -> int:
    made = await client.post("/sim/people", first_name="Ann")
    return int(made["id"])


async def test_a_restart_keeps_the_world_and_delivers_what_waits(tmp_path: Path) -> None:
    options = state_option(tmp_path / "world.json")
    process = Alone(*options).wait_until_ready()
    hook = Hook()
    async with aiohttp.ClientSession() as session:
        client = Client(process.url, session)
        person = await client.prepare()
        await client.call("setWebhook", url=hook.url, secret_token="s3cret")
        first = await client.write(person)
        assert process.stop() < 2
        async with hook:
            again = Alone(*options, port=process.port).wait_until_ready()
            second = await client.write(person)
            await eventually(lambda: hook.ids == [first, second])
        assert second == first + 1
        assert hook.headers[0]["X-Telegram-Bot-Api-Secret-Token"] == "s3cret"
        sent = await client.call("sendMessage", chat_id=person, text="still here")
        assert sent["result"]["message_id"] == 3
        assert again.stop() < 2


async def test_a_killed_simulator_has_written_its_world(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    process = Alone(*state_option(path)).wait_until_ready()
    async with aiohttp.ClientSession() as session:
        client = Client(process.url, session)
        await client.prepare()
        await eventually(lambda: path.exists() and b"demo_bot" in path.read_bytes())
    process.child.kill()
    process.child.wait()
    again = Alone(*state_option(path)).wait_until_ready()
    async with aiohttp.ClientSession() as session:
        assert (await Client(again.url, session).call("getMe"))["result"]["id"] == BOT
    again.stop()


async def is_polled(client: Client) -> bool:
    return bool((await client.get("/sim/pending"))["polls"])


def test_a_stop_does_not_wait_for_open_polls(tmp_path: Path) -> None:
    async def poll_and_stop() -> float:
        process = Alone(*state_option(tmp_path / "world.json")).wait_until_ready()
        async with aiohttp.ClientSession() as session:
            client = Client(process.url, session)
            person = await client.prepare()
            polls = [
                asyncio.create_task(client.call("getUpdates", timeout=50)),
                asyncio.create_task(client.get("/sim/view", bot_id=BOT, chat_id=person, after=0, wait=50)),
            ]
            await eventually(lambda: is_polled(client))
            took = await asyncio.to_thread(process.stop)
            await asyncio.gather(*polls, return_exceptions=True)
            return took

    assert asyncio.run(poll_and_stop()) < 2


def test_a_busy_port_is_told_in_one_line(process: Process) -> None:
    second = Alone(port=process.port)
    _, said = second.child.communicate(timeout=10)
    assert second.child.returncode == 1
    assert said.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{process.port}" in said


def test_a_file_that_is_no_snapshot_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text("nonsense")
    process = Alone(*state_option(path))
    _, said = process.child.communicate(timeout=10)
    assert process.child.returncode == 1
    assert said.count("\n") == 1
    assert path.read_text() == "nonsense"


async def test_telegrams_own_client_library_works_against_it(process: Process, client: Client, person: int) -> None:
    bot = telegram.Bot(TOKEN, base_url=f"{process.url}/bot")
    async with bot:
        assert (await bot.get_me()).username == "demo_bot"
        update_id = await client.write(person, "/start")
        updates = await bot.get_updates(timeout=5)
        assert [update.update_id for update in updates] == [update_id]
        assert updates[0].message
        assert updates[0].message.entities[0].type == "bot_command"
        keyboard = telegram.InlineKeyboardMarkup.from_button(telegram.InlineKeyboardButton("A", callback_data="a"))
        sent = await bot.send_message(person, "<b>hi</b>", parse_mode="HTML", reply_markup=keyboard)
        assert sent.text_html == "<b>hi</b>"
        edited = await bot.edit_message_text("changed", person, sent.message_id, reply_markup=keyboard)
        assert isinstance(edited, telegram.Message)
        assert edited.text == "changed"
        place = {"bot_id": BOT, "person_id": person, "chat_id": person, "message_id": sent.message_id}
        await client.post("/sim/press", data="a", **place)
        pressed = (await bot.get_updates(offset=update_id + 1, timeout=5))[0].callback_query
        assert pressed
        assert await pressed.answer("Thanks")
        assert await bot.set_my_commands([telegram.BotCommand("help", "Helps")])
        assert (await bot.get_my_commands())[0].command == "help"
        assert (await bot.get_chat(person)).first_name == "Ann"
        assert await bot.send_chat_action(person, "typing")
        assert await bot.delete_message(person, sent.message_id)
        with pytest.raises(telegram.error.BadRequest, match="Message to delete not found"):
            await bot.delete_message(person, sent.message_id)


@pytest.mark.parametrize(
    ("path", "status", "description"),
    [
        (f"/bot{TOKEN}/test/getMe", 200, None),
        ("/bot4200000001:WRONG/getMe", 401, "Unauthorized"),
        ("/botnonsense/getMe", 404, "Not Found"),
        (f"/bot{TOKEN}/makeCoffee", 404, "Not Found"),
        (f"/bot{TOKEN}/postStory", 404, "Not Found: the simulator does not have this method yet"),
        (f"/bot{TOKEN}/", 404, "Not Found"),
        ("/nowhere", 404, "Not Found"),
        ("/../../etc/passwd", 404, "Not Found"),
    ],
)
async def test_wrong_paths_are_refused_in_telegrams_words(
    client: Client, path: str, status: int, description: str | None
) -> None:
    async with client.session.get(client.url + path) as response:
        assert response.status == status
        body = await response.json()
    assert body.get("description") == description


async def test_a_call_with_a_token_that_a_bot_has_no_more_stands_in_the_record(client: Client) -> None:
    for token in (f"{BOT}:WRONG", "4299999999:WRONG"):
        async with client.session.get(f"{client.url}/bot{token}/getMe") as response:
            assert response.status == 401
    async with client.session.get(f"{client.url}/sim/history") as response:
        text = await response.text()
    calls = [one for one in json.loads(text)["events"] if one["kind"] == "call"]
    assert [(one["bot_id"], one["method"], one["error_code"]) for one in calls][-1:] == [(BOT, "getMe", 401)]
    assert "WRONG" not in text


async def test_forms_and_queries_work_as_json_does(client: Client, person: int) -> None:
    await client.write(person)
    markup = '{"inline_keyboard":[[{"text":"A","callback_data":"a"}]]}'
    values = {"chat_id": str(person), "text": "x", "reply_markup": markup}
    url = f"{client.url}/bot{TOKEN}/sendMessage"
    form = aiohttp.FormData(values, default_to_multipart=True)
    for request in ({"params": values}, {"data": values}, {"data": form}):
        async with client.session.post(url, **request) as response:
            assert (await response.json())["result"]["reply_markup"]["inline_keyboard"]


async def test_a_flood_is_refused_with_a_header_too(client: Client, person: int) -> None:
    await client.write(person)
    for _ in range(20):
        assert (await client.call("sendMessage", chat_id=person, text="x"))["ok"]
    url = f"{client.url}/bot{TOKEN}/sendMessage"
    async with client.session.post(url, json={"chat_id": person, "text": "x"}) as response:
        assert response.status == 429
        seconds = (await response.json())["parameters"]["retry_after"]
        assert response.headers["Retry-After"] == str(seconds)


async def test_ordered_faults_strike_and_end(client: Client, person: int) -> None:
    await client.write(person)
    url = f"{client.url}/bot{TOKEN}/sendMessage"

    async def send() -> tuple[int, str]:
        async with client.session.post(url, json={"chat_id": person, "text": "x"}) as response:
            return response.status, response.content_type

    await client.post("/sim/faults", fault="html", count=1, methods=["sendMessage"])
    assert (await client.call("getMe"))["ok"]
    assert await send() == (502, "text/html")
    await client.post("/sim/faults", fault="429", count=1, retry_after=3, chat_id=person)
    assert (await send())[0] == 429
    await client.post("/sim/faults", fault="slow", count=1, seconds=0.2)
    began = time.monotonic()
    assert (await send())[0] == 200
    assert time.monotonic() - began >= 0.19
    assert (await send())[0] == 200


async def test_a_cut_call_is_carried_out_without_an_answer(client: Client, person: int) -> None:
    await client.write(person)
    await client.post("/sim/faults", fault="cut", count=1)
    with pytest.raises(aiohttp.ClientError):
        await client.call("sendMessage", chat_id=person, text="cut")
    view = await client.get("/sim/view", bot_id=BOT, chat_id=person)
    assert [message["text"] for message in view["messages"]] == ["hello", "cut"]


async def test_tokens_are_never_shown(client: Client) -> None:
    for path in ("/sim/bots", "/sim/history", "/sim/pending", "/sim/settings"):
        assert TOKEN.partition(":")[2] not in str(await client.get(path))


async def test_the_control_api_refuses_other_sites(client: Client) -> None:
    url = f"{client.url}/sim/bots"
    async with client.session.get(url, headers={"Host": "evil.example"}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
    async with client.session.post(url, data='{"token":"1:A"}', headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 415
    async with client.session.post(url, json={"token": "nonsense"}) as response:
        assert response.status == 400
        assert "token" in (await response.json())["error"]


async def test_the_view_waits_for_the_next_change(client: Client, person: int) -> None:
    query = {"bot_id": BOT, "chat_id": person, "wait": 20}
    waiting = asyncio.create_task(client.get("/sim/view", after=0, **query))
    await client.get("/health")
    assert not waiting.done()
    await client.write(person)
    view = await waiting
    assert [message["text"] for message in view["messages"]] == ["hello"]
    await client.call("sendChatAction", chat_id=person, action="typing")
    view = await client.get("/sim/view", after=view["version"], **query)
    assert view["action"]["action"] == "typing"
