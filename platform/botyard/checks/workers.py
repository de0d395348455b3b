"""Which workers are alive, as they say themselves."""

from typing import Any, Final

from botyard.checks.finding import Finding
from botyard.mailbox.tickets import celery_producer

_ANSWER_SECONDS: Final = 1.0
_QUEUES: Final = {
    "updates": "updates of quick bots",
    "slow": "updates of all other bots",
    "outbound": "what bots send",
    "maintenance": "the repair of mailboxes",
}


def queues_served() -> dict[str, list[str]]:
    """The workers behind each queue, asked through Celery; takes about a second.

    Raises:
        redis.RedisError, kombu.exceptions.OperationalError: the broker cannot be reached.
    """
    app = celery_producer()
    # One try: how often Celery itself tries again is meant for processes that may wait.
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        answered: Any = app.control.inspect(timeout=_ANSWER_SECONDS, connection=connection).active_queues()
    served: dict[str, list[str]] = {}
    for worker, queues in (answered or {}).items():
        for queue in queues:
            served.setdefault(queue["name"], []).append(worker)
    return served


def worker_findings(wanted: set[str]) -> list[Finding]:
    """Whether these queues are served."""
    served = queues_served()
    remedy = "Start it with `botyard run`, or start the worker processes of the Procfile; see `botyard logs`."
    if not served:
        return [Finding("workers", "trouble", "No worker answers.", remedy)]
    found = [
        Finding("workers", "trouble", f"No worker serves the queue {queue}: {_QUEUES[queue]} wait.", remedy)
        for queue in _QUEUES
        if queue in wanted and queue not in served
    ]
    count = len({worker for workers in served.values() for worker in workers})
    words = "1 worker answers" if count == 1 else f"{count} workers answer"
    return found or [Finding("workers", "ok", f"{words}, and every queue that is needed is served.")]
