"""What the simulator gives the chat page: its files, its feed of changes, its view of chats."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.unit.simulator.process import BOT, Client, Process


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    started = Process().wait_until_ready()
    yield started
    started.stop()


@pytest.fixture
async def client(process: Process) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        made = Client(process.url, session)
        await made.prepare()
        yield made


async def news(client: Client, known: dict[str, Any], wait: float = 0) -> dict[str, Any]:
    """Ask the feed what is new since an answer before."""
    query = {"epoch": known["epoch"], "after": known["place"], "sign": known["sign"], "wait": wait}
    answer: dict[str, Any] = await client.get("/sim/events", **query)
    return answer


async def a_person(client: Client) -> int:
    return int((await client.post("/sim/people", first_name="Dora"))["id"])


async def test_the_page_is_served_strictly_and_with_its_folders(process: Process) -> None:
    async with aiohttp.ClientSession(process.url) as session:
        for path, kind in (("/", "text/html"), ("/js/app.js", "text/javascript"), ("/css/base.css", "text/css")):
            async with session.get(path) as response:
                assert response.status == 200
                assert response.content_type == kind
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
                assert "unsafe" not in policy
        for path in ("/world.py", "/js/", "/js/../../world.py", "/js/%2e%2e/index.html"):
            async with session.get(path) as response:
                assert response.status == 404


async def test_one_wait_tells_which_chats_changed(client: Client) -> None:
    dora = await a_person(client)
    known = await client.get("/sim/events")
    assert known["reset"]
    waiting = asyncio.create_task(news(client, known, wait=20))
    await asyncio.sleep(0)
    await client.post("/sim/send", bot_id=BOT, person_id=dora, text="hi")
    told = await asyncio.wait_for(waiting, 5)
    assert told["chats"] == [{"bot_id": BOT, "chat_id": dora}]
    assert not told["reset"]
    nothing = await news(client, told)
    assert nothing["chats"] == []
    assert nothing["place"] == told["place"]


async def test_the_feed_tells_of_bots_people_and_faults_and_of_another_life(client: Client) -> None:
    known = await client.get("/sim/events")
    await client.post("/sim/bots", token="4200000077:AAAA", username="late_bot", name="Late")
    with_bot = await news(client, known, wait=10)
    assert with_bot["sign"] != known["sign"]
    await client.post("/sim/faults", fault="500", bot_id=4200000077)
    with_fault = await news(client, with_bot, wait=10)
    assert with_fault["sign"] != with_bot["sign"]
    await client.post("/sim/faults", fault="off")
    assert (await news(client, with_fault | {"epoch": "another"}))["reset"]


async def test_a_person_sees_bots_chats_and_the_newest_messages_without_any_token(client: Client) -> None:
    dora, emil = await a_person(client), await a_person(client)
    await client.post("/sim/groups", title="Without Dora", member_ids=[emil], bot_ids=[BOT])
    await client.post("/sim/send", bot_id=BOT, person_id=dora, text="hi")
    await client.call("sendMessage", chat_id=dora, text="answer")
    found = await client.get("/sim/chats", person_id=dora)
    assert "AAAA" not in str(found)
    private = next(chat for chat in found["chats"] if chat["bot_id"] == BOT and chat["type"] == "private")
    assert private["last"]["text"] == "answer"
    assert private["incoming"] == [2]
    await client.call("deleteMessage", chat_id=dora, message_id=2)
    found = await client.get("/sim/chats", person_id=dora)
    private = next(chat for chat in found["chats"] if chat["bot_id"] == BOT and chat["type"] == "private")
    assert (private["last"]["message_id"], private["last_message_id"]) == (1, 2)
    assert [chat["inside"] for chat in found["chats"] if chat["title"] == "Without Dora"] == [False]


async def test_the_view_shows_the_newest_messages_and_says_that_there_are_earlier_ones(client: Client) -> None:
    dora = await a_person(client)
    messages = [{"person_id": dora, "text": str(number)} for number in range(5)]
    await client.post("/sim/batch", bot_id=BOT, messages=messages)
    view = await client.get("/sim/view", bot_id=BOT, chat_id=dora, limit=2)
    assert [message["text"] for message in view["messages"]] == ["3", "4"]
    assert view["earlier"]
    assert not (await client.get("/sim/view", bot_id=BOT, chat_id=dora))["earlier"]


async def test_a_message_is_traced_to_its_update_and_to_the_calls_that_followed(client: Client) -> None:
    dora, emil = await a_person(client), await a_person(client)
    first = await client.post("/sim/send", bot_id=BOT, person_id=dora, text="one")
    await client.call("sendMessage", chat_id=dora, text="to one")
    await client.call("sendMessage", chat_id=emil, text="to somebody else")
    await client.call("sendMessage", chat_id=dora, text="")
    second = await client.post("/sim/send", bot_id=BOT, person_id=dora, text="two")
    await client.call("sendMessage", chat_id=dora, text="to two")
    place = {"bot_id": BOT, "chat_id": dora}
    asked = await client.get("/sim/trace", message_id=1, **place)
    assert [update["update_id"] for update in asked["updates"]] == [first["update_id"]]
    assert [call["params"]["text"] for call in asked["calls"]] == ["to one", ""]
    assert [call["ok"] for call in asked["calls"]] == [True, False]
    answered = await client.get("/sim/trace", message_id=4, **place)
    assert [update["update_id"] for update in answered["updates"]] == [second["update_id"]]


async def test_a_press_is_traced_with_the_answer_to_its_query(client: Client) -> None:
    dora = await a_person(client)
    await client.post("/sim/send", bot_id=BOT, person_id=dora, text="hi")
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    await client.call("sendMessage", chat_id=dora, text="press", reply_markup=markup)
    pressed = await client.post("/sim/press", bot_id=BOT, person_id=dora, message_id=2, data="a")
    await client.post("/sim/send", bot_id=BOT, person_id=dora, text="meanwhile")
    await client.call("answerCallbackQuery", callback_query_id=pressed["callback_query_id"], text="done")
    found = await client.get("/sim/trace", bot_id=BOT, chat_id=dora, message_id=2)
    assert pressed["update_id"] in [update["update_id"] for update in found["updates"]]
    assert "answerCallbackQuery" in [call["method"] for call in found["calls"]]


async def test_a_note_finds_its_message_by_the_update(client: Client) -> None:
    dora = await a_person(client)
    before = await client.get("/sim/events")
    sent = await client.post("/sim/send", bot_id=BOT, person_id=dora, text="/crash")
    note = await client.post(
        "/sim/notes", bot_id=BOT, update_id=sent["update_id"], title="ValueError", text="x" * 30_000
    )
    assert note["message_id"] == sent["message_id"]
    assert len(note["text"]) == 20_000
    view = await client.get("/sim/view", bot_id=BOT, chat_id=dora)
    assert [shown["title"] for shown in view["notes"]] == ["ValueError"]
    assert {"bot_id": BOT, "chat_id": dora} in (await news(client, before))["chats"]
    async with client.session.post(f"{client.url}/sim/notes", json={"bot_id": BOT, "title": "lost"}) as response:
        assert response.status == 404
        assert "update_id" in (await response.json())["error"]


async def test_who_asks_is_among_the_people_however_many_came_later(client: Client) -> None:
    dora = await a_person(client)
    crowd = [{"person_id": 6_000_000_000 + number, "text": "hi"} for number in range(250)]
    await client.post("/sim/batch", bot_id=BOT, messages=crowd)
    found = await client.get("/sim/chats", person_id=dora)
    assert found["people"][0]["id"] == dora
    assert len(found["people"]) == 201
    assert found["people_total"] > 250


async def test_who_has_deleted_their_account_still_has_a_list_that_says_so(client: Client) -> None:
    dora = await a_person(client)
    await client.post("/sim/deactivate", person_id=dora)
    found = await client.get("/sim/chats", person_id=dora)
    assert found["person"]["deactivated"]
    assert [person["deactivated"] for person in found["people"] if person["id"] == dora] == [True]
    async with client.session.post(f"{client.url}/sim/send", json={"bot_id": BOT, "person_id": dora}) as response:
        assert response.status == 409
