"""Every dependency and setting looked at, whatever of it is broken. See docs/commands.md."""

from collections.abc import Callable

from botyard.checks.broker import broker_findings
from botyard.checks.finding import Check, Finding, look_at_all
from botyard.checks.keys import key_findings
from botyard.checks.machine import python_findings, readable_settings, state_findings, supervised_findings
from botyard.checks.servers import api_findings, postgres_findings, redis_findings
from botyard.checks.workers import worker_findings
from botyard.mailbox.broker import broker_name
from botyard.settings import Settings

_QUEUES = {"updates", "slow", "outbound", "maintenance"}


def examine(attach: Callable[[Settings], object]) -> list[Finding]:
    """What is wrong with this installation, in the order in which to mend it; a few seconds at most.

    Args:
        attach: completes the settings with those of an installation that runs in this folder.
    """
    named, settings_findings = readable_settings()
    found = [*python_findings(), *settings_findings]
    if named is None:
        says = "Nothing else was looked at: the settings contradict each other."
        return [*found, Finding("settings", "trouble", says, "Correct them first.")]
    attach(named)
    settings = readable_settings()[0] or named
    return [*found, *look_at_all(_checks(settings, elsewhere=named.database_url is not None))]


def _checks(settings: Settings, *, elsewhere: bool) -> list[tuple[str, Check, str]]:
    state = settings.state_dir.absolute()
    broken = "Mend what else is wrong first."
    checks: list[tuple[str, Check, str]] = [
        ("state folder", lambda: state_findings(state), broken),
        ("processes", lambda: supervised_findings(state, elsewhere=elsewhere), broken),
        ("PostgreSQL", lambda: postgres_findings(settings), "Is its host right in DATABASE_URL?"),
        ("SECRET_KEY", lambda: key_findings(settings), broken),
        ("Redis", lambda: redis_findings(settings), "Is its host right in REDIS_URL?"),
        ("RabbitMQ", lambda: broker_findings(settings), "Is its host right in BROKER_URL?"),
        ("Bot API", lambda: api_findings(settings), "Look at this machine's connection and name server."),
    ]
    if settings.redis_url is not None:
        checks.append(("workers", lambda: worker_findings(_QUEUES), f"Mend {broker_name(settings)} first."))
    return checks
