"""The lists of commands: by scope and language, and which of them a person sees."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Bot, Chat, Json, Person
from botyard.simulator.params import INTEGER, Params

COMMAND = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)
LANGUAGE = re.compile(r"([a-z]{2})?", re.ASCII)
MOST_COMMANDS = 100
DESCRIPTION_LIMIT = 256
DEFAULT_SCOPE: Json = {"type": "default"}
WIDE_SCOPES = frozenset({"default", "all_private_chats", "all_group_chats", "all_chat_administrators"})
CHAT_SCOPES = frozenset({"chat", "chat_administrators", "chat_member"})


@method("setMyCommands")
def set_my_commands(call: Call) -> bool:
    """Set the list of commands for a scope and language; an empty list deletes it."""
    commands = [_command(command) for command in call.params.items("commands") or []]
    key = _key(call)
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    call.bot.commands[key] = commands
    if not commands:
        del call.bot.commands[key]
    call.world.revision += 1
    return True


@method("getMyCommands")
def get_my_commands(call: Call) -> list[Json]:
    """Return the list of commands of exactly this scope and language."""
    return call.bot.commands.get(_key(call), [])


@method("deleteMyCommands")
def delete_my_commands(call: Call) -> bool:
    """Forget the list of commands of a scope and language: wider scopes show through."""
    call.bot.commands.pop(_key(call), None)
    call.world.revision += 1
    return True


def default_commands(commands: dict[str, list[Json]]) -> list[Json]:
    """Return the commands that a person without a language of ours sees in a private chat."""
    for scope in ({"type": "all_private_chats"}, DEFAULT_SCOPE):
        found = commands.get(scope_key(scope, ""))
        if found:
            return found
    return []


def visible_commands(bot: Bot, person: Person, chat: Chat) -> list[Json]:
    """Return the commands that a person sees in a chat.

    The narrowest scope wins, and within a scope the person's language (Bot API, "Determining list of commands").
    """
    language = person.language_code[:2].lower()
    for scope in _scopes(person, chat):
        for code in (language, "") if language else ("",):
            found = bot.commands.get(scope_key(scope, code))
            if found:
                return found
    return []


def scope_key(scope: Json, language: str) -> str:
    """Return the name under which a bot keeps a list of commands."""
    return language + orjson.dumps(scope, option=orjson.OPT_SORT_KEYS).decode()


def read_language(params: Params) -> str:
    """Return ``language_code``: two letters, or nothing for everybody else."""
    language = params.text("language_code")
    if not LANGUAGE.fullmatch(language):
        raise bad_request("invalid language code specified")
    return language


def _scopes(person: Person, chat: Chat) -> Iterator[Json]:
    """Yield the scopes that cover a person in a chat, the narrowest first."""
    if chat.bot_id:
        yield {"type": "chat", "chat_id": chat.id}
        yield {"type": "all_private_chats"}
    else:
        member = chat.members.get(person.id)
        leads = member is not None and member.leads
        yield {"type": "chat_member", "chat_id": chat.id, "user_id": person.id}
        if leads:
            yield {"type": "chat_administrators", "chat_id": chat.id}
        yield {"type": "chat", "chat_id": chat.id}
        if leads:
            yield {"type": "all_chat_administrators"}
        yield {"type": "all_group_chats"}
    yield DEFAULT_SCOPE


def _key(call: Call) -> str:
    scope = call.params.dictionary("scope") or DEFAULT_SCOPE
    kind = str(scope.get("type", ""))
    if kind in WIDE_SCOPES:
        return scope_key({"type": kind}, read_language(call.params))
    if kind not in CHAT_SCOPES:
        raise _bad_scope("Unsupported type specified" if kind else 'Can\'t find field "type"')
    if scope.get("chat_id") in (None, ""):
        raise _bad_scope('Can\'t find field "chat_id"' if scope.get("chat_id") is None else "Empty chat_id specified")
    named: Json = {"type": kind}
    if kind == "chat_member":
        user_id = str(scope.get("user_id", ""))
        if not INTEGER.fullmatch(user_id) or int(user_id) <= 0:
            raise _bad_scope("Invalid user_id specified" if user_id else 'Can\'t find field "user_id"')
        named["user_id"] = int(user_id)
    named["chat_id"] = replace(call, params=Params(scope)).chat().id
    return scope_key(named, read_language(call.params))


def _bad_scope(words: str) -> ApiError:
    return bad_request(f"can't parse BotCommandScope: {words}")


def _command(command: Any) -> Json:
    if not isinstance(command, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    name, description = command.get("command"), command.get("description")
    if not isinstance(name, str) or not COMMAND.fullmatch(name.removeprefix("/")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not isinstance(description, str) or not 0 < len(description) <= DESCRIPTION_LIMIT:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.removeprefix("/"), "description": description}
