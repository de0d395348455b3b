"""Whether it lives, whether it can work, and its figures. See docs/watching.md."""

import asyncio
import hmac
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from botyard.backups.age import Age, age
from botyard.errors import InputError
from botyard.mailbox.broker import rabbitmq_version
from botyard.settings import get_settings
from botyard.sync import get_sync
from botyard.telegram.run import Lane
from botyard.telemetry import metrics
from db.engine import get_engine

router = APIRouter()

_BOTS_LOOKED_AT: Final = 1000
_LOOK_SECONDS: Final = 60.0
_OUTBOX = """
SELECT lane, CASE state WHEN 'queued' THEN CASE WHEN due > now() THEN 'permit' ELSE 'turn' END
                        WHEN 'retry' THEN 'trouble' ELSE 'sending' END,
       count(*), extract(epoch FROM clock_timestamp() - min(created_at)) FROM outbox
 WHERE state IN ('queued', 'retry', 'sending') GROUP BY 1, 2
"""
_CAUSES: Final = ("turn", "permit", "trouble", "sending")


@router.get("/health")
async def health() -> dict[str, Any]:
    """The process lives; and how old the last proven backup is, as far as that was known a minute ago at most."""
    found = await asyncio.get_running_loop().run_in_executor(None, _BACKUPS.look)
    seconds = None if found is None or found.snapshot_at is None else round(time.time() - found.snapshot_at.timestamp())
    return {
        "status": "ok",
        "backup": {"verifiedAgeSeconds": seconds, "ok": found is not None and found.trouble is None},
    }


@router.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """What it depends on can be reached; 503 when something cannot. States only, no details for strangers."""
    states = {"redis": await _redis_state(request.app.state.redis)}
    states |= await asyncio.get_running_loop().run_in_executor(None, _database_states)
    if set(states.values()) != {"ok"}:
        response.status_code = 503
    # Who hears nobody works all the same, on what it reads anew every few seconds; and without RabbitMQ updates are
    # accepted all the same, and wait in their mailboxes.
    states |= await asyncio.get_running_loop().run_in_executor(None, _broker_states)
    return {**states, "sync": "ok" if get_sync().is_watching else "alone"}


class _Backups:
    """How old the last proven backup is: asked for once a minute at most, however many look."""

    def __init__(self) -> None:
        self._asked = -_LOOK_SECONDS
        self._found: Age | None = None

    def look(self) -> Age | None:
        """What is known; nothing while the database is away."""
        now = time.monotonic()
        if now >= self._asked + _LOOK_SECONDS:
            self._asked = now
            try:
                self._found = age()
            except SQLAlchemyError:
                self._found = None
        return self._found


_BACKUPS: Final = _Backups()


async def _redis_state(redis: "Redis") -> str:
    try:
        await redis.ping()
    except RedisError:
        return "unreachable"
    return "ok"


def _broker_states() -> dict[str, str]:
    if get_settings().broker_url is None:
        return {}
    try:
        rabbitmq_version(get_settings())
    except (OperationalError, InputError):
        return {"broker": "unreachable"}
    return {"broker": "ok"}


def _database_states() -> dict[str, str]:
    try:
        with get_engine("system").connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except SQLAlchemyError:
        return {"database": "unreachable", "migrations": "unknown"}
    return {"database": "ok", "migrations": "ok" if found else "missing"}


