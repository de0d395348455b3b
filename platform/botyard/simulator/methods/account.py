"""The bot itself and the chats it knows."""

from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Json


@method("getMe")
def get_me(call: Call) -> Json:
    """Return the bot as a ``User``."""
    return call.bot.card() | {
        "can_join_groups": True,
        "can_read_all_group_messages": call.bot.sees_all,
        "supports_inline_queries": call.bot.inline,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }
