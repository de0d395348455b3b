"""Celery's broker: which it is, and whether it can be reached. See docs/running.md."""

from typing import Final

from kombu import Connection
from kombu.exceptions import OperationalError

from botyard.errors import InputError
from botyard.settings import Settings

_SECONDS: Final = 2
# https://www.rabbitmq.com/amqp-0-9-1-reference.html#constants: access refused, no such virtual host
_REFUSED: Final = (403, 530)


def broker_name(settings: Settings) -> str:
    """Who carries Celery's messages, as people call it."""
    return "Redis" if settings.broker_url is None else "RabbitMQ"


def rabbitmq_version(settings: Settings) -> str:
    """Connect to RabbitMQ and leave again, within some seconds; which version it is.

    Raises:
        OperationalError: it is away, or hangs.
        InputError: it refuses the name, the password or the virtual host of ``BROKER_URL``, or none is set.
    """
    with Connection(settings.require("broker_url"), connect_timeout=_SECONDS) as connection:
        try:
            connection.ensure_connection(max_retries=0, timeout=_SECONDS)
        except OperationalError:
            raise
        except Exception as error:  # whatever AMQP itself refuses; its client is loaded only where RabbitMQ is used
            if getattr(error, "reply_code", None) not in _REFUSED:
                raise OperationalError(type(error).__name__) from error
            raise InputError(
                "BROKER_URL", "is refused by RabbitMQ.", "Are its name, password and virtual host right?"
            ) from None
        return str(connection.connection.server_properties.get("version", "of unknown version"))
