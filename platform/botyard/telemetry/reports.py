"""Error reports to Sentry, if ``SENTRY_DSN`` is set; secrets are masked first. See docs/watching.md."""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from botyard import __version__
from botyard.settings import Settings
from botyard.telemetry.redaction import redact_tree


def _scrub(event: Any, _: dict[str, Any]) -> Any:
    return redact_tree(event)


def configure_reports(settings: Settings, process: str) -> None:
    """Report unhandled errors, and what is logged as an error, with ids and without contents.

    Raises:
        InputError: SENTRY_DSN is not set.
    """
    sentry_sdk.init(
        dsn=settings.require("sentry_dsn"),
        environment=settings.environment,
        release=f"botyard@{__version__}",
        integrations=[CeleryIntegration(), LoggingIntegration()],
        send_default_pii=False,
        # Local variables hold updates and tokens.
        include_local_variables=False,
        max_request_body_size="never",
        before_send=_scrub,
        before_breadcrumb=_scrub,
    )
    sentry_sdk.set_tag("process", process)
