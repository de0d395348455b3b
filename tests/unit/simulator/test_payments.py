import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl

import pytest

from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape

STARS: dict[str, Any] = {
    "title": "Tea", "description": "A cup", "payload": "tea-1", "currency": "XTR",
    "prices": [{"label": "Tea", "amount": 5}],
}  # fmt: skip
MONEY: dict[str, Any] = STARS | {
    "currency": "EUR", "provider_token": "provider",
    "prices": [{"label": "Tea", "amount": 300}, {"label": "-", "amount": -50}],
}  # fmt: skip
ADDRESS = {
    "country_code": "AT",
    "state": "",
    "city": "Wien",
    "street_line1": "Ring 1",
    "street_line2": "",
    "post_code": "1010",
}
OPTIONS = [{"id": "post", "title": "By post", "prices": [{"label": "Post", "amount": 20}]}]
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@pytest.fixture(autouse=True)
def opened(stage: Stage) -> None:
    assert stage.private


def invoice(stage: Stage, **params: Any) -> dict[str, Any]:
    message = stage.call("sendInvoice", **({"chat_id": stage.person.id} | STARS | params))
    assert_shape(message, "Message")
    return {"bot_id": stage.bot.id, "person_id": stage.person.id, "message_id": message["message_id"]}


def state(stage: Stage, query_id: str) -> str:
    return str(order(stage, "/sim/query", "GET", query_id=query_id)["state"])


def confirm(stage: Stage, query_id: str) -> None:
    assert stage.call("answerPreCheckoutQuery", pre_checkout_query_id=query_id, ok=True) is True


def paid(stage: Stage) -> Any:
    return next(
        message["successful_payment"] for message in updates(stage, "message") if "successful_payment" in message
    )


def test_stars_are_paid_counted_and_given_back(stage: Stage) -> None:
    place = invoice(stage)
    query_id = order(stage, "/sim/pay", **place)["query_id"]
    (asked,) = updates(stage, "pre_checkout_query")
    assert (asked["id"], asked["currency"], asked["total_amount"], asked["invoice_payload"]) == (
        query_id,
        "XTR",
        5,
        "tea-1",
    )
    assert state(stage, query_id) == "waiting"
    confirm(stage, query_id)
    assert state(stage, query_id) == "paid"
    charge = paid(stage)["telegram_payment_charge_id"]
    assert stage.call("getMyStarBalance") == {"amount": 5}
    refund = {"user_id": stage.person.id, "telegram_payment_charge_id": charge}
    assert stage.call("refundStarPayment", **refund) is True
    assert any("refunded_payment" in message for message in updates(stage, "message"))
    assert stage.refusal("refundStarPayment", **refund) == "Bad Request: CHARGE_ALREADY_REFUNDED"
    assert stage.refusal("refundStarPayment", **refund | {"user_id": 5}) == "Bad Request: CHARGE_NOT_FOUND"
    listed = stage.call("getStarTransactions")
    assert_shape(listed, "StarTransactions")
    assert [("source" in entry, entry["amount"]) for entry in listed["transactions"]] == [(True, 5), (False, 5)]
    assert stage.call("getStarTransactions", offset=1)["transactions"] == listed["transactions"][1:]
    assert stage.call("getMyStarBalance") == {"amount": 0}


def test_a_payment_that_is_not_confirmed_within_ten_seconds_fails(stage: Stage) -> None:
    query_id = order(stage, "/sim/pay", **invoice(stage))["query_id"]
    stage.clock.time += 11
    assert stage.refusal("answerPreCheckoutQuery", pre_checkout_query_id=query_id, ok=True) == TOO_OLD
    assert state(stage, query_id) == "expired"
    assert stage.call("getMyStarBalance") == {"amount": 0}


def test_a_payment_is_confirmed_once_and_a_refusal_needs_a_reason(stage: Stage) -> None:
    query_id = order(stage, "/sim/pay", **invoice(stage))["query_id"]
    params = {"pre_checkout_query_id": query_id}
    assert "error_message" in stage.refusal("answerPreCheckoutQuery", **params, ok=False)
    assert stage.call("answerPreCheckoutQuery", **params, ok=False, error_message="Sold out") is True
    assert state(stage, query_id) == "refused"
    assert stage.refusal("answerPreCheckoutQuery", **params, ok=True) == TOO_OLD


