"""What a bot's configuration gives to its kind where its application is built.

Opens secrets: not for the web process. See docs/configuration.md.
"""

from typing import Any, Final

from botyard.bots.configuration.model import checked
from botyard.bots.configuration.service_secrets import sealed_secrets
from botyard.telegram.kind_shapes import Given
from botyard.vault.opening import open_sealed
from db.engine import get_sessions
from db.models import Bot

_OF_THE_KIND: Final = ("features", "settings")


def given_to(bot_id: int) -> Given:
    """What the kind of a bot is given, as the database has it now; a bot that is gone gives nothing.

    Nothing of it is kept in the process: an application is built seldom, and bots are many.

    Args:
        bot_id: its row.

    Raises:
        InputError: what stands in the bot's row is no configuration.
    """
    with get_sessions("system")() as session:
        bot = session.get(Bot, bot_id)
        sealed = {} if bot is None else sealed_secrets(session, bot_id)
    kept: dict[str, Any] = bot.settings if bot is not None else {}
    found = checked({key: kept[key] for key in _OF_THE_KIND if key in kept})
    return Given(
        found.settings,
        found.features,
        lambda: {name: open_sealed(secret) for name, secret in sealed.items()},
    )
