from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage

HOOK = "http://127.0.0.1:9/hook"


def test_updates_are_read_from_the_record_page_by_page(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id, other.id])
    for at in range(3):
        stage.write(f"m{at}", chat=group)
    first = order(stage, "/sim/updates", "GET", bot_id=stage.bot.id, limit=2)
    second = order(stage, "/sim/updates", "GET", bot_id=stage.bot.id, after=first["next"])
    texts = [entry["update"]["message"]["text"] for page in (first, second) for entry in page["updates"]]
    assert texts == ["m0", "m1", "m2"]
    last = order(stage, "/sim/updates", "GET", bot_id=stage.bot.id, after=second["next"])
    assert last == {"updates": [], "next": second["next"]}


async def test_a_recorded_update_comes_again_with_its_own_id_or_a_fresh_one(stage: Stage) -> None:
    update_id = stage.write("once").update_id
    body = updates(stage)[0]
    stage.bot.pending.clear()
    fresh = order(stage, "/sim/replay", bot_id=stage.bot.id, update_id=update_id, fresh=True)
    assert fresh["update_id"] == (update_id or 0) + 1
    assert updates(stage, "message") == [body["message"]]
    stage.call("setWebhook", url=HOOK)
    assert order(stage, "/sim/replay", bot_id=stage.bot.id, update_id=update_id)["update_id"] == update_id
    assert update_id in stage.bot.pending
    assert "still on its way" in told(stage, "/sim/replay", bot_id=stage.bot.id, update_id=update_id)
    stage.simulator.stop()


def test_a_given_update_is_delivered_in_the_queue_of_its_kind(stage: Stage) -> None:
    payload = {"id": "1", "from": stage.person.card(), "chat_instance": "1", "data": "a"}
    order(stage, "/sim/replay", bot_id=stage.bot.id, update={"callback_query": payload})
    (update,) = stage.bot.pending.values()
    assert (update.kind, update.lane.startswith("presses")) == ("callback_query", True)


def test_what_cannot_be_replayed_is_refused(stage: Stage) -> None:
    update_id = stage.write().update_id
    bot = {"bot_id": stage.bot.id}
    assert "ask for fresh" in told(stage, "/sim/replay", **bot, update_id=update_id)
    assert "no update 5" in told(stage, "/sim/replay", **bot, update_id=5)
    assert "one field" in told(stage, "/sim/replay", **bot, update={"update_id": 5})
    assert "lacks 'id'" in told(stage, "/sim/replay", **bot, update={"poll": {}})
    assert "one field" in told(stage, "/sim/replay", **bot, update={"moon": {}})