@router.get("/metrics")
async def show_metrics(request: Request) -> Response:
    """Everything that is counted, for Prometheus: to this machine, or with the bearer token of METRICS_TOKEN."""
    _check_reader(request)
    redis = request.app.state.redis
    try:
        stored = await redis.hgetall(metrics.HASH)
        found = [*metrics.families(stored), *await _mailbox_gauges(redis), *await _closed_gauges(redis)]
        found += await asyncio.get_running_loop().run_in_executor(None, _database_gauges)
    except (RedisError, SQLAlchemyError) as error:
        raise HTTPException(503, "what is counted cannot be read now") from error
    registry = CollectorRegistry()
    registry.register(_Once(found))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Once:
    """A collector of families that are at hand."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """The families."""
        return iter(self._found)


def _check_reader(request: Request) -> None:
    token = get_settings().metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return
    elif request.client is not None and ip_address(request.client.host).is_loopback:
        return
    raise HTTPException(404)


def _database_gauges() -> list[Metric]:
    return [*_outbox_gauges(), *_backup_gauges()]


def _backup_gauges() -> list[Metric]:
    found = age()
    ok = GaugeMetricFamily("backup_ok", "0 while the latest backup is not proven", value=float(found.trouble is None))
    if found.snapshot_at is None:
        return [ok]
    seconds = time.time() - found.snapshot_at.timestamp()
    return [ok, GaugeMetricFamily("backup_verified_age_seconds", "Age of the last proven backup", value=seconds)]


async def _mailbox_gauges(redis: "Redis") -> list[Metric]:
    depth = GaugeMetricFamily("mailbox_updates", "Updates accepted and not yet processed", labels=["bot"])
    age = GaugeMetricFamily("mailbox_oldest_seconds", "Age of the oldest such update", labels=["bot"])
    bots: list[Any] = await redis.zrange("by:bots", 0, _BOTS_LOOKED_AT - 1)
    for bot in (raw.decode() for raw in bots):
        waiting: list[Any] = await redis.zrange(f"by:chats:{bot}", 0, 99)
        chats = [chat.decode() for chat in waiting]
        pipe: Any = redis.pipeline(transaction=False)
        pipe.hget(f"by:bot:{bot}", "held")
        for chat in chats:
            pipe.lindex(f"by:box:{bot}:{chat}", 0)
        held, *heads = await pipe.execute()
        stamps = [int(head.split(b" ", 2)[1]) / 1000 for head in heads if head]
        depth.add_metric([bot], float(held or 0))
        age.add_metric([bot], max(0.0, time.time() - min(stamps)) if stamps else 0.0)
    return [depth, age]


async def _closed_gauges(redis: "Redis") -> list[Metric]:
    """What Telegram closed with 429; for each bot the second at which the last of it opens."""
    chats = GaugeMetricFamily("closed_chats", "Chats that Telegram closed with 429", labels=["bot"])
    whole = GaugeMetricFamily("bot_closed", "1 while Telegram has closed the whole bot", labels=["bot"])
    opens = GaugeMetricFamily("closed_opens_timestamp_seconds", "When the last of them opens", labels=["bot"])
    now = time.time() * 1000
    bots: list[Any] = await redis.zrangebyscore("by:shut", now, "+inf", withscores=True, start=0, num=_BOTS_LOOKED_AT)
    for bot, until in ((raw.decode(), score) for raw, score in bots):
        key = f"by:shut:{bot}"
        itself = float(await redis.zscore(key, "") or 0)
        whole.add_metric([bot], float(itself > now))
        chats.add_metric([bot], await redis.zcount(key, now, "+inf") - (itself > now))
        opens.add_metric([bot], until / 1000)
    return [chats, whole, opens]


def _outbox_gauges() -> list[Metric]:
    rows = GaugeMetricFamily("outbox_rows", "Calls of the Bot API still to be made", labels=["lane", "waits_for"])
    age = GaugeMetricFamily("outbox_oldest_seconds", "Age of the oldest of them", labels=["lane"])
    with get_engine("system").connect() as connection:
        found = {(lane, cause): (count, seconds) for lane, cause, count, seconds in connection.exec_driver_sql(_OUTBOX)}
    for lane in Lane:
        waiting = [found.get((int(lane), cause), (0, 0)) for cause in _CAUSES]
        for cause, (count, _) in zip(_CAUSES, waiting, strict=True):
            rows.add_metric([lane.name.lower(), cause], count)
        age.add_metric([lane.name.lower()], max(float(seconds) for _, seconds in waiting))
    return [rows, age]
