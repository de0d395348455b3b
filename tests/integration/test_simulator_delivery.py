import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.unit.simulator.process import BOT, Client, Hook, eventually


@pytest.fixture
async def person(client: Client) -> int:
    made = await client.post("/sim/people", first_name="Ann")
    return int(made["id"])


@pytest.fixture
async def hook(client: Client) -> AsyncIterator[Hook]:
    async with Hook() as hook:
        await client.call("setWebhook", url=hook.url, secret_token="s3cret")
        yield hook


async def nothing_waits(client: Client) -> bool:
    waiting = await client.get("/sim/pending")
    return bool(waiting["total"] == 0 and waiting["redeliveries"] == 0)


async def someone_polls(client: Client) -> bool:
    return bool((await client.get("/sim/pending"))["polls"])


async def test_an_update_arrives_with_its_secret(client: Client, hook: Hook, person: int) -> None:
    update_id = await client.write(person, "/start")
    await eventually(lambda: hook.ids == [update_id])
    assert hook.headers[0]["X-Telegram-Bot-Api-Secret-Token"] == "s3cret"
    assert hook.headers[0]["Content-Type"] == "application/json"
    assert hook.updates[0]["message"]["text"] == "/start"


async def test_a_failed_update_is_repeated_at_once_then_slower_and_keeps_its_place(
    client: Client, hook: Hook, person: int
) -> None:
    await client.post("/sim/settings", retry_scale=0.1)
    hook.answer = lambda _: web.Response(status=500 if len(hook.ids) <= 4 else 200)
    first = await client.write(person, "first")
    second = await client.write(person, "second")
    await eventually(lambda: second in hook.ids)
    assert hook.ids == [first] * 5 + [second]
    pauses = [later - earlier for earlier, later in zip(hook.times, hook.times[1:], strict=False)]
    for pause, least in zip(pauses, (0.0, 0.2, 0.4, 0.8), strict=False):
        # Timers of the server may fire a millisecond early; each bound stays clear of the next step.
        assert least - 0.02 <= pause < least * 1.5 + 0.1
    info = (await client.call("getWebhookInfo"))["result"]
    assert info["last_error_message"] == "Wrong response from the webhook: 500 Internal Server Error"
    assert info["last_error_date"]
    attempts = [event["attempt"] for event in await client.events("delivery") if event["update_id"] == first]
    assert attempts == [1, 2, 3, 4, 5]


async def test_other_chats_go_on_while_one_fails(client: Client, hook: Hook, person: int) -> None:
    other = (await client.post("/sim/people", first_name="Bob"))["id"]
    stuck = await client.write(person)
    hook.answer = lambda update: web.Response(status=503 if update["update_id"] == stuck else 200)
    free = await client.write(other)
    await eventually(lambda: free in hook.ids)
    assert (await client.get("/sim/pending"))["total"] <= 1


async def test_one_chat_has_one_update_in_flight_and_many_chats_many(client: Client, hook: Hook, person: int) -> None:
    gate = asyncio.Event()

    async def wait(_: object) -> web.Response:
        await gate.wait()
        return web.Response()

    hook.answer = wait
    await client.call("setWebhook", url=hook.url, secret_token="s3cret", max_connections=3)
    batch = [{"person_id": person, "text": str(number)} for number in range(3)]
    batch += [{"person_id": 7_000_000_000 + number, "text": "x"} for number in range(5)]
    made = (await client.post("/sim/batch", bot_id=BOT, messages=batch))["update_ids"]
    await eventually(lambda: hook.running == 3)
    gate.set()
    await eventually(lambda: len(hook.ids) == 8)
    assert hook.most_running == 3
    assert [update_id for update_id in hook.ids if update_id in made[:3]] == made[:3]


async def test_retry_after_of_the_webhook_is_obeyed(client: Client, hook: Hook, person: int) -> None:
    busy = web.Response(status=503, headers={"Retry-After": "1"})
    hook.answer = lambda _: busy if len(hook.ids) == 1 else web.Response()
    await client.write(person)
    await eventually(lambda: len(hook.ids) == 2)
    assert 0.98 <= hook.times[1] - hook.times[0] < 1.8


