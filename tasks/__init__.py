"""The Celery application: ``celery -A tasks worker``. Tasks decide nothing; see docs/processing.md."""

from functools import cached_property
from typing import Any

from celery import signals

from botyard.garbage import look_seldom
from botyard.mailbox.tickets import YardCelery
from botyard.processor import interrupt_nobody
from tasks.process_logs import connect_logs


class _Yard(YardCelery):
    """With workers of our own, which only a worker loads."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        from tasks.leaving import YardWorker  # noqa: PLC0415

        return self.subclass_with_self(YardWorker, name="Worker")


app = _Yard("botyard")
app.config_from_object("celeryconfig")
connect_logs()


@signals.celeryd_init.connect(weak=False)
def load_tasks(**_: object) -> None:
    """A worker is being made: only workers need the tasks' bodies, and with them the bots; beat and Flower do not."""
    look_seldom()
    interrupt_nobody()
    import tasks.backups  # noqa: PLC0415
    import tasks.customers  # noqa: PLC0415
    import tasks.endpoints  # noqa: PLC0415
    import tasks.maintenance  # noqa: PLC0415
    import tasks.operations  # noqa: PLC0415
    import tasks.outbound  # noqa: PLC0415
    import tasks.schedules  # noqa: PLC0415
    import tasks.updates  # noqa: F401, PLC0415
    from tasks.processes import connect_processes  # noqa: PLC0415

    connect_processes()
