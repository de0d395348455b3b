"""``botyard run mybot.py``: a script of one's own, on Telegram if it has a token, else on the simulator."""

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from botyard.running.formation import simulator_url
from botyard.running.local_secrets import LocalSecrets
from botyard.settings import Settings

_FIRST_ID: Final = 7_100_000_000
_IDS: Final = 800_000_000
# As BotFather makes them: what examples have in their place is shorter.
_TOKEN: Final = re.compile(r"[0-9]{6,}:[A-Za-z0-9_-]{30,}", re.ASCII)


def of_script(settings: Settings, path: Path) -> Settings:
    """The settings with which a script is the bot of this run; it is loaded once, to see that it can be.

    Args:
        settings: as they are given; their ``bot_token`` goes before the script's own.
        path: of the script.

    Raises:
        InputError: it cannot run here.
    """
    # The supervisor stays small where there is no script to look at.
    from botyard.telegram.loading import look_at  # noqa: PLC0415

    tokens = look_at(str(path)).tokens
    own = next((SecretStr(token) for token in tokens if _TOKEN.fullmatch(token)), None)
    return settings.model_copy(update={"bot_kind": str(path.absolute()), "bot_token": settings.bot_token or own})


def on_simulator(settings: Settings, made: LocalSecrets) -> Settings:
    """The same for a script without a token: it is a bot of the simulator, always the same one in this state folder."""
    key = hmac.new(made.secret_key.encode(), settings.bot_kind.encode(), hashlib.sha256).digest()
    number = _FIRST_ID + int.from_bytes(key[:4], "big") % _IDS
    token = f"{number}:{base64.urlsafe_b64encode(key).decode()[:35]}"
    return settings.model_copy(update={"bot_token": SecretStr(token), "api_url": simulator_url(settings)})
