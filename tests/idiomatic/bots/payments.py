# mypy: ignore-errors
"""Selling things: an invoice with and without shipping, pre-checkout, and the payment."""

import os

from telegram import LabeledPrice, ShippingOption, Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    PreCheckoutQueryHandler,
    ShippingQueryHandler,
    filters,
)

PAYMENT_PROVIDER_TOKEN = os.environ.get("PAYMENT_PROVIDER_TOKEN", "4300000001:TEST:1")
STOCK = 2


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Use /shipping to receive an invoice for a mug, or /noshipping for a song.")


async def start_with_shipping(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await context.bot.send_invoice(
        update.message.chat_id,
        "A mug",
        "A mug with our dog",
        "mug",
        "USD",
        [LabeledPrice("Mug", 100)],
        provider_token=PAYMENT_PROVIDER_TOKEN,
        need_name=True,
        need_shipping_address=True,
        is_flexible=True,
    )


async def start_without_shipping(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await context.bot.send_invoice(
        update.message.chat_id, "A song", "The song of our dog", "song", "XTR", [LabeledPrice("Song", 5)]
    )


async def shipping(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.shipping_query
    if query.shipping_address.country_code != "DE":
        await query.answer(ok=False, error_message="We do not deliver there.")
        return
    await query.answer(
        ok=True,
        shipping_options=[
            ShippingOption("slow", "By snail", [LabeledPrice("Snail", 50)]),
            ShippingOption("fast", "By hare", [LabeledPrice("Hare", 200)]),
        ],
    )


async def precheckout(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.pre_checkout_query
    sold = context.bot_data.setdefault("sold", {})
    if sold.get(query.invoice_payload, 0) >= STOCK:
        await query.answer(ok=False, error_message="It is sold out.")
    else:
        await query.answer(ok=True)


async def successful_payment(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    payment = update.message.successful_payment
    sold = context.bot_data.setdefault("sold", {})
    sold[payment.invoice_payload] = sold.get(payment.invoice_payload, 0) + 1
    await update.message.reply_text(f"Thank you for {payment.total_amount} {payment.currency}!")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("shipping", start_with_shipping))
    application.add_handler(CommandHandler("noshipping", start_without_shipping))
    application.add_handler(ShippingQueryHandler(shipping))
    application.add_handler(PreCheckoutQueryHandler(precheckout))
    application.add_handler(MessageHandler(filters.SUCCESSFUL_PAYMENT, successful_payment))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
