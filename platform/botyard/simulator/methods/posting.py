"""Sending what lives on outside its message: polls, invoices, games."""

from botyard.simulator.methods.call import Call
from botyard.simulator.methods.sending import place_for, post, read_reply
from botyard.simulator.model import Json
from botyard.simulator.polls import put_poll


def post_linked(
    call: Call, content: Json, markup: Json | None, *, poll_id: str = "", invoice_id: str = "", game: str = ""
) -> Json:
    """Put a message of the bot into the chat named by the call, and return it as a ``Message``.

    Args:
        call: its parameters name the chat, the message that is answered, and the options.
        content: what the message shows.
        markup: its ``reply_markup``, checked.
        poll_id: the poll it shows.
        invoice_id: the invoice it shows.
        game: the short name of the game it offers.
    """
    chat = place_for(call, content)
    answered = read_reply(call, chat, content)
    call.count(chat)
    message = post(call, chat, content, answered, markup)
    message.invoice_id, message.game = invoice_id, game
    if poll_id:
        put_poll(call.world.polls[poll_id], chat, message)
    call.world.touch(chat)
    return call.world.show(chat, message, viewer=call.bot.id)
