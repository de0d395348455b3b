"""Queue ``outbound``: a ticket says that a bot has messages to send."""

from botyard.mailbox.protocol import DELIVER
from tasks import app
from tasks.base import YardTask
from tasks.processes import worker_process


@app.task(name=DELIVER, base=YardTask, bind=True)
def deliver(self: YardTask, bot_id: int) -> None:
    """Work one time slice of the outbox of this bot row."""
    worker_process().deliver(bot_id, self.ticket_id(), self.stamp())
