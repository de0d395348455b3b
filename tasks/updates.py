"""Queues ``updates`` and ``slow``: a ticket says that a bot has updates waiting."""

from botyard.mailbox.protocol import PROCESS_UPDATES
from tasks import app
from tasks.base import YardTask
from tasks.processes import worker_process


@app.task(name=PROCESS_UPDATES, base=YardTask, bind=True)
def process_updates(self: YardTask, telegram_id: int) -> None:
    """Work one time slice of the updates of this Telegram bot id."""
    worker_process().process_updates(telegram_id, self.ticket_id(), self.stamp(), self.came_through())
