"""Structured logs: a constant event name, facts as key-values, ids not objects. See docs/watching.md."""

import logging
import sys
from typing import Final

import structlog
from structlog.types import EventDict, Processor

from botyard.settings import Settings
from botyard.telemetry.redaction import redact

# Libraries that write an address, and with it a token, at INFO.
_QUIET: Final = ("httpx", "httpcore", "telegram", "aiohttp")
# Celery says "received" and "succeeded" of every ticket.
_CHATTY: Final = ("celery.worker.strategy", "celery.app.trace", "celery.beat", "celery.worker.consumer.connection")
# A logger is built once in a process; one that was built follows no later configuration.
_LOGGERS_STAY = True


class _RedactedFormatter(structlog.stdlib.ProcessorFormatter):
    """The last look: whatever was rendered by ``repr``, and every traceback, passes here as text."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _traceback_below(_: object, __: str, event: EventDict) -> EventDict:
    """For people a handler's traceback stands below its line, as every other one does."""
    if traceback := event.pop("traceback", None):
        event["exception"] = traceback.rstrip()
    return event


def configure_logs(settings: Settings, process: str) -> None:
    """Send every log of this process, ours and the libraries', through one redacting renderer to stderr.

    Args:
        settings: level and format.
        process: which process type speaks, as in the Procfile.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        shared.append(_traceback_below)
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=_LOGGERS_STAY,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _RedactedFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in (*_QUIET, *_CHATTY):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)
