import pytest
import redis

from botyard.bots import registry
from botyard.bots.preferences import Preferences, prefer
from botyard.errors import InputError
from botyard.settings import Settings
from tests.factories import make_bot


def test_choices_are_kept_served_and_shown(settings: Settings, valkey: "redis.Redis") -> None:
    bot = make_bot(queue="slow")
    before = prefer("test_bot", Preferences(), settings)
    assert before == {
        "bot": "test_bot", "answer_callbacks": True, "repeat_uncertain": True, "sends": "outbox", "retry": True,
        "forget_after": 0,
        "queue": "auto (now slow)", "share": None,
    }  # fmt: skip
    wanted = Preferences(
        answer_callbacks=False,
        repeat_uncertain=False,
        sends="direct",
        retry=False,
        forget_after=60,
        queue="updates",
        share=3,
    )
    chosen = prefer("test_bot", wanted, settings)
    assert chosen == {
        "bot": "test_bot", "answer_callbacks": False, "repeat_uncertain": False, "sends": "direct", "retry": False,
        "forget_after": 60,
        "queue": "updates", "share": 3,
    }  # fmt: skip
    served = registry.find(bot.id)
    assert served is not None
    assert (served.answers_callbacks, served.repeats, served.queue) == (False, False, "updates")
    assert (served.sends_directly, served.retries, served.forgets_after) == (True, False, 60)
    assert served.config_version > bot.config_version
    assert valkey.hmget(f"by:bot:{bot.telegram_id}", ["queue", "share"]) == ["updates", "3"]
    back = prefer("test_bot", Preferences(queue="auto", share=0), settings)
    assert (back["queue"], back["share"], back["answer_callbacks"]) == ("auto (now updates)", None, False)


def test_an_unknown_bot_has_no_choices(settings: Settings) -> None:
    with pytest.raises(InputError, match="there is no bot"):
        prefer("nobody", Preferences(), settings)
