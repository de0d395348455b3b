"""Orders that steer the simulator: settings, clock, faults, what waits, the history."""

import random
from dataclasses import asdict, fields

from botyard.simulator.errors import ControlError
from botyard.simulator.faults import CHANGES, KINDS, Fault
from botyard.simulator.model import Json
from botyard.simulator.orders.naming import Order, the_bot
from botyard.simulator.params import Params
from botyard.simulator.settings import Settings
from botyard.simulator.simulator import Simulator

FASTEST = 1_000_000.0
"""Seconds that can pass in one second of the machine."""
LATEST = 253_402_300_799.0
"""The end of the year 9999 in epoch seconds: the last moment with a date that everything can show."""


def change_settings(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/settings``: change settings of one bot, or of all bots there are and will be."""
    world = simulator.world
    if params.has("seed"):
        world.random.seed(params.integer("seed"))
    if params.has("bot_id"):
        bot = the_bot(simulator, params)
        chosen = [world.bot_settings.setdefault(bot.id, Settings(**asdict(world.settings)))]
    else:
        chosen = [world.settings, *world.bot_settings.values()]
    for settings in chosen:
        for name in ("redeliver", "late", "late_seconds", "retry_scale"):
            setattr(settings, name, max(0.0, params.number(name, getattr(settings, name))))
        settings.flood = params.flag("flood", default=settings.flood)
    return asdict(chosen[0])


def show_settings(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/settings``: the settings for all, and those of bots that have their own."""
    own = {str(bot_id): asdict(settings) for bot_id, settings in simulator.world.bot_settings.items()}
    return asdict(simulator.world.settings) | {"bots": own}


def set_clock(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/clock``: set the time, move it, change its pace, or show the machine's again."""
    world, clock = simulator.world, simulator.world.clock
    speed = params.number("speed", clock.speed)
    if not 0 <= speed <= FASTEST:
        raise ControlError(400, f"speed must be from 0 to {FASTEST:.0f}")
    before, moment = clock.now(), _moment(simulator, params)
    if not 0 <= moment <= LATEST:
        raise ControlError(400, f"the clock shows moments from 0 to {LATEST:.0f}; choose another at, offset or advance")
    if params.flag("reset"):
        clock.reset()
    else:
        clock.set(at=moment, speed=speed)
    world.revision += 1
    if clock.now() < before:
        simulator.turn_back(before - clock.now())
    world.timers.run()
    return show_clock(simulator, params)


def _moment(simulator: Simulator, params: Params) -> float:
    """Return the moment in epoch seconds that an order sets the clock to."""
    clock = simulator.world.clock
    machine = clock.now() - clock.offset
    if params.flag("reset"):
        return machine
    if params.has("at"):
        return params.number("at", 0.0)
    if params.has("offset"):
        return machine + params.number("offset", 0.0)
    return clock.now() + params.number("advance", 0.0)


def show_clock(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/clock``: the simulator's time."""
    clock = simulator.world.clock
    return {"at": clock.now(), "offset": clock.offset, "speed": clock.speed}


def order_fault(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/faults``: let the Bot API fail, or end that."""
    kind = params.text("fault")
    bot_id = params.integer("bot_id", 0)
    if kind == "off":
        simulator.faults.off(bot_id)
        return show_faults(simulator, params)
    if kind not in KINDS:
        raise ControlError(400, f"fault must be one of {', '.join(KINDS)}, off")
    now = simulator.world.now()
    fault = Fault(
        kind,
        bot_id=bot_id,
        chat_id=params.integer("chat_id", 0),
        methods=frozenset(str(name).lower() for name in params.items("methods") or []),
        begins=now + params.number("after", 0.0),
        count=params.integer("count", 1 if kind in CHANGES else -1),
        retry_after=params.integer("retry_after", 1),
        hold=kind == "429" and params.flag("hold"),
        probability=params.number("probability", 1.0),
        chance=random.Random(params.integer("seed")) if params.has("seed") else None,  # noqa: S311 - plays chance
    )
    seconds = params.number("seconds", 0.0)
    if kind == "slow":
        fault.seconds = seconds
    elif seconds:
        fault.ends = fault.begins + seconds
    simulator.faults.order(fault)
    return show_faults(simulator, params)


def show_faults(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/faults``: the orders in force."""
    orders = []
    for fault in simulator.faults.orders:
        shown = {entry.name: getattr(fault, entry.name) for entry in fields(fault) if entry.name != "chance"}
        shown["methods"] = sorted(fault.methods)
        shown["ends"] = None if fault.ends == float("inf") else fault.ends
        orders.append(shown)
    return {"faults": orders}


def pending(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/pending``: updates not acknowledged, updates that will come once more, polls that wait."""
    bots = {str(bot.id): len(bot.pending) for bot in simulator.world.bots.values()}
    return {
        "total": sum(bots.values()),
        "bots": bots,
        "redeliveries": simulator.redeliveries(),
        "polls": simulator.polling.count(),
    }


def reset_history(simulator: Simulator, _: Params) -> Json:
    """``POST /sim/history/reset``: forget all events."""
    simulator.history.reset()
    return {"ok": True}


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/settings"): change_settings,
    ("GET", "/sim/settings"): show_settings,
    ("POST", "/sim/clock"): set_clock,
    ("GET", "/sim/clock"): show_clock,
    ("POST", "/sim/faults"): order_fault,
    ("GET", "/sim/faults"): show_faults,
    ("GET", "/sim/pending"): pending,
    ("POST", "/sim/history/reset"): reset_history,
}
