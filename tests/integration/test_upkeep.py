from botyard.bots.statuses import set_status
from tests.factories import callback, make_bot, message
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig

WORKED_ON = "This bot is being worked on. Please come back a little later."


async def test_a_bot_in_maintenance_says_so_once_in_a_chat_and_hour_and_drops_the_rest(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.kinds:echo", api_url=api.url)
    yard.services.superuser("""UPDATE bots SET settings = '{"settings": {"of": "its kind"}}'""")
    set_status(bot.id, "maintenance", "new menu")
    await yard.give(bot, message(1), message(2), message(3, chat_id=800), message(4))
    await yard.settle()
    assert sorted(api.texts) == [WORKED_ON] * 2, "once in each of two chats"
    assert yard.services.superuser("SELECT count(*) FROM inbox WHERE state = 'done'") == [(4,)]
    yard.services.superuser("UPDATE bots SET settings = '{}'")
    set_status(bot.id, "active", None)
    await yard.give(bot, message(5, "back?"))
    await yard.settle()
    assert api.texts[-1] != WORKED_ON
    assert len(api.texts) == 3


async def test_a_press_is_answered_while_a_bot_is_in_maintenance(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.kinds:echo", api_url=api.url)
    set_status(bot.id, "maintenance", None)
    await yard.give(bot, callback(1, "menu"))
    await yard.settle()
    (call,) = [call for call in api.calls if call.method == "answerCallbackQuery"]
    assert call.params["text"] == WORKED_ON


async def test_jobs_wait_while_a_bot_is_in_maintenance_and_what_its_code_declared_stays(
    yard: Rig, api: FakeApi
) -> None:
    bot = make_bot(kind="tests.integration.jobs.kinds:declaring", api_url=api.url)
    await yard.give(bot, message(1))
    await yard.settle()
    declared = yard.services.superuser("SELECT id FROM jobs ORDER BY id")
    assert declared
    set_status(bot.id, "maintenance", None)
    await yard.give(bot, message(2))
    await yard.settle()
    assert yard.services.superuser("SELECT id FROM jobs ORDER BY id") == declared
