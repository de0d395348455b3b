"""The Celery application with failpoints and planted bugs: ``celery -A tests.faults.tasks``."""

from tasks import app
from tests.faults.installing import install

__all__ = ["app"]

install()
