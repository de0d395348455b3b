"""The bot itself and the chats it knows: getMe, getChat, commands."""

import re
from typing import Any

import orjson

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Json

COMMAND = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)
MOST_COMMANDS = 100
DESCRIPTION_LIMIT = 256
DEFAULT_SCOPE: Json = {"type": "default"}
SCOPES = frozenset(
    {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    }
)


@method("getMe")
def get_me(call: Call) -> Json:
    """Return the bot as a ``User``."""
    return call.bot.card() | {
        "can_join_groups": True,
        "can_read_all_group_messages": True,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


@method("getChat")
def get_chat(call: Call) -> Json:
    """Return a ``ChatFullInfo``."""
    chat = call.chat()
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"),
        True,
    )
    return call.world.chat_card(chat) | {
        "accent_color_id": chat.id % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }


@method("setMyCommands")
def set_my_commands(call: Call) -> bool:
    """Set the list of commands for a scope and language."""
    commands = call.params.items("commands")
    if commands is None:
        raise bad_request('parameter "commands" is required')
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    call.bot.commands[_key(call)] = [_command(command) for command in commands]
    call.world.revision += 1
    return True


@method("getMyCommands")
def get_my_commands(call: Call) -> list[Json]:
    """Return the list of commands of a scope and language."""
    return call.bot.commands.get(_key(call), [])


@method("deleteMyCommands")
def delete_my_commands(call: Call) -> bool:
    """Forget the list of commands of a scope and language."""
    call.bot.commands.pop(_key(call), None)
    call.world.revision += 1
    return True


def _key(call: Call) -> str:
    scope = call.params.dictionary("scope") or DEFAULT_SCOPE
    if str(scope.get("type")) not in SCOPES:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    return call.params.text("language_code") + orjson.dumps(scope, option=orjson.OPT_SORT_KEYS).decode()


def default_commands(commands: dict[str, list[Json]]) -> list[Json]:
    """Return the commands that a person sees in a private chat."""
    for scope in ({"type": "all_private_chats"}, DEFAULT_SCOPE):
        found = commands.get(orjson.dumps(scope).decode())
        if found:
            return found
    return []


def _command(command: Any) -> Json:
    if not isinstance(command, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    name, description = command.get("command"), command.get("description")
    if not isinstance(name, str) or not COMMAND.fullmatch(name.removeprefix("/")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not isinstance(description, str) or not 0 < len(description) <= DESCRIPTION_LIMIT:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.removeprefix("/"), "description": description}
