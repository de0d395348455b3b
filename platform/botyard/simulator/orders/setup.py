"""Orders that make bots and people."""

from botyard.simulator.botapi import TOKEN
from botyard.simulator.errors import ControlError
from botyard.simulator.methods.commands import default_commands
from botyard.simulator.methods.webhooks import webhook_info
from botyard.simulator.model import Json, Person
from botyard.simulator.orders.naming import Order, add_person
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator


def make_bot(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/bots``: create a bot, or rename the one with the token's id."""
    token, username = params.text("token"), params.text("username")
    if not TOKEN.fullmatch(token):
        raise ControlError(400, "token must look like 4200000001:AAAA…, digits and letters around a colon")
    if not username:
        raise ControlError(400, "username is required")
    bot = simulator.world.add_bot(token, username, params.text("name") or username)
    for switch in ("inline", "inline_feedback", "sees_all"):
        setattr(bot, switch, params.flag(switch, default=getattr(bot, switch)))
    return {"id": bot.id, "username": bot.username, "name": bot.name}


def list_bots(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/bots``: all bots, without their tokens."""
    world = simulator.world
    shown = [
        {
            "id": bot.id,
            "username": bot.username,
            "name": bot.name,
            "webhook": webhook_info(world, bot),
            "commands": default_commands(bot.commands),
        }
        for bot in world.bots.values()
    ]
    return {"bots": shown}


def make_person(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/people``: create a person, or replace the one with this id."""
    name = params.text("first_name").strip()
    if not name:
        raise ControlError(400, "first_name is required")
    person_id = params.integer("id", 0)
    last_name, username = params.text("last_name"), params.text("username")
    person = Person(person_id, name, last_name, username, params.text("language_code"))
    return add_person(simulator, person).card()


def list_people(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/people``: all people."""
    return {"people": [person.card() for person in simulator.world.people.values()]}


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/bots"): make_bot,
    ("GET", "/sim/bots"): list_bots,
    ("POST", "/sim/people"): make_person,
    ("GET", "/sim/people"): list_people,
}
