"""How an installation is, for those who look at it from elsewhere. Opens nothing, so the web process may ask."""

from sqlalchemy import func, select

from botyard.checks.broker import broker_findings
from botyard.checks.finding import Check, Finding, look_at_all
from botyard.checks.servers import postgres_findings, redis_findings
from botyard.checks.workers import worker_findings
from botyard.mailbox.broker import broker_name
from botyard.settings import Settings
from db.engine import get_sessions
from db.models import Bot, BotHealth

_QUEUES = {"updates", "slow", "outbound", "maintenance"}


def installation_findings(settings: Settings) -> list[Finding]:
    """What everything depends on, and how many bots have troubles; three seconds at most."""
    checks: list[tuple[str, Check, str]] = [
        ("PostgreSQL", lambda: postgres_findings(settings), "Is it running?"),
        ("Redis", lambda: redis_findings(settings), "Is it running?"),
        ("RabbitMQ", lambda: broker_findings(settings), "Is it running?"),
        ("workers", lambda: worker_findings(_QUEUES), f"Is {broker_name(settings)} reachable?"),
        ("bots", _bot_findings, "Is PostgreSQL reachable?"),
    ]
    return look_at_all(checks)


def _bot_findings() -> list[Finding]:
    troubled = (Bot.status == "error") | (BotHealth.state == "trouble")
    query = select(func.count(), func.count().filter(troubled)).select_from(Bot)
    with get_sessions("system")() as session:
        total, wrong = session.execute(query.outerjoin(BotHealth, BotHealth.bot_id == Bot.id)).one()
    if not wrong:
        return [Finding("bots", "ok", f"None of {total} bots has a trouble.")]
    remedy = "See the list of bots, those with troubles first."
    return [Finding("bots", "warning", f"{wrong} of {total} bots have troubles.", remedy)]
