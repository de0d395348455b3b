import pytest

from botyard.simulator.groups import bring_in
from botyard.simulator.model import Bot, Chat
from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, told


@pytest.fixture
def chat(stage: Stage) -> Chat:
    stage.bot.sees_all = False
    return gather(stage, lead=False)


@pytest.fixture
def other(stage: Stage, chat: Chat) -> Bot:
    bot = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    bot.sees_all = False
    bring_in(stage.world, chat, bot.id, stage.person.id)
    stage.bot.pending.clear()
    bot.pending.clear()
    return bot


def heard(bot: Bot) -> list[str]:
    return [message["text"] for message in told(bot, "message")]


def test_small_talk_is_not_for_bots_in_privacy_mode(stage: Stage, chat: Chat) -> None:
    stage.write("hello everybody", chat=chat)
    stage.write("mail me@demo_bot.example", chat=chat)
    assert heard(stage.bot) == []
    stage.bot.sees_all = True
    stage.write("hello everybody", chat=chat)
    assert heard(stage.bot) == ["hello everybody"]


def test_an_administrator_hears_everything(stage: Stage, chat: Chat) -> None:
    membership.promote(stage.world, stage.person, chat, stage.bot.id, rights=None, title="")
    stage.write("hello everybody", chat=chat)
    assert heard(stage.bot) == ["hello everybody"]


def test_a_command_is_for_the_bot_it_names(stage: Stage, chat: Chat, other: Bot) -> None:
    stage.write("/start@Demo_Bot now", chat=chat)
    stage.write("/start@other_bot", chat=chat)
    assert (heard(stage.bot), heard(other)) == (["/start@Demo_Bot now"], ["/start@other_bot"])


def test_a_command_without_a_name_is_for_the_bot_that_spoke_last(stage: Stage, chat: Chat, other: Bot) -> None:
    stage.write("/start", chat=chat)
    assert (heard(stage.bot), heard(other)) == (["/start"], ["/start"])
    stage.call("sendMessage", chat_id=chat.id, text="hi")
    stage.write("/help", chat=chat)
    assert (heard(stage.bot), heard(other)) == (["/help"], [])


def test_a_reply_is_for_the_bot_that_is_answered(stage: Stage, chat: Chat, other: Bot) -> None:
    message_id = stage.call("sendMessage", chat_id=chat.id, text="Your name?")["message_id"]
    params = {"text": "/start@other_bot", "reply_to": message_id}
    message = stage.world.add_message(chat, stage.person.id, {"text": params["text"]}, message_id)
    from botyard.simulator.audience import announce

    announce(stage.world, chat, message)
    assert [bot.username for bot in (stage.bot, other) if bot.pending] == ["demo_bot"]


def test_a_mention_is_heard(stage: Stage, chat: Chat) -> None:
    stage.write("look, @demo_bot!", chat=chat)
    stage.write("look, @demo_bot_two", chat=chat)
    assert heard(stage.bot) == ["look, @demo_bot!"]


def test_bots_do_not_hear_each_other_in_a_group(stage: Stage, chat: Chat, other: Bot) -> None:
    other.sees_all = True
    stage.call("sendMessage", chat_id=chat.id, text="/start@other_bot")
    assert not other.pending


def test_service_messages_are_heard_by_all(stage: Stage, chat: Chat, other: Bot) -> None:
    membership.rename(stage.world, stage.person, chat, "Best friends")
    assert told(stage.bot, "message")[0]["new_chat_title"] == "Best friends"
    assert told(other, "message")[0]["new_chat_title"] == "Best friends"


def test_get_me_tells_of_privacy_mode(stage: Stage) -> None:
    assert stage.call("getMe")["can_read_all_group_messages"] is True
    stage.bot.sees_all = False
    assert stage.call("getMe")["can_read_all_group_messages"] is False
