"""Which picture a bot shows at Telegram.

Source: https://core.telegram.org/bots/api#getuserprofilephotos
"""

import asyncio
from typing import Any

from botyard.bots.connection.asking import Asking, Unreachable
from botyard.errors import InputError
from db.engine import get_sessions
from db.models import Bot


async def note_picture(asking: Asking, bot_id: int) -> None:
    """Keep the file id of a bot's own picture; if that cannot be asked now, what is known of it stays.

    Args:
        asking: as which bot.
        bot_id: its row.
    """
    try:
        found: Any = await asking.call("getUserProfilePhotos", user_id=asking.telegram_id, limit=1)
    except (InputError, Unreachable):
        return
    photos = found.get("photos") if isinstance(found, dict) else None
    if photos is not None:
        # The first size is the smallest: it is shown beside a name.
        await asyncio.to_thread(_keep, bot_id, photos[0][0]["file_id"] if photos else None)


def _keep(bot_id: int, file_id: str | None) -> None:
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id)
        if bot is not None and bot.picture != file_id:
            bot.picture = file_id
