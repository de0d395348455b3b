"""Every method about queries, menus and money once, by python-telegram-bot's own client over a running simulator."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LabeledPrice
from telegram.error import BadRequest, TelegramError

from tests.unit.simulator.process import BOT, TOKEN, Client

KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("A", callback_data="a")]])
ARTICLE = telegram.InlineQueryResultArticle("1", "Greet", telegram.InputTextMessageContent("Hi"), reply_markup=KEYBOARD)


@pytest.fixture
async def bot(client: Client) -> AsyncIterator[telegram.Bot]:
    await client.post("/sim/settings", flood=False)
    async with telegram.Bot(TOKEN, base_url=f"{client.url}/bot", base_file_url=f"{client.url}/file/bot") as made:
        yield made


@pytest.fixture
async def place(client: Client) -> dict[str, Any]:
    person = await client.prepare()
    await client.write(person)
    return {"bot_id": BOT, "person_id": person}


async def newest(bot: telegram.Bot) -> telegram.Update:
    """Return the newest update, and confirm those before it."""
    return (await bot.get_updates(offset=-1))[-1]


async def test_commands_by_scope_and_language(bot: telegram.Bot, place: dict[str, Any]) -> None:
    scope = telegram.BotCommandScopeChat(place["person_id"])
    assert await bot.set_my_commands([("help", "Helps")], scope=scope, language_code="de")
    (command,) = await bot.get_my_commands(scope=scope, language_code="de")
    assert (command.command, command.description) == ("help", "Helps")
    assert await bot.delete_my_commands(scope=scope, language_code="de")
    assert not await bot.get_my_commands(scope=scope, language_code="de")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.set_my_commands([("help", "Helps")], scope=telegram.BotCommandScopeChat(-5))


async def test_how_a_bot_presents_itself(bot: telegram.Bot, place: dict[str, Any]) -> None:
    assert await bot.set_my_name("Helper")
    assert (await bot.get_my_name()).name == "Helper"
    assert await bot.set_my_description("Long", language_code="de")
    assert (await bot.get_my_description("de")).description == "Long"
    assert await bot.set_my_short_description("Short")
    assert (await bot.get_my_short_description()).short_description == "Short"
    button = telegram.MenuButtonWebApp("Open", telegram.WebAppInfo("https://example.org"))
    assert await bot.set_chat_menu_button(place["person_id"], button)
    assert await bot.get_chat_menu_button(place["person_id"]) == button
    assert isinstance(await bot.get_chat_menu_button(), telegram.MenuButtonDefault)
    rights = telegram.ChatAdministratorRights.all_rights()
    assert await bot.set_my_default_administrator_rights(rights, for_channels=True)
    assert (await bot.get_my_default_administrator_rights(for_channels=True)).can_post_messages
    assert not (await bot.get_my_default_administrator_rights()).can_manage_chat
    with pytest.raises(BadRequest, match="Bot_title_invalid"):
        await bot.set_my_name("x" * 65)


async def test_polls(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    options: list[str | telegram.InputPollOption] = [
        "Red",
        telegram.InputPollOption("*Blue*", text_parse_mode="MarkdownV2"),
    ]
    message = await bot.send_poll(place["person_id"], "Which?", options, is_anonymous=False, open_period=60)
    await client.post("/sim/vote", **place, message_id=message.message_id, options=[1])
    answer = (await newest(bot)).poll_answer
    assert answer
    assert answer.user
    assert (answer.user.id, answer.option_ids) == (place["person_id"], (1,))
    poll = await bot.stop_poll(place["person_id"], message.message_id)
    assert (poll.is_closed, poll.options[1].voter_count) == (True, 1)
    quiz = await bot.send_poll(
        place["person_id"], "Who?", ["Me", "You"], type="quiz", correct_option_ids=[1], explanation="Because"
    )
    assert quiz.poll
    assert quiz.poll.explanation == "Because"
    with pytest.raises(BadRequest, match="Poll has already been closed"):
        await bot.stop_poll(place["person_id"], message.message_id)


async def test_inline_mode(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    asked = await client.post("/sim/inline", **place, query="x")
    query = (await newest(bot)).inline_query
    assert query
    photo = telegram.InlineQueryResultPhoto("2", "https://example.org/a.jpg", "https://example.org/b.jpg")
    assert await query.answer([ARTICLE, photo], cache_time=0, next_offset="2")
    await client.post("/sim/inline/choose", query_id=asked["query_id"], result_id="1")
    updates = await bot.get_updates()
    chosen = next(update.chosen_inline_result for update in updates if update.chosen_inline_result)
    assert await bot.edit_message_text("Bye", inline_message_id=chosen.inline_message_id, reply_markup=KEYBOARD) is True
    sent = next(update.message for update in updates if update.message and update.message.via_bot)
    await client.post("/sim/press", **place, message_id=sent.message_id, data="a")
    pressed = (await newest(bot)).callback_query
    assert pressed
    assert pressed.inline_message_id == chosen.inline_message_id
    assert await pressed.answer("ok")
    with pytest.raises(BadRequest, match="Message_id_invalid"):
        await bot.edit_message_text("Bye", inline_message_id="5")
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_inline_query("5", [])


async def test_mini_apps_and_prepared_messages(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    opened = await client.post("/sim/web-app", **place)
    assert (await bot.answer_web_app_query(opened["query_id"], ARTICLE)).inline_message_id
    prepared = await bot.save_prepared_inline_message(place["person_id"], ARTICLE, allow_user_chats=True)
    await client.post("/sim/inline/choose", query_id=prepared.id)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_web_app_query(opened["query_id"], ARTICLE)


async def test_goods_with_a_price_for_delivery(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    person = place["person_id"]
    message = await bot.send_invoice(
        person, "Tea", "A cup", "tea", "EUR", [LabeledPrice("Tea", 300)], provider_token="p", is_flexible=True
    )
    assert message.invoice
    assert message.invoice.total_amount == 300
    info = {"shipping_address": {"country_code": "AT", "city": "Wien"}}
    asked = await client.post("/sim/pay", **place, message_id=message.message_id, order_info=info)
    shipping = (await newest(bot)).shipping_query
    assert shipping
    assert await shipping.answer(True, [telegram.ShippingOption("post", "By post", [LabeledPrice("Post", 20)])])
    await client.post("/sim/pay/ship", query_id=asked["query_id"], option_id="post")
    checkout = (await newest(bot)).pre_checkout_query
    assert checkout
    assert await checkout.answer(True)
    paid = (await newest(bot)).message
    assert paid
    assert paid.successful_payment
    assert (paid.successful_payment.total_amount, paid.successful_payment.shipping_option_id) == (320, "post")
    with pytest.raises(BadRequest, match="Query is too old"):
        await checkout.answer(True)


async def test_stars(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    link = await bot.create_invoice_link(
        "Tea", "A cup", "tea", "XTR", [LabeledPrice("Tea", 5)], subscription_period=2_592_000
    )
    await client.post("/sim/pay", link=link, person_id=place["person_id"])
    checkout = (await newest(bot)).pre_checkout_query
    assert checkout
    assert await checkout.answer(True)
    (transaction,) = (await bot.get_star_transactions()).transactions
    assert isinstance(transaction.source, telegram.TransactionPartnerUser)
    assert (transaction.amount, (await bot.get_my_star_balance()).amount) == (5, 5)
    assert await bot.edit_user_star_subscription(place["person_id"], transaction.id, True)
    assert await bot.refund_star_payment(place["person_id"], transaction.id)
    message = (await newest(bot)).message
    assert message
    assert message.refunded_payment
    with pytest.raises(BadRequest, match="Charge_already_refunded"):
        await bot.refund_star_payment(place["person_id"], transaction.id)


async def test_games(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    await client.post("/sim/games", bot_id=BOT, short_name="chess", title="Chess")
    message = await bot.send_game(place["person_id"], "chess")
    assert message.game
    scored = await bot.set_game_score(place["person_id"], 5, message.chat_id, message.message_id)
    assert isinstance(scored, telegram.Message)
    (score,) = await bot.get_game_high_scores(place["person_id"], message.chat_id, message.message_id)
    assert (score.position, score.score) == (1, 5)
    with pytest.raises(BadRequest, match="Bot_score_not_modified"):
        await bot.set_game_score(place["person_id"], 4, message.chat_id, message.message_id)


async def test_leaving_the_server(bot: telegram.Bot, client: Client, place: dict[str, Any]) -> None:
    assert await bot.close()
    assert await bot.log_out()
    with pytest.raises(TelegramError, match="Logged out"):
        await bot.send_message(place["person_id"], "x")
    await client.post("/sim/clock", advance=601)
    assert await bot.send_message(place["person_id"], "x")
