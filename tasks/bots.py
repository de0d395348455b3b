"""What somebody wants to know of a bot, or of its connection, and what needs its token or its code: as operations.

Each is short, and whoever asked waits for it. Doing one twice is safe.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final, TypeVar

from botyard.bots import errands
from botyard.bots.configuration import configuring
from botyard.bots.configuration.configuring import ConfigurationConflict, Configured, configuration_of
from botyard.bots.connection import connecting
from botyard.bots.connection.steps import Step
from botyard.bots.health.checking import checker
from botyard.checks.silence import why_silent
from botyard.errors import InputError, PermanentError, Stale, TransientError
from botyard.operations import Runner, Work
from botyard.settings import get_settings
from botyard.telegram.kind_shapes import KindShape
from botyard.telegram.loading import find_shape
from botyard.telegram.request import AiohttpRequest

T = TypeVar("T")
Ask = Callable[[Work], dict[str, Any]]


class NotNow(PermanentError):
    """It cannot be done now, and nobody tries again: whoever asked is told so."""


def _told(ask: Ask) -> Runner:
    """What went wrong is told in parts, too, for the program that waits for the answer."""

    def run(work: Work) -> dict[str, Any]:
        try:
            return ask(work)
        except Stale as error:
            work.report = {"stale": error.version}
            raise
        except InputError as error:
            work.report = {"refused": {"field": error.field, "problem": error.problem, "remedy": error.remedy}}
            raise
        except TransientError as error:
            work.report = {"away": {"says": str(error), "retryAfter": error.retry_after}}
            raise NotNow(str(error)) from None

    return Runner(run, whole=True)


def _why(work: Work) -> dict[str, Any]:
    return {"findings": [asdict(finding) for finding in why_silent(_name(work), get_settings())]}


def _check(work: Work) -> dict[str, Any]:
    async def check() -> dict[str, Any]:
        async with checker(get_settings()) as checks:
            return asdict((await checks.check(_number(work))).step)

    return {"steps": [asyncio.run(check())]}


def _reclaim(work: Work) -> dict[str, Any]:
    steps: list[Step] = []

    async def reclaim(request: AiohttpRequest) -> None:
        await connecting.connect_bot(_number(work), request, get_settings(), steps.append, take_over=True)

    _calling(reclaim)
    return {"steps": [asdict(step) for step in steps]}


def _rotate_secret(work: Work) -> dict[str, Any]:
    until = _calling(lambda request: connecting.rotate_secret(_number(work), request, get_settings()))
    return {"until": until.isoformat()}


def _configure(work: Work) -> dict[str, Any]:
    wanted, name = work.request, _name(work)
    terms: dict[str, Any] = {"shape": _shape(name), "expected": wanted.get("expected"), "note": wanted.get("note")}
    try:
        done = _configured(name, wanted, terms)
    except ConfigurationConflict as error:
        if error.field != "expected":
            raise
        raise Stale(configuration_of(name).number) from None
    return {"number": done.number}


def _configured(name: str, wanted: dict[str, Any], terms: dict[str, Any]) -> Configured:
    if "number" in wanted:
        return configuring.roll_back(name, int(wanted["number"]), **terms)
    if "patch" in wanted:
        return configuring.merge(name, wanted["patch"], **terms)
    return configuring.replace(name, wanted["configuration"], **terms)


def _schema(work: Work) -> dict[str, Any]:
    shape = _shape(_name(work))
    return {"kind": shape.kind, "takes": list(shape.wants), "settings": shape.schema()}


def _shape(name: str) -> KindShape:
    return find_shape(configuration_of(name).kind)


def _number(work: Work) -> int:
    if work.bot_id is None:
        raise InputError("bot", "is not said.")
    return work.bot_id


def _name(work: Work) -> str:
    return str(_number(work))


def _calling(work: Callable[[AiohttpRequest], Awaitable[T]]) -> T:
    async def called() -> T:
        request = AiohttpRequest(get_settings().api_timeout_seconds)
        try:
            return await work(request)
        finally:
            await request.close()

    return asyncio.run(called())


RUNNERS: Final[dict[str, Runner]] = {
    errands.WHY: _told(_why),
    errands.CHECK: _told(_check),
    errands.RECLAIM: _told(_reclaim),
    errands.ROTATE_SECRET: _told(_rotate_secret),
    errands.CONFIGURE: _told(_configure),
    errands.SCHEMA: _told(_schema),
}
"""What does the operations of each of these kinds."""
