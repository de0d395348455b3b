"""``/api/messages``: what the bot manager knows, and its sync with the database."""

from dataclasses import asdict
from typing import cast

from fastapi import APIRouter, Request

from botyard.manager import BotManager
from botyard.web.api.rights import Need, SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time

router = APIRouter(prefix="/messages", route_class=Route)


class SyncStats(Shown):
    """How many bots there are after a sync."""

    total: int
    active: int
    error: int
    method: str


class Synced(Shown):
    """What a sync answers."""

    message: str
    stats: SyncStats
    synced_at: Time


class ManagerStats(Shown):
    """How many bots are how."""

    total: int
    active: int
    inactive: int
    error: int
    is_watching: bool
    method: str


class Stats(Shown):
    """What the manager knows."""

    stats: ManagerStats


@router.post("/bot-manager-sync")
@needs(Need.SUPERADMIN)
def sync(request: Request) -> Synced:
    """Compare with the database now what is otherwise compared every five minutes."""
    manager = _manager(request)
    result = manager.sync_with_database()
    counted = manager.stats()
    stats = SyncStats(total=counted.total, active=counted.active, error=counted.error, method=counted.method)
    return Synced(message="Bot manager synchronized with database", stats=stats, synced_at=result.synced_at)


@router.get("/bot-manager-stats")
@needs(Need.SIGNED_IN)
def stats(request: Request, actor: SignedIn) -> Stats:
    """How many of your bots are how; of all bots for a superadmin."""
    counted = _manager(request).stats(None if actor.superadmin else actor.customers)
    return Stats(stats=ManagerStats(**asdict(counted)))


def _manager(request: Request) -> BotManager:
    return cast("BotManager", request.app.state.manager)
