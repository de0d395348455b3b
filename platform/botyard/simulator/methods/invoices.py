"""Invoices: in a message, and behind a link."""

import re

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.markup import read_inline_markup
from botyard.simulator.methods.posting import post_linked
from botyard.simulator.model import Invoice, Json
from botyard.simulator.params import Params

STARS = "XTR"
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
TITLE_LIMIT = 32
DESCRIPTION_LIMIT = 255
PAYLOAD_LIMIT = 128
"""Bytes."""
MOST_TIPS = 4
HIGHEST_AMOUNT = 9999_9999_9999
"""In the smallest unit of a currency, of every price and of their sum (tdlib/td, InputInvoice.cpp)."""
SUBSCRIPTION_SECONDS = 30 * 24 * 3600
"""The only period that a subscription has (Bot API, createInvoiceLink)."""
MOST_SUBSCRIPTION_STARS = 10_000
FLAGS = (
    "need_name",
    "need_phone_number",
    "need_email",
    "need_shipping_address",
    "send_phone_number_to_provider",
    "send_email_to_provider",
    "is_flexible",
)
LINK = "https://t.me/$"


@method("sendInvoice")
def send_invoice(call: Call) -> Json:
    """Send an invoice and return it as a ``Message``. Its photo and ``provider_data`` are not kept."""
    invoice = new_invoice(call, call.params)
    try:
        markup = with_pay_button(invoice, read_inline_markup(call.params))
        return post_linked(call, {"invoice": invoice.shown}, markup, invoice_id=invoice.id)
    except ApiError:
        del call.world.invoices[invoice.id]
        raise


@method("createInvoiceLink")
def create_invoice_link(call: Call) -> str:
    """Return a link that opens an invoice, for anybody and any number of times."""
    period = call.params.integer("subscription_period", 0)
    stars = call.params.text("currency") == STARS
    if period and (period != SUBSCRIPTION_SECONDS or not stars):
        raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
    invoice = new_invoice(call, call.params)
    if period and invoice.shown["total_amount"] > MOST_SUBSCRIPTION_STARS:
        raise bad_request("STARS_AMOUNT_INVALID")
    invoice.terms["subscription_period"] = period
    return LINK + invoice.id


def new_invoice(call: Call, params: Params) -> Invoice:
    """Make an invoice from the parameters of sendInvoice.

    Raises:
        ApiError: they do not fit each other or the limits.
    """
    for name in ("title", "description", "payload", "currency"):
        if not params.text(name):
            raise bad_request(f'parameter "{name}" is required')
    for name, limit in (("title", TITLE_LIMIT), ("description", DESCRIPTION_LIMIT)):
        if len(params.text(name)) > limit:
            raise bad_request(f"INVOICE_{name.upper()}_TOO_LONG")
    if len(params.text("payload").encode()) > PAYLOAD_LIMIT:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    currency = params.text("currency")
    if not CURRENCY.fullmatch(currency):
        raise bad_request("CURRENCY_INVALID")
    prices = read_prices(params.items("prices"))
    if currency == STARS and (len(prices) > 1 or params.text("provider_token")):
        raise bad_request("STARS_INVOICE_INVALID")
    if currency != STARS and not params.text("provider_token"):
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    total = _total(prices)
    shown = {name: params.text(name) for name in ("title", "description", "start_parameter", "currency")}
    # Telegram takes Stars without asking for anything else.
    terms: Json = {name: currency != STARS and params.flag(name) for name in FLAGS} | _tips(params)
    invoice_id = call.world.ids.randbytes(12).hex()
    invoice = Invoice(invoice_id, call.bot.id, params.text("payload"), shown | {"total_amount": total}, terms)
    call.world.invoices[invoice_id] = invoice
    call.world.revision += 1
    return invoice


def with_pay_button(invoice: Invoice, given: Json | None) -> Json:
    """Return the keyboard of a message with an invoice: it begins with the button to pay.

    Raises:
        ApiError: the given one begins with something else.
    """
    if given is None:
        amount, currency = invoice.shown["total_amount"], invoice.shown["currency"]
        return {"inline_keyboard": [[{"text": f"Pay {currency} {amount}", "pay": True}]]}
    if not given["inline_keyboard"][0][0].get("pay"):
        raise bad_request("REPLY_MARKUP_BUY_EMPTY")
    return given


def read_prices(prices: object) -> list[Json]:
    """Return a list of ``LabeledPrice``, checked."""
    if not isinstance(prices, list):
        raise bad_request("expected an Array of labeled prices")
    for price in prices:
        words = _wrong_price(price)
        if words:
            raise bad_request(f"can't parse labeled price: {words}")
        if abs(price["amount"]) > HIGHEST_AMOUNT:
            raise bad_request("too big amount of the currency specified")
    if not prices:
        raise bad_request("there must be at least one price")
    return prices


def _total(prices: list[Json]) -> int:
    total: int = sum(price["amount"] for price in prices)
    if total <= 0:
        raise bad_request("CURRENCY_TOTAL_AMOUNT_INVALID")
    if total > HIGHEST_AMOUNT:
        raise bad_request("total price is too big")
    return total


def _wrong_price(price: object) -> str:
    if not isinstance(price, dict):
        return "LabeledPrice must be an Object"
    if not isinstance(price.get("label"), str):
        return 'Can\'t find field "label"'
    if not price["label"]:
        return "LabeledPrice label must be non-empty"
    amount = price.get("amount")
    return "" if isinstance(amount, int) and not isinstance(amount, bool) else 'Can\'t find field "amount"'


def _tips(params: Params) -> Json:
    most = params.integer("max_tip_amount", 0)
    if not 0 <= most <= HIGHEST_AMOUNT:
        raise bad_request("wrong max_tip_amount specified")
    suggested = params.items("suggested_tip_amounts") or []
    rising = all(isinstance(tip, int) for tip in suggested) and sorted(set(suggested)) == suggested
    if len(suggested) > MOST_TIPS or not rising or any(not 0 < tip <= most for tip in suggested):
        raise bad_request("TIP_AMOUNTS_INVALID")
    return {"max_tip_amount": most, "suggested_tip_amounts": suggested}
