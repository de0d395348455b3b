"""People pay: they fill in what an invoice asks for, choose a way of delivery, and wait for the bot's word."""

from typing import Any

from botyard.simulator.audience import announce
from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Invoice, Json, Person, Query, StarPayment
from botyard.simulator.queries import expired, open_query
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

ASKED = {"need_name": "name", "need_phone_number": "phone_number", "need_email": "email"}
"""What of the ``OrderInfo`` an invoice asks for."""
ADDRESS = ("country_code", "state", "city", "street_line1", "street_line2", "post_code")

Asked = tuple[int | None, Query]


def pay(world: World, person: Person, invoice: Invoice, *, chat: Chat | None, order: Json, tip: int) -> Asked:
    """Let a person begin to pay.

    Args:
        world: the world it happens in.
        person: who pays.
        invoice: what for.
        chat: where the invoice stands; none for an invoice behind a link.
        order: the ``OrderInfo`` that the person fills in.
        tip: what they add, in the smallest units of the currency.

    Returns:
        The update id and the query: ``shipping`` when the price depends on the address, else ``pre_checkout``.
    """
    if chat and person.id in invoice.paid_by:
        raise ControlError(409, "the person has paid this invoice")
    if not 0 <= tip <= invoice.terms["max_tip_amount"]:
        raise ControlError(400, f"tip must be from 0 to {invoice.terms['max_tip_amount']}")
    data: Json = {
        "invoice_id": invoice.id,
        "chat_id": chat.id if chat and chat.bot_id else person.id,
        "linked": chat is None,
        "order_info": _order(invoice, order),
        "total_amount": invoice.shown["total_amount"] + tip,
    }
    if not invoice.terms["is_flexible"]:
        return _ask_to_confirm(world, invoice, person, data)
    bot = world.bots[invoice.bot_id]
    query = open_query(world, bot, person, "shipping", data=data)
    payload = {
        "id": query.id,
        "from": person.card(),
        "invoice_payload": invoice.payload,
        "shipping_address": data["order_info"]["shipping_address"],
    }
    return make_update(world, bot, "shipping_query", payload, chat_id=0, user_id=person.id), query


def choose_shipping(world: World, query: Query, option_id: str) -> Asked:
    """Let a person choose one of the ways of delivery that the bot has offered; then they confirm the payment."""
    answer = query.data.get("answer")
    if query.kind != "shipping" or not answer:
        raise ControlError(409, "the bot has not answered the shipping query")
    if not answer["ok"]:
        raise ControlError(409, f"the bot does not deliver: {answer['error']}")
    option = next((option for option in answer["options"] if option["id"] == option_id), None)
    if option is None:
        raise ControlError(404, f"there is no shipping option {option_id}")
    data = {name: value for name, value in query.data.items() if name != "answer"}
    data["shipping_option_id"] = option_id
    data["total_amount"] += sum(price["amount"] for price in option["prices"])
    return _ask_to_confirm(world, world.invoices[data["invoice_id"]], world.people[query.person_id], data)


def payment_state(world: World, query: Query) -> str:
    """Return how far a payment is: ``waiting``, ``paid``, ``offered``, ``refused`` or ``expired``."""
    answer: Any = query.data.get("answer")
    if answer is None:
        return "expired" if expired(world, query) else "waiting"
    if not answer["ok"]:
        return "refused"
    return "paid" if query.kind == "pre_checkout" else "offered"


def complete_payment(world: World, query: Query) -> None:
    """Take the money; the bot gets a message with ``successful_payment``."""
    data, person_id = query.data, query.person_id
    invoice, bot = world.invoices[data["invoice_id"]], world.bots[query.bot_id]
    charge = f"stx{world.ids.randbytes(16).hex()}"
    paid: Json = {
        "currency": invoice.shown["currency"],
        "total_amount": data["total_amount"],
        "invoice_payload": invoice.payload,
    }
    paid |= {name: data[name] for name in ("shipping_option_id", "order_info") if data.get(name)}
    period = invoice.terms.get("subscription_period", 0)
    if period:
        paid |= {"subscription_expiration_date": int(world.now()) + period, "is_recurring": True}
        paid["is_first_recurring"] = True
    paid |= {"telegram_payment_charge_id": charge, "provider_payment_charge_id": f"sim_{charge}"}
    if paid["currency"] == "XTR":
        entry = StarPayment(charge, int(world.now()), data["total_amount"], person_id, invoice.payload, period)
        bot.star_payments.append(entry)
    if not data["linked"]:
        invoice.paid_by.append(person_id)
    _say(world, bot, person_id, {"successful_payment": paid})


def refund(world: World, bot: Bot, payment: StarPayment) -> None:
    """Give Stars back; the bot gets a message with ``refunded_payment``."""
    bot.star_payments.append(
        StarPayment(payment.id, int(world.now()), -payment.amount, payment.person_id, payment.payload)
    )
    refunded = {
        "currency": "XTR",
        "total_amount": payment.amount,
        "invoice_payload": payment.payload,
        "telegram_payment_charge_id": payment.id,
        "provider_payment_charge_id": f"sim_{payment.id}",
    }
    _say(world, bot, payment.person_id, {"refunded_payment": refunded})


def _say(world: World, bot: Bot, person_id: int, content: Json) -> None:
    """Put a service message into the private chat of the person who pays."""
    chat = world.private_chat(bot.id, person_id)
    announce(world, chat, world.add_message(chat, person_id, content))
    world.touch(chat)


def _ask_to_confirm(world: World, invoice: Invoice, person: Person, data: Json) -> Asked:
    bot = world.bots[invoice.bot_id]
    query = open_query(world, bot, person, "pre_checkout", data=data)
    payload: Json = {
        "id": query.id,
        "from": person.card(),
        "currency": invoice.shown["currency"],
        "total_amount": data["total_amount"],
        "invoice_payload": invoice.payload,
    }
    payload |= {name: data[name] for name in ("shipping_option_id", "order_info") if data.get(name)}
    return make_update(world, bot, "pre_checkout_query", payload, chat_id=0, user_id=person.id), query


def _order(invoice: Invoice, given: Json) -> Json:
    """Return what the invoice asks for, and nothing else."""
    order: Json = {}
    for flag, name in ASKED.items():
        if invoice.terms[flag]:
            if not isinstance(given.get(name), str) or not given[name]:
                raise ControlError(400, f"the invoice asks for order_info.{name}")
            order[name] = given[name]
    if invoice.terms["need_shipping_address"] or invoice.terms["is_flexible"]:
        address = given.get("shipping_address")
        if not isinstance(address, dict):
            raise ControlError(400, "the invoice asks for order_info.shipping_address")
        order["shipping_address"] = {name: str(address.get(name, "")) for name in ADDRESS}
    return order
