import orjson

from botyard.simulator import people
from botyard.simulator.updates import drop_expired
from tests.unit.simulator.conftest import Stage


def test_update_ids_begin_anywhere_and_grow_by_one(stage: Stage) -> None:
    made = [stage.write().update_id or 0 for _ in range(3)]
    assert 100_000_000 <= made[0] <= 900_000_000
    assert made == [made[0], made[0] + 1, made[0] + 2]


def test_an_update_shows_the_world_as_it_was(stage: Stage) -> None:
    sent = stage.write("/start now")
    stage.person.first_name = "Renamed"
    body = orjson.loads(stage.bot.pending[sent.update_id or 0].body)
    assert body["message"]["from"]["first_name"] == "Ann"
    assert body["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


def test_messages_wait_by_chat_presses_by_person_and_membership_apart(stage: Stage) -> None:
    stage.write()
    people.edit(stage.world, stage.bot, stage.person, stage.private, message_id=1, text="changed")
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    message_id = stage.say(reply_markup=markup)
    people.press(stage.world, stage.bot, stage.person, stage.private, message_id=message_id, data="a")
    people.block(stage.world, stage.bot, stage.person, blocked=True)
    waiting = list(stage.bot.pending.values())
    assert [update.kind for update in waiting] == ["message", "edited_message", "callback_query", "my_chat_member"]
    lanes = [update.lane for update in waiting]
    assert lanes[0] == lanes[1]
    assert len(set(lanes)) == 3


def test_only_a_change_of_membership_is_told(stage: Stage) -> None:
    assert people.block(stage.world, stage.bot, stage.person, blocked=False) is None
    assert people.block(stage.world, stage.bot, stage.person, blocked=True) is not None
    assert people.block(stage.world, stage.bot, stage.person, blocked=True) is None


def test_kinds_that_a_bot_does_not_want_make_no_update(stage: Stage) -> None:
    stage.bot.allowed_updates = ["callback_query"]
    assert stage.write().update_id is None
    assert not stage.bot.pending


def test_messages_live_a_day_and_presses_two_and_a_half_minutes(stage: Stage) -> None:
    stage.write()
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    message_id = stage.say(reply_markup=markup)
    people.press(stage.world, stage.bot, stage.person, stage.private, message_id=message_id, data="a")
    stage.clock.time += 150
    drop_expired(stage.world, stage.bot)
    assert [update.kind for update in stage.bot.pending.values()] == ["message"]
    stage.clock.time += 24 * 3600
    drop_expired(stage.world, stage.bot)
    assert not stage.bot.pending


def test_every_bot_of_a_group_hears_what_is_written(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id, other.id])
    sent = stage.write(chat=group)
    assert sent.update_id in stage.bot.pending
    assert len(other.pending) == 1
