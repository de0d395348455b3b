"""Answers to people who are paying, and what came of it in Telegram Stars."""

from typing import Any

from botyard.simulator import people
from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.invoices import read_prices
from botyard.simulator.model import Json, StarPayment
from botyard.simulator.queries import waiting_query

MOST_TRANSACTIONS = 100


@method("answerShippingQuery")
def answer_shipping_query(call: Call) -> bool:
    """Offer ways of delivery, or say why there are none."""
    params = call.params
    answer: Json = {"ok": params.flag("ok")}
    if answer["ok"]:
        answer["options"] = _options(params.items("shipping_options"))
    else:
        answer["error"] = _reason(call)
    query = waiting_query(call.world, call.bot, "shipping", params.text("shipping_query_id"))
    query.data["answer"] = answer
    call.world.revision += 1
    return True


@method("answerPreCheckoutQuery")
def answer_pre_checkout_query(call: Call) -> bool:
    """Accept or refuse a payment, within ten seconds. What is accepted is paid at once."""
    ok = call.params.flag("ok")
    error = "" if ok else _reason(call)
    query = waiting_query(call.world, call.bot, "pre_checkout", call.params.text("pre_checkout_query_id"))
    if "answer" in query.data:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    query.data["answer"] = {"ok": ok} if ok else {"ok": ok, "error": error}
    if ok:
        people.complete_payment(call.world, query)
    call.world.revision += 1
    return True


@method("refundStarPayment")
def refund_star_payment(call: Call) -> bool:
    """Give a person their Stars back."""
    person_id, charge = call.params.integer("user_id"), call.params.text("telegram_payment_charge_id")
    if not charge:
        raise bad_request("CHARGE_ID_EMPTY")
    made = [entry for entry in call.bot.star_payments if entry.id == charge and entry.person_id == person_id]
    if not made:
        raise bad_request("CHARGE_NOT_FOUND")
    if len(made) > 1:
        raise bad_request("CHARGE_ALREADY_REFUNDED")
    people.refund(call.world, call.bot, made[0])
    return True


@method("getStarTransactions")
def get_star_transactions(call: Call) -> Json:
    """Return the bot's transactions in Stars, the oldest first."""
    offset = max(call.params.integer("offset", 0), 0)
    limit = min(max(call.params.integer("limit", MOST_TRANSACTIONS), 1), MOST_TRANSACTIONS)
    return {"transactions": [_show(call, entry) for entry in call.bot.star_payments[offset : offset + limit]]}


@method("getMyStarBalance")
def get_my_star_balance(call: Call) -> Json:
    """Return how many Stars the bot has."""
    return {"amount": sum(entry.amount for entry in call.bot.star_payments)}


@method("editUserStarSubscription")
def edit_user_star_subscription(call: Call) -> bool:
    """Cancel the renewal of a subscription, or allow it again. Subscriptions are not renewed here."""
    charge = call.params.text("telegram_payment_charge_id")
    person_id = call.params.integer("user_id")
    for entry in call.bot.star_payments:
        if entry.id == charge and entry.person_id == person_id and entry.subscription_period:
            return True
    raise bad_request("CHARGE_NOT_FOUND")


def _show(call: Call, entry: StarPayment) -> Json:
    partner: Json = {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": call.world.card(entry.person_id),
        "invoice_payload": entry.payload,
    }
    if entry.subscription_period:
        partner["subscription_period"] = entry.subscription_period
    side = "source" if entry.amount > 0 else "receiver"
    return {"id": entry.id, "date": entry.date, "amount": abs(entry.amount), side: partner}


def _reason(call: Call) -> str:
    reason = call.params.text("error_message")
    if not reason:
        raise bad_request('parameter "error_message" is required')
    return reason


def _options(options: list[Any] | None) -> list[Json]:
    if options is None:
        raise bad_request('parameter "shipping_options" is required')
    for option in options:
        words = _wrong_option(option)
        if words:
            raise bad_request(f"can't parse shipping option: {words}")
    if not options:
        raise bad_request("there must be at least one shipping option")
    return options


def _wrong_option(option: object) -> str:
    if not isinstance(option, dict):
        return "ShippingOption must be an Object"
    for name in ("id", "title"):
        if not isinstance(option.get(name), str):
            return f'Can\'t find field "{name}"'
        if not option[name]:
            return f"ShippingOption {'identifier' if name == 'id' else name} must be non-empty"
    try:
        read_prices(option.get("prices"))
    except ApiError as refusal:
        return f"Can't parse shipping option prices: {refusal.description.removeprefix('Bad Request: ')}"
    return ""
