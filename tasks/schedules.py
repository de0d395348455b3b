"""Queue ``maintenance``: messages that bots send by themselves. Running one of these twice is safe."""

from botyard.schedules import dispatching
from botyard.schedules.planning import AutonomousManager
from tasks import app
from tasks.base import YardTask
from tasks.processes import worker_process

_SECONDS = 5.0


@app.task(name="botyard.dispatch_schedules", base=YardTask, acks_late=False)
def dispatch_schedules() -> None:
    """Make runs of the moments that have come."""
    dispatching.dispatch()


@app.task(name=dispatching.RUN_SCHEDULES, base=YardTask, acks_late=False)
def run_schedules() -> None:
    """Put messages into the outbox for one time slice; what is left goes on behind what waits meanwhile."""
    bots, more = AutonomousManager().work(_SECONDS)
    worker_process().wake_senders(bots)
    if more:
        dispatching.ask()


@app.task(name="botyard.learn_time_zones", base=YardTask, acks_late=False)
def learn_time_zones() -> None:
    """Look for time zones of people that schedules do not know yet."""
    AutonomousManager().learn_zones()
