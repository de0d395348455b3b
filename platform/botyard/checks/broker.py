"""RabbitMQ, where it carries Celery's messages, as `botyard doctor` looks at it."""

from kombu.exceptions import OperationalError

from botyard.checks.finding import Finding
from botyard.errors import InputError
from botyard.mailbox.broker import rabbitmq_version
from botyard.settings import Settings


def broker_findings(settings: Settings) -> list[Finding]:
    """Whether RabbitMQ can be reached; nothing where Redis carries Celery's messages."""
    if settings.broker_url is None:
        return []
    try:
        version = rabbitmq_version(settings)
    except InputError as error:
        return [Finding("RabbitMQ", "trouble", f"{error.field} {error.problem}", error.remedy)]
    except OperationalError as error:
        says = f"It cannot be reached ({type(error.__cause__ or error).__name__}): updates are accepted, and wait."
        return [Finding("RabbitMQ", "trouble", says, "Is it running, is BROKER_URL right?")]
    return [Finding("RabbitMQ", "ok", f"Version {version} answers.")]
