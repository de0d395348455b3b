"""The Celery application with failpoints and planted bugs: ``celery -A tests.faults.tasks``."""

import os

from tasks import app
from tests.faults.installing import HASTY, install

__all__ = ["app"]

install()
if seconds := os.environ.get(HASTY):
    app.conf.beat_max_loop_interval = float(seconds)
    app.conf.beat_schedule["dispatch-schedules"]["schedule"] = float(seconds)
