"""Logs and readiness of every Celery process: workers, beat, Flower."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, cast

from celery import signals
from celery.exceptions import WorkerShutdown
from redis import Redis
from redis.exceptions import RedisError

from botyard.errors import InputError
from botyard.mailbox.server import check_server
from botyard.settings import get_settings
from botyard.telemetry.logs import configure_logs


def _configure(**_: object) -> None:
    settings = get_settings()
    process = next((word for word in sys.argv if word in ("worker", "beat", "flower")), "celery")
    configure_logs(settings, process)
    if settings.sentry_dsn is not None:
        from botyard.telemetry.reports import configure_reports  # noqa: PLC0415 - heavy, and rarely set

        configure_reports(settings, process)


def check_start(**_: object) -> None:
    """A worker begins: what would let it lose, leak or not open something ends it with one line.

    What is away for now is waited for.

    Raises:
        WorkerShutdown: Redis, the keys or the database's role are refused.
    """
    # Beat and Flower ask no database and open nothing.
    from botyard.vault.key_use import check_keys  # noqa: PLC0415
    from db.roles import check_application_role  # noqa: PLC0415

    try:
        _check_redis()
        check_keys()
        check_application_role()
    except InputError as error:
        print(f"botyard: {error}", file=sys.stderr)  # noqa: T201
        raise WorkerShutdown(1) from None


def _check_redis() -> None:
    url = get_settings().require("redis_url")
    with contextlib.suppress(RedisError), Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as redis:
        check_server(cast("dict[str, Any]", redis.info()))


def say_ready(**_: object) -> None:
    """A supervisor that waits for this process is told by a file."""
    if told := os.environ.get("BOTYARD_READY_FILE"):
        Path(told).touch()


def connect_logs() -> None:
    """Our logs instead of Celery's own."""
    signals.setup_logging.connect(_configure, weak=False)
    signals.celeryd_init.connect(check_start, weak=False)
    signals.beat_init.connect(say_ready, weak=False)
