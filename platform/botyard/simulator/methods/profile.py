"""How a bot presents itself: names, descriptions, menu buttons, suggested rights, and leaving the server."""

from botyard.simulator import schema
from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.commands import read_language
from botyard.simulator.model import Bot, Json

NAME_LIMIT = 64
DESCRIPTION_LIMIT = 512
SHORT_DESCRIPTION_LIMIT = 120
LOGGED_OUT_SECONDS = 600
"""How long a bot cannot come back to the server it has left (Bot API, logOut)."""
ANY_MENU: Json = {"type": "default"}


@method("setMyName")
def set_my_name(call: Call) -> bool:
    """Set the bot's name for a language; an empty one removes it, the name for everybody stays."""
    name, language = call.params.text("name"), read_language(call.params)
    if len(name) > NAME_LIMIT or (not name and not language):
        raise bad_request("BOT_TITLE_INVALID")
    _set_text(call, "name", language, name)
    if not language:
        call.bot.name = name
    return True


@method("getMyName")
def get_my_name(call: Call) -> Json:
    """Return the bot's name for a language, or the one for everybody."""
    name = call.bot.texts.get(f"name:{read_language(call.params)}")
    return {"name": name or call.bot.name}


@method("setMyDescription")
def set_my_description(call: Call) -> bool:
    """Set what an empty chat with the bot shows."""
    text, language = call.params.text("description"), read_language(call.params)
    if len(text) > DESCRIPTION_LIMIT:
        raise bad_request("BOT_DESCRIPTION_TOO_LONG")
    return _set_text(call, "description", language, text)


@method("getMyDescription")
def get_my_description(call: Call) -> Json:
    """Return what an empty chat with the bot shows."""
    return {"description": _text(call.bot, "description", read_language(call.params))}


@method("setMyShortDescription")
def set_my_short_description(call: Call) -> bool:
    """Set what the bot's profile and its link show."""
    text, language = call.params.text("short_description"), read_language(call.params)
    if len(text) > SHORT_DESCRIPTION_LIMIT:
        raise bad_request("BOT_SHORT_DESCRIPTION_TOO_LONG")
    return _set_text(call, "short_description", language, text)


@method("getMyShortDescription")
def get_my_short_description(call: Call) -> Json:
    """Return what the bot's profile and its link show."""
    return {"short_description": _text(call.bot, "short_description", read_language(call.params))}


@method("setChatMenuButton")
def set_chat_menu_button(call: Call) -> bool:
    """Set the button beside the input field, of one private chat or of all."""
    button = _menu_button(call.params.dictionary("menu_button") or ANY_MENU)
    person_id = _menu_owner(call)
    if button == ANY_MENU:
        call.bot.menu_buttons.pop(person_id, None)
    else:
        call.bot.menu_buttons[person_id] = button
    call.world.revision += 1
    return True


@method("getChatMenuButton")
def get_chat_menu_button(call: Call) -> Json:
    """Return the button beside the input field, of one private chat or of all."""
    return call.bot.menu_buttons.get(_menu_owner(call), ANY_MENU)


@method("setMyDefaultAdministratorRights")
def set_my_default_administrator_rights(call: Call) -> bool:
    """Suggest the rights with which the bot is made an administrator."""
    rights = call.params.dictionary("rights") or {}
    known = schema.types()["ChatAdministratorRights"]
    for name, value in rights.items():
        if name in known and not isinstance(value, bool):
            raise bad_request(f'can\'t parse chat administrator rights: Field "{name}" must be of type Boolean')
    call.bot.default_rights[_place(call)] = {name: True for name in known if rights.get(name)}
    call.world.revision += 1
    return True


@method("getMyDefaultAdministratorRights")
def get_my_default_administrator_rights(call: Call) -> Json:
    """Return the rights with which the bot wants to be made an administrator."""
    place = _place(call)
    chosen = call.bot.default_rights.get(place, {})
    left_out = {"can_pin_messages", "can_manage_topics", "can_manage_tags"}
    if place == "groups":
        left_out = {"can_post_messages", "can_edit_messages", "can_manage_direct_messages"}
    known = schema.types()["ChatAdministratorRights"]
    return {name: chosen.get(name, False) for name in known if name not in left_out}


@method("logOut")
def log_out(call: Call) -> bool:
    """Leave the server: the webhook and the inbox go, and for ten minutes all calls are refused."""
    bot = call.bot
    bot.logged_out_until = call.world.now() + LOGGED_OUT_SECONDS
    bot.webhook = None
    bot.pending.clear()
    call.world.revision += 1
    if call.world.listener:
        call.world.listener.webhook_changed(bot)
    return True


@method("close")
def close(call: Call) -> bool:
    """Do nothing, successfully: there is only one server, so there is none to move away from."""
    return call.bot.id > 0


def visible_menu_button(bot: Bot, person_id: int) -> Json:
    """Return the menu button that a person sees: their own, else the one for all, else the list of commands."""
    return bot.menu_buttons.get(person_id) or bot.menu_buttons.get(0) or {"type": "commands"}


def _set_text(call: Call, what: str, language: str, text: str) -> bool:
    if text:
        call.bot.texts[f"{what}:{language}"] = text
    else:
        call.bot.texts.pop(f"{what}:{language}", None)
    call.world.revision += 1
    return True


def _text(bot: Bot, what: str, language: str) -> str:
    return bot.texts.get(f"{what}:{language}", "")


def _place(call: Call) -> str:
    return "channels" if call.params.flag("for_channels") else "groups"


def _menu_owner(call: Call) -> int:
    """Return the person whose menu button is meant; 0 for all."""
    if not call.params.has("chat_id"):
        return 0
    person_id = call.params.integer("chat_id")
    if person_id <= 0:
        raise bad_request("invalid chat_id specified")
    if person_id not in call.world.people:
        raise bad_request("user not found")
    return person_id


def _menu_button(button: Json) -> Json:
    kind = button.get("type")
    if kind in ("default", "commands"):
        return {"type": kind}
    if kind != "web_app":
        words = "MenuButton has unsupported type" if isinstance(kind, str) else 'Can\'t find field "type"'
        raise bad_request(f"can't parse menu button: {words}")
    text, page = button.get("text"), button.get("web_app")
    if not isinstance(text, str) or not isinstance(page, dict) or not isinstance(page.get("url"), str):
        missing = "text" if not isinstance(text, str) else "web_app" if not isinstance(page, dict) else "url"
        raise bad_request(f"can't parse menu button: Can't find field \"{missing}\"")
    if not text.strip():
        raise bad_request("BUTTON_TEXT_INVALID")
    if not page["url"].startswith("https://"):
        raise bad_request("BUTTON_URL_INVALID")
    return {"type": "web_app", "text": text, "web_app": {"url": page["url"]}}
