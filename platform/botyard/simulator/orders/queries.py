"""Orders that let people ask a bot: inline queries, polls, payments, keyboards, Mini Apps; and what came of it."""

import hashlib
import hmac
from urllib.parse import urlencode

import orjson

from botyard.simulator import people
from botyard.simulator.errors import ControlError
from botyard.simulator.methods.commands import visible_commands
from botyard.simulator.methods.invoices import LINK
from botyard.simulator.methods.profile import visible_menu_button
from botyard.simulator.model import Bot, Chat, Game, Invoice, Json, Person, Query
from botyard.simulator.orders.naming import Order, the_bot, the_chat, the_group, the_person, the_place
from botyard.simulator.params import Params
from botyard.simulator.queries import expired, open_query
from botyard.simulator.simulator import Simulator


def ask(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/inline``: a person types ``@bot query``."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    update_id, query_id = people.ask(
        simulator.world,
        bot,
        person,
        text=params.text("query"),
        offset=params.text("offset"),
        chat_type=params.text("chat_type", "sender"),
    )
    return {"update_id": update_id, "query_id": query_id}


def choose(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/inline/choose``: a person sends one of the results, or a prepared message, into a chat."""
    world, query = simulator.world, _query(simulator, params, "inline", "prepared")
    person = world.people[query.person_id]
    chat_id = params.integer("chat_id", person.id)
    if chat_id == person.id:
        bot_id = the_bot(simulator, params).id if params.has("bot_id") else query.bot_id
        chat = world.private_chat(bot_id, person.id)
    else:
        chat = the_group(simulator, chat_id, person)
    answer = query.data.get("answer", {"results": []})
    first = answer["results"][0]["id"] if len(answer["results"]) == 1 else ""
    sent = people.choose(world, query, chat, params.text("result_id", first))
    return {"message_id": sent.message_id, "inline_message_id": sent.inline_id or None, "update_id": sent.update_id}


def show_query(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/query``: what the bot has answered so far."""
    world, query = simulator.world, _query(simulator, params)
    shown: Json = {"query_id": query.id, "kind": query.kind, "person_id": query.person_id, "bot_id": query.bot_id}
    answer = query.data.get("answer")
    if query.kind in {"shipping", "pre_checkout"}:
        shown["state"] = people.payment_state(world, query)
        shown["total_amount"] = query.data["total_amount"]
    else:
        shown["state"] = "answered" if answer else "expired" if expired(world, query) else "waiting"
    if answer and "results" in answer:
        answer = answer | {"results": [_result(result) for result in answer["results"]]}
    return shown | {"answer": answer}


def vote(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/vote``: a person votes in a poll, or takes the vote back with an empty list."""
    person = the_person(simulator, params)
    chat = the_place(simulator, params, person)
    options = params.items("options")
    if options is None or not all(isinstance(option, int) for option in options):
        raise ControlError(400, "options must be a list of places, from 0")
    message_id = params.integer("message_id")
    return {"update_id": people.vote(simulator.world, person, chat, message_id=message_id, options=options)}


def tap(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/tap``: a person presses a button of the bot's reply keyboard."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    given = {name: value for name, value in params.values.items() if name != "text"}
    if chat.bot_id:
        given["chat_id"] = params.integer("shared_chat_id", 0)
    sent = people.tap(simulator.world, bot, person, chat, text=params.text("text"), given=given)
    return {"update_id": sent.update_id, "message_id": sent.message_id}


def pay(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/pay``: a person pays an invoice, in a message or behind a link."""
    person = the_person(simulator, params)
    invoice, chat = _invoice(simulator, params, person)
    order, tip = params.dictionary("order_info") or {}, params.integer("tip", 0)
    return _asked(people.pay(simulator.world, person, invoice, chat=chat, order=order, tip=tip))


def ship(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/pay/ship``: a person chooses a way of delivery, and confirms the payment."""
    query = _query(simulator, params, "shipping")
    return _asked(people.choose_shipping(simulator.world, query, params.text("option_id")))


def make_game(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/games``: give a bot a game, as BotFather does."""
    bot, name = the_bot(simulator, params), params.text("short_name")
    if not name.isascii() or not name.replace("_", "").isalnum():
        raise ControlError(400, "short_name must consist of letters, digits and underscores")
    game = bot.games[name] = Game(name, params.text("title") or name, params.text("description"))
    simulator.world.revision += 1
    return {"short_name": name} | game.show()


def open_web_app(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/web-app``: a person opens a Mini App; returns what Telegram gives it, signed with the bot's token."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    query = open_query(simulator.world, bot, person, "web_app")
    user = {name: value for name, value in person.card().items() if name != "is_bot"}
    fields = {
        "query_id": query.id,
        "user": orjson.dumps(user).decode(),
        "auth_date": str(int(simulator.world.now())),
    }
    if params.has("start_param"):
        fields["start_param"] = params.text("start_param")
    return {"query_id": query.id, "init_data": urlencode(fields | {"hash": _signature(bot, fields)})}


def show_menu(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/menu``: the commands, menu button and reply keyboard that a person sees in a chat."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    return {
        "commands": visible_commands(bot, person, chat),
        "menu_button": visible_menu_button(bot, person.id) if chat.bot_id else None,
        "keyboard": people.newest_keyboard(chat, bot.id),
    }


def _result(result: Json) -> Json:
    shown: Json = result["shown"]
    return {"id": result["id"], "type": result["type"], "has_keyboard": bool(result["markup"])} | shown


def _asked(made: tuple[int | None, Query]) -> Json:
    update_id, query = made
    return {"update_id": update_id, "query_id": query.id, "kind": query.kind}


def _signature(bot: Bot, fields: dict[str, str]) -> str:
    """Sign the data of a Mini App (Mini Apps, "Validating data received via the Mini App")."""
    text = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    key = hmac.digest(b"WebAppData", bot.token.encode(), "sha256")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _query(simulator: Simulator, params: Params, *kinds: str) -> Query:
    query = simulator.world.queries.get(params.text("query_id"))
    if query is None or (kinds and query.kind not in kinds):
        raise ControlError(404, f"there is no {' or '.join(kinds) or 'such'} query, or it is long over")
    return query


def _invoice(simulator: Simulator, params: Params, person: Person) -> tuple[Invoice, Chat | None]:
    if params.has("link"):
        invoice = simulator.world.invoices.get(params.text("link").removeprefix(LINK))
        chat = None
    else:
        chat = the_place(simulator, params, person)
        message = chat.messages.get(params.integer("message_id"))
        invoice = simulator.world.invoices.get(message.invoice_id) if message else None
    if invoice is None:
        raise ControlError(404, "there is no such invoice")
    return invoice, chat


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/inline"): ask,
    ("POST", "/sim/inline/choose"): choose,
    ("GET", "/sim/query"): show_query,
    ("POST", "/sim/vote"): vote,
    ("POST", "/sim/tap"): tap,
    ("POST", "/sim/pay"): pay,
    ("POST", "/sim/pay/ship"): ship,
    ("POST", "/sim/games"): make_game,
    ("POST", "/sim/web-app"): open_web_app,
    ("GET", "/sim/menu"): show_menu,
}
