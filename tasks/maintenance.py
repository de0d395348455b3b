"""Queue ``maintenance``: what beat ticks for. Running one of these twice is safe."""

import structlog

from botyard.bots.connection.adding import CONNECT_BOT
from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.connecting import connect_bot as connect
from botyard.bots.health.checking import checker
from botyard.errors import InputError
from botyard.settings import get_settings
from botyard.telegram.request import AiohttpRequest
from tasks import app
from tasks.base import YardTask
from tasks.processes import worker_process

log = structlog.get_logger(__name__)


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
    """Find what nobody was told of: changes by raw SQL, and those whose notification was lost."""
    worker_process().manager.sync_with_database()


@app.task(name="botyard.check_bots", base=YardTask, acks_late=False)
def check_bots() -> None:
    """Look after the bots whose turn it is."""
    worker_process().loop.run(_check_due)


@app.task(name="botyard.check_bot", base=YardTask, acks_late=False)
def check_bot(bot_id: int) -> None:
    """Look after one bot now; what was found stands in its health."""
    worker_process().loop.run(lambda: _check(bot_id))


@app.task(name=CONNECT_BOT, base=YardTask, acks_late=False)
def connect_bot(bot_id: int) -> None:
    """Connect a bot that was registered, switched on or off, or given another token; its health says how it went."""
    worker_process().loop.run(lambda: _connect(bot_id))


async def _check_due() -> None:
    async with checker(get_settings()) as checks:
        found = await checks.check_due()
    if found is not None and (found.later or found.away):
        log.info("checks_put_off", later=found.later, away=sorted(found.away), checked=dict(found.checked))


async def _check(bot_id: int) -> None:
    try:
        async with checker(get_settings()) as checks:
            await checks.check(bot_id)
    except InputError as error:
        log.warning("bot_not_checked", bot=bot_id, error=str(error))


async def _connect(bot_id: int) -> None:
    settings = get_settings()
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        await connect(bot_id, request, settings)
    except (InputError, Unreachable) as error:
        log.warning("bot_not_connected", bot=bot_id, error=str(error))
    finally:
        await request.close()
