"""Runs a bot's script as it is, with the simulator in Telegram's place: ``python plain_runner.py SCRIPT``.

Needs nothing of Botyard. By environment: ``SIMULATOR_URL``, and ``READY_FILE``, which is written when Telegram knows
which updates the bot wants.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from telegram import Bot
from telegram._utils.defaultvalue import DefaultValue
from telegram.ext import ApplicationBuilder

_build = ApplicationBuilder.__init__
_fetch = Bot.get_updates
_ready = Path(os.environ["READY_FILE"])
_known: list[bool] = []


def _begin(builder: Any, *args: Any, **more: Any) -> None:
    _build(builder, *args, **more)
    url = os.environ["SIMULATOR_URL"]
    builder._base_url = DefaultValue(f"{url}/bot")
    builder._base_file_url = DefaultValue(f"{url}/file/bot")


async def _get_updates(bot: Any, *args: Any, **more: Any) -> Any:
    if _known:
        return await _fetch(bot, *args, **more)
    # The first call does not wait, so that its return says that Telegram has heard what is wanted.
    found = await _fetch(bot, *args, **{**more, "timeout": 0})
    _known.append(True)
    _ready.touch()  # noqa: ASYNC240 - an empty file, once
    return found


if __name__ == "__main__":
    script = sys.argv[1]
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    ApplicationBuilder.__init__ = _begin  # type: ignore[method-assign, assignment]
    Bot.get_updates = _get_updates  # type: ignore[method-assign, assignment]
    runpy.run_path(script, run_name="__main__")
