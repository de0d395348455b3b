"""The Celery application: ``celery -A tasks worker``. Tasks decide nothing; see docs/processing.md."""

from celery import Celery

import tasks.processes as _processes

app = Celery("botyard", include=["tasks.updates", "tasks.outbound", "tasks.maintenance"])
app.config_from_object("celeryconfig")
_processes.connect_signals()
