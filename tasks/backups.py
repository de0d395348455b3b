"""Queue ``maintenance``: the night's backup. Running one of these twice is safe."""

from datetime import UTC, datetime

from botyard.backups import nightly
from botyard.mailbox.server import redis_of
from botyard.settings import get_settings
from tasks import app
from tasks.base import YardTask

_SECONDS = 6 * 3600


@app.task(name="botyard.back_up", base=YardTask, acks_late=False, soft_time_limit=_SECONDS, time_limit=_SECONDS + 60)
def back_up() -> None:
    """Make the backup of the night, if its time has come and nobody else makes it."""
    settings = get_settings()
    number = nightly.claim(settings, datetime.now(UTC))
    if number is not None:
        with redis_of(settings) as redis:
            nightly.carry_out(settings, redis, number)
