"""Queue ``maintenance``: what beat ticks for. Running one of these twice is safe."""

from botyard.bots.routing import publish_all
from tasks import app
from tasks.base import YardTask
from tasks.processes import worker_process


@app.task(name="botyard.repair", base=YardTask, acks_late=False)
def repair() -> None:
    """Issue every ticket that was lost."""
    worker_process().repair()


@app.task(name="botyard.prune", base=YardTask, acks_late=False)
def prune() -> None:
    """Forget what only served to recognise repetitions."""
    worker_process().prune()


@app.task(name="botyard.sync_bots", base=YardTask, acks_late=False)
def sync_bots() -> None:
    """Tell the mailboxes again how each bot is routed."""
    publish_all(worker_process().redis)
