"""The clock and the faults of the simulator, over the network and with couriers at work."""

import aiohttp
import pytest
from aiohttp import web

from tests.unit.simulator.process import BOT, Client, Hook, eventually


async def test_a_courier_that_waits_for_its_next_attempt_wakes_when_the_clock_moves(client: Client) -> None:
    person = await client.prepare()
    async with Hook() as hook:
        hook.answer = lambda _: web.Response(status=503, headers={"Retry-After": "3000"})
        await client.call("setWebhook", url=hook.url)
        update_id = await client.write(person)
        await eventually(lambda: len(hook.ids) == 1)
        hook.answer = lambda _: web.Response()
        await client.post("/sim/clock", advance=3001)
        await eventually(lambda: hook.ids == [update_id] * 2)


async def test_a_poll_closes_while_nobody_asks(client: Client) -> None:
    person = await client.prepare()
    await client.write(person)
    await client.call("sendPoll", chat_id=person, question="?", options=["a", "b"], open_period=600)
    await client.post("/sim/clock", speed=100_000)

    async def closed() -> bool:
        updates = (await client.call("getUpdates"))["result"]
        return any(update.get("poll", {}).get("is_closed") for update in updates)

    await eventually(closed)


async def test_a_clock_that_stands_still_can_be_moved_by_hand(client: Client) -> None:
    person = await client.prepare()
    await client.write(person)
    await client.call("sendPoll", chat_id=person, question="?", options=["a", "b"], open_period=600)
    await client.post("/sim/clock", speed=0)
    shown = await client.post("/sim/clock", advance=601)
    assert shown["speed"] == 0
    updates = (await client.call("getUpdates"))["result"]
    assert updates[-1]["poll"]["is_closed"]


@pytest.mark.parametrize(("fault", "done"), [("reset", False), ("cut", True)])
async def test_a_connection_breaks_before_or_after_the_call_is_carried_out(
    client: Client, fault: str, done: bool
) -> None:
    person = await client.prepare()
    await client.write(person)
    await client.post("/sim/faults", fault=fault, methods=["sendMessage"], count=1)
    with pytest.raises(aiohttp.ClientError):
        await client.call("sendMessage", chat_id=person, text="once")
    view = await client.get("/sim/view", bot_id=BOT, chat_id=person)
    assert ("once" in [message.get("text") for message in view["messages"]]) is done
    (event,) = await client.events("call")
    assert event["ok"] is done
    assert (await client.call("sendMessage", chat_id=person, text="twice"))["ok"]


async def test_a_message_sent_into_a_group_that_moves_is_told_where_to(client: Client) -> None:
    person = await client.prepare()
    group = await client.post("/sim/groups", title="Friends", member_ids=[person], bot_ids=[BOT])
    await client.post("/sim/faults", fault="migrate")
    answer = await client.call("sendMessage", chat_id=group["id"], text="x")
    moved = answer["parameters"]["migrate_to_chat_id"]
    assert (await client.call("sendMessage", chat_id=moved, text="x"))["ok"]


async def test_a_recorded_update_is_delivered_again(client: Client) -> None:
    person = await client.prepare()
    async with Hook() as hook:
        await client.call("setWebhook", url=hook.url)
        update_id = await client.write(person)
        await eventually(lambda: hook.ids == [update_id])
        page = await client.get("/sim/updates", bot_id=BOT)
        assert page["updates"][0]["update"] == hook.updates[0]
        await client.post("/sim/replay", bot_id=BOT, update_id=update_id)
        await eventually(lambda: hook.ids == [update_id] * 2)
        assert hook.updates[0] == hook.updates[1]