def test_goods_are_sent_to_an_address_for_a_price_the_bot_names(stage: Stage) -> None:
    place = invoice(
        stage, **MONEY, is_flexible=True, need_name=True, max_tip_amount=100, suggested_tip_amounts=[10, 20]
    )
    assert "order_info.name" in told(stage, "/sim/pay", **place)
    info = {"name": "Ann", "shipping_address": ADDRESS}
    query_id = order(stage, "/sim/pay", **place, order_info=info, tip=10)["query_id"]
    (asked,) = updates(stage, "shipping_query")
    assert asked["shipping_address"]["city"] == "Wien"
    assert "not answered" in told(stage, "/sim/pay/ship", query_id=query_id, option_id="post")
    assert stage.call("answerShippingQuery", shipping_query_id=query_id, ok=True, shipping_options=OPTIONS) is True
    assert state(stage, query_id) == "offered"
    assert "no shipping option" in told(stage, "/sim/pay/ship", query_id=query_id, option_id="air")
    checkout = order(stage, "/sim/pay/ship", query_id=query_id, option_id="post")
    confirm(stage, checkout["query_id"])
    assert (paid(stage)["total_amount"], paid(stage)["shipping_option_id"]) == (250 + 10 + 20, "post")
    assert paid(stage)["order_info"] == info
    assert stage.call("getMyStarBalance") == {"amount": 0}
    assert "has paid" in told(stage, "/sim/pay", **place, order_info=info)


def test_a_link_is_paid_by_anybody_any_number_of_times(stage: Stage) -> None:
    link = stage.call("createInvoiceLink", **STARS, subscription_period=2_592_000)
    assert link.startswith("https://t.me/$")
    for _ in range(2):
        confirm(stage, order(stage, "/sim/pay", link=link, person_id=stage.person.id)["query_id"])
    assert paid(stage)["is_first_recurring"] is True
    assert stage.call("getMyStarBalance") == {"amount": 10}
    charge = {"user_id": stage.person.id, "telegram_payment_charge_id": paid(stage)["telegram_payment_charge_id"]}
    assert stage.call("editUserStarSubscription", **charge, is_canceled=True) is True


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"payload": "x" * 129}, "INVOICE_PAYLOAD_INVALID"),
        ({"prices": []}, "there must be at least one price"),
        ({"prices": [{"label": "", "amount": 5}]}, "can't parse labeled price: LabeledPrice label must be non-empty"),
        ({"prices": [{"label": "x", "amount": 0}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"currency": "EUR"}, "PAYMENT_PROVIDER_INVALID"),
        ({"provider_token": "x"}, "STARS_INVOICE_INVALID"),
        ({"prices": [{"label": "x", "amount": 1}] * 2}, "STARS_INVOICE_INVALID"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}}, "REPLY_MARKUP_BUY_EMPTY"),
        ({"suggested_tip_amounts": [5], "max_tip_amount": 4}, "TIP_AMOUNTS_INVALID"),
    ],
)
def test_a_wrong_invoice_is_refused(stage: Stage, params: dict[str, Any], words: str) -> None:
    assert stage.refusal("sendInvoice", **({"chat_id": stage.person.id} | STARS | params)) == f"Bad Request: {words}"
    assert not stage.world.invoices


def test_the_data_of_a_mini_app_is_signed_with_the_token(stage: Stage) -> None:
    opened = order(stage, "/sim/web-app", bot_id=stage.bot.id, person_id=stage.person.id)
    fields = dict(parse_qsl(opened["init_data"]))
    seal = fields.pop("hash")
    text = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    key = hmac.new(b"WebAppData", stage.bot.token.encode(), hashlib.sha256).digest()
    assert hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == seal


def test_invoices_questions_and_stars_outlive_a_restart(stage: Stage) -> None:
    query_id = order(stage, "/sim/pay", **invoice(stage))["query_id"]
    confirm(stage, query_id)
    other = order(stage, "/sim/pay", link=stage.call("createInvoiceLink", **STARS), person_id=stage.person.id)
    world = World(stage.clock)
    restore(world, dump(stage.world))
    assert (world.invoices, world.queries) == (stage.world.invoices, stage.world.queries)
    assert world.bots[stage.bot.id].star_payments == stage.bot.star_payments
    assert other["query_id"] in world.queries
