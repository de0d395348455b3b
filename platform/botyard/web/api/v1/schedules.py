"""``/api/v1/bots/{bot}/schedules``: messages that a bot sends by itself."""

from typing import Any, Final

from fastapi import APIRouter, Response

from botyard.accounts.access import Actor, NotFound, bot_for, tenant_session
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.schedules import storing
from botyard.web.api.ids import BotId, ScheduleId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.v1.schedule_shapes import Moments, RunShown, ScheduleGiven, ScheduleShown
from botyard.web.api.versions import Expected, tagged
from db.models import Bot, ScheduleRun

router = APIRouter(prefix="/bots/{bot}/schedules", route_class=Route, tags=["schedules"])

_DONE: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "It is gone."}}


def _again(actor: Actor, bot: int, schedule: int) -> ScheduleShown:
    return _shown(bot_for(actor, bot, needs=Role.OPERATOR), schedule)[1]


def _run_again(actor: Actor, bot: int, schedule: int, run: int) -> RunShown:
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        row = session.get(ScheduleRun, run)
    if row is None or row.schedule_id != schedule:
        raise NotFound
    return RunShown.of(storing.Ran(row, {}))


@router.get("")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def list_schedules(actor: SignedIn, bot: BotId, asked: PageAsked) -> Page[ScheduleShown]:
    """What a bot sends by itself, in the order in which it was made."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(int)
    with tenant_session(found.customer_id) as session:
        rows = storing.schedules(session, found.id, after[0] if after else 0, asked.limit + 1)
        shown = [ScheduleShown.of(found, row) for row in rows[: asked.limit]]
    following = (rows[asked.limit - 1].id,) if len(rows) > asked.limit else None
    return Page.of(asked, shown, following)


@router.post("", status_code=201)
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
@creates(_again)
def make_schedule(actor: SignedIn, bot: BotId, given: ScheduleGiven, response: Response) -> ScheduleShown:
    """Let a bot send something by itself, from now on. `POST …/preview` shows the moments before that."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        number = storing.make(session, found, given.plan(found.id)).id
    response.headers["Location"] = f"/api/v1/bots/bot_{found.id}/schedules/sch_{number}"
    version, shown = _shown(found, number)
    return tagged(response, version, shown)


@router.post("/preview")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def preview_schedule(actor: SignedIn, bot: BotId, given: ScheduleGiven) -> Moments:
    """The next five moments of a schedule that is not made yet; nothing is kept of this."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    return Moments(moments=storing.preview(found, given.plan(found.id)))


@router.get("/{schedule}")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def show_schedule(actor: SignedIn, bot: BotId, schedule: ScheduleId, response: Response) -> ScheduleShown:
    """One of them, with its next five moments."""
    return tagged(response, *_shown(bot_for(actor, bot, needs=Role.VIEWER), schedule))


@router.put("/{schedule}")
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
def change_schedule(
    actor: SignedIn, bot: BotId, schedule: ScheduleId, given: ScheduleGiven, expected: Expected, response: Response
) -> ScheduleShown:
    """Let it be another one. Its moments begin anew; whoever was written to for a moment is not written to again."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    plan = given.plan(found.id)
    with tenant_session(found.customer_id) as session:
        row = storing.schedule_of(session, found.id, schedule, expected, to_change=True)
        if row is None:
            raise NotFound
        storing.change(session, found, row, plan)
    return tagged(response, *_shown(found, schedule))


@router.delete("/{schedule}", status_code=204, responses=_DONE)
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
def remove_schedule(actor: SignedIn, bot: BotId, schedule: ScheduleId, expected: Expected) -> None:
    """Forget it and what became of it; what it has not sent yet is taken back."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        row = storing.schedule_of(session, found.id, schedule, expected, to_change=True)
        if row is None:
            raise NotFound
        storing.remove(session, found, row)


@router.post("/{schedule}/pause")
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
def pause_schedule(actor: SignedIn, bot: BotId, schedule: ScheduleId, response: Response) -> ScheduleShown:
    """Send nothing more of it, also of what waits in the outbox already."""
    return _switch(actor, bot, schedule, response, enabled=False)


@router.post("/{schedule}/resume")
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
def resume_schedule(actor: SignedIn, bot: BotId, schedule: ScheduleId, response: Response) -> ScheduleShown:
    """Let it go on from now: what fell between is not sent."""
    return _switch(actor, bot, schedule, response, enabled=True)


@router.post("/{schedule}/run", status_code=202)
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
@creates(_run_again, status=202)
def run_schedule(actor: SignedIn, bot: BotId, schedule: ScheduleId) -> RunShown:
    """Send it once, now, to all whom it is for; its own moments stay as they are."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        row = storing.schedule_of(session, found.id, schedule)
        if row is None:
            raise NotFound
        run = storing.run_now(session, found, row)
        return RunShown.of(storing.Ran(run, {}))


@router.get("/{schedule}/runs")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def list_runs(actor: SignedIn, bot: BotId, schedule: ScheduleId, asked: PageAsked) -> Page[RunShown]:
    """What became of its moments, the latest first."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(int)
    with tenant_session(found.customer_id) as session:
        if storing.schedule_of(session, found.id, schedule) is None:
            raise NotFound
        ran = storing.runs(session, schedule, after[0] if after else None, asked.limit + 1)
        shown = [RunShown.of(one) for one in ran[: asked.limit]]
    following = (ran[asked.limit - 1].run.id,) if len(ran) > asked.limit else None
    return Page.of(asked, shown, following)


def _switch(actor: Actor, bot: int, schedule: int, response: Response, *, enabled: bool) -> ScheduleShown:
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        row = storing.schedule_of(session, found.id, schedule, to_change=True)
        if row is None:
            raise NotFound
        storing.switch(session, found, row, enabled=enabled)
    return tagged(response, *_shown(found, schedule))


def _shown(bot: Bot, schedule: int) -> tuple[int, ScheduleShown]:
    with tenant_session(bot.customer_id) as session:
        row = storing.schedule_of(session, bot.id, schedule)
        if row is None:
            raise NotFound
        return row.version, ScheduleShown.of(bot, row)
