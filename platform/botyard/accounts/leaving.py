"""The part of a removal that opens tokens: for workers, and not for the web process."""

import asyncio
import contextlib

from botyard.accounts import customers
from botyard.bots.removal import remove_bot
from botyard.errors import InputError
from botyard.settings import get_settings
from botyard.telegram.request import AiohttpRequest


def finish_removal(bot_id: int, customer_id: int | None) -> None:
    """Remove a bot whose removal has begun, and after the last one of a customer that is leaving the customer, too.

    A bot or a customer of which nobody has asked that stays as it is, whoever names it. Doing it again is safe.

    Args:
        bot_id: the bot's row; it may be gone already.
        customer_id: whose bot it was; none: no customer is leaving.
    """
    if customers.is_bot_leaving(bot_id):
        # Another removal of it may be faster, or it may be added again meanwhile: then its customer stays, too.
        with contextlib.suppress(InputError):
            asyncio.run(_remove(bot_id))
    if customer_id is not None:
        finish_leaving(customer_id)


def finish_leaving(customer_id: int) -> None:
    """Remove a customer whose data is to be removed now, if none of its bots is left."""
    if customers.is_leaving(customer_id):
        customers.remove_customer(customer_id)


async def _remove(bot_id: int) -> None:
    settings = get_settings()
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        await remove_bot(str(bot_id), request, settings, begun=True)
    finally:
        await request.close()
