"""Logs and readiness of every Celery process: workers, beat, Flower."""

import os
import sys
from pathlib import Path

from celery import signals

from botyard.settings import get_settings
from botyard.telemetry.logs import configure_logs


def _configure(**_: object) -> None:
    settings = get_settings()
    process = next((word for word in sys.argv if word in ("worker", "beat", "flower")), "celery")
    configure_logs(settings, process)
    if settings.sentry_dsn is not None:
        from botyard.telemetry.reports import configure_reports  # noqa: PLC0415 - heavy, and rarely set

        configure_reports(settings, process)


def say_ready(**_: object) -> None:
    """A supervisor that waits for this process is told by a file."""
    if told := os.environ.get("BOTYARD_READY_FILE"):
        Path(told).touch()


def connect_logs() -> None:
    """Our logs instead of Celery's own."""
    signals.setup_logging.connect(_configure, weak=False)
    signals.beat_init.connect(say_ready, weak=False)
