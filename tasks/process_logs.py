"""Logs and readiness of every Celery process: workers, beat, Flower."""

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


def check_redis(**_: object) -> None:
    """A worker begins: a Redis that would lose its mailboxes ends it with one line.

    Raises:
        WorkerShutdown: the server is refused.
    """
    try:
        with Redis.from_url(get_settings().require("redis_url"), socket_timeout=5, socket_connect_timeout=5) as redis:
            check_server(cast("dict[str, Any]", redis.info()))
    except RedisError:
        return  # it is away for now: Celery waits for it
    except InputError as error:
        print(f"botyard: {error}", file=sys.stderr)  # noqa: T201
        raise WorkerShutdown(1) from None


def check_secrets(**_: object) -> None:
    """A worker begins: keys that do not open what is stored end it with one line, before a single bot falls silent.

    Raises:
        WorkerShutdown: a key is missing.
    """
    from botyard.vault.key_use import check_keys  # noqa: PLC0415 - beat and Flower open nothing

    try:
        check_keys()
    except InputError as error:
        print(f"botyard: {error}", file=sys.stderr)  # noqa: T201
        raise WorkerShutdown(1) from None


def check_role(**_: object) -> None:
    """A worker begins: an application role that the policies would not hold ends it with one line.

    Raises:
        WorkerShutdown: the role is refused.
    """
    from db.roles import check_application_role  # noqa: PLC0415 - beat and Flower ask no database

    try:
        check_application_role()
    except InputError as error:
        print(f"botyard: {error}", file=sys.stderr)  # noqa: T201
        raise WorkerShutdown(1) from None


def say_ready(**_: object) -> None:
    """A supervisor that waits for this process is told by a file."""
    if told := os.environ.get("BOTYARD_READY_FILE"):
        Path(told).touch()


def connect_logs() -> None:
    """Our logs instead of Celery's own."""
    signals.setup_logging.connect(_configure, weak=False)
    signals.celeryd_init.connect(check_redis, weak=False)
    signals.celeryd_init.connect(check_secrets, weak=False)
    signals.celeryd_init.connect(check_role, weak=False)
    signals.beat_init.connect(say_ready, weak=False)