async def test_an_update_whose_wait_passes_its_shelf_life_is_dropped(client: Client, hook: Hook, person: int) -> None:
    await client.write(person)
    await eventually(lambda: len(hook.ids) == 1)
    button = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    sent = await client.call("sendMessage", chat_id=person, text="x", reply_markup=button)
    hook.answer = lambda _: web.Response(status=503, headers={"Retry-After": "200"})
    place = {"bot_id": BOT, "person_id": person, "chat_id": person, "message_id": sent["result"]["message_id"]}
    await client.post("/sim/press", data="a", **place)
    await eventually(lambda: nothing_waits(client))
    assert len(hook.ids) == 2
    dropped = await client.events("dropped")
    assert [event["update_id"] for event in dropped] == [hook.ids[1]]


async def test_redirects_are_failures(client: Client, hook: Hook, person: int) -> None:
    elsewhere = web.Response(status=302, headers={"Location": hook.url})
    hook.answer = lambda _: elsewhere if len(hook.ids) == 1 else web.Response()
    update_id = await client.write(person)
    await eventually(lambda: hook.ids == [update_id] * 2)
    assert [event["status"] for event in await client.events("delivery")] == [302, 200]


async def test_a_webhook_that_is_down_gets_its_updates_later(client: Client, person: int) -> None:
    hook = Hook()
    await client.post("/sim/settings", retry_scale=0.05)
    await client.call("setWebhook", url=hook.url)
    update_id = await client.write(person)

    async def refused() -> bool:
        info = await client.call("getWebhookInfo")
        return str(info["result"].get("last_error_message")) == "Connection refused"

    await eventually(refused)
    async with hook:
        await eventually(lambda: hook.ids == [update_id])


async def test_updates_come_again_after_their_acknowledgement_when_asked(
    client: Client, hook: Hook, person: int
) -> None:
    await client.post("/sim/settings", redeliver=1, seed=1)
    made = [await client.write(person) for _ in range(3)]
    await eventually(lambda: nothing_waits(client))
    assert sorted(hook.ids) == sorted(made * 2)
    again = [event["update_id"] for event in await client.events("delivery") if event["redelivery"]]
    assert sorted(again) == made


async def test_late_updates_keep_the_order_of_their_chat(client: Client, hook: Hook) -> None:
    await client.post("/sim/settings", late=0.5, late_seconds=0.05, seed=4)
    batch = [{"person_id": 7_000_000_000 + number % 5, "text": str(number)} for number in range(50)]
    made = (await client.post("/sim/batch", bot_id=BOT, messages=batch))["update_ids"]
    await eventually(lambda: len(hook.ids) == 50)
    assert hook.ids != made
    for chat in range(5):
        of_chat = made[chat::5]
        assert [update_id for update_id in hook.ids if update_id in of_chat] == of_chat


async def test_a_method_in_the_answer_is_carried_out(client: Client, hook: Hook, person: int) -> None:
    answer = {"method": "sendMessage", "chat_id": person, "text": "by answer"}
    hook.answer = lambda _: web.json_response(answer)
    await client.write(person)

    async def said() -> bool:
        view = await client.get("/sim/view", bot_id=BOT, chat_id=person)
        texts: list[str] = [message["text"] for message in view["messages"]]
        return texts == ["hello", "by answer"]

    await eventually(said)


async def test_polling_and_a_webhook_exclude_each_other(client: Client, hook: Hook) -> None:
    refused = await client.call("getUpdates")
    assert refused["error_code"] == 409
    assert refused["description"].startswith("Conflict: can't use getUpdates method while webhook is active")
    await client.call("deleteWebhook")
    poll = asyncio.create_task(client.call("getUpdates", timeout=30))
    await eventually(lambda: someone_polls(client))
    await client.call("setWebhook", url=hook.url)
    assert (await poll)["description"] == "Conflict: terminated by setWebhook request"


async def test_of_two_pollers_the_older_is_refused(client: Client, person: int) -> None:
    older = asyncio.create_task(client.call("getUpdates", timeout=30))
    await eventually(lambda: someone_polls(client))
    newer = asyncio.create_task(client.call("getUpdates", timeout=30))
    refused = await older
    assert refused["error_code"] == 409
    assert refused["description"].startswith("Conflict: terminated by other getUpdates request")
    update_id = await client.write(person)
    assert [update["update_id"] for update in (await newer)["result"]] == [update_id]
    rest = await client.call("getUpdates", offset=update_id + 1)
    assert rest["result"] == []
