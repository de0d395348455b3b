"""Waiting for the first bot whose updates are fetched: `botyard run` always starts the poller."""

import contextlib
import time
from typing import Final

import psycopg2

from botyard.settings import Settings

_LOOK_SECONDS: Final = 2.0
_POLLED: Final = "SELECT EXISTS (SELECT FROM bots WHERE intake = 'polling')"


def wait_for_polled_bot(settings: Settings) -> None:
    """Return once there is a bot to poll.

    Until then the poller need not be loaded: with handlers, Telegram's types and SQLAlchemy it takes seventy megabytes
    and a second, which many installations never need.
    """
    while not is_needed(settings):
        time.sleep(_LOOK_SECONDS)


def is_needed(settings: Settings) -> bool:
    """Whether there is a bot to poll; also when that cannot be found out, for then the poller itself says why.

    Raises:
        InputError: the database's address is not set.
    """
    url = settings.require("database_system_url")
    try:
        with contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection.cursor() as cursor:
            cursor.execute(_POLLED)
            ((found,),) = cursor.fetchall()
    except psycopg2.Error:
        return True
    return bool(found)
