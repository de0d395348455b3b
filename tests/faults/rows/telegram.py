"""Telegram: away, slow, full of refusals; connections that break; tokens and groups that change. And lost tickets."""

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

import psutil
from redis import Redis

from tests.commands import botyard
from tests.e2e.yard import wait_until
from tests.faults.campaign import Row, Scene
from tests.faults.load import Plan
from tests.faults.rows.processes import answered, texts_of
from tests.faults.settings import LIMITS, SCALED, TWO_OF_EACH, token

_OUTAGE_SECONDS: Final = 60.0
_TOLERANCE_SECONDS: Final = 0.05
_RETRY_AFTER: Final = 6
_SLOW_SECONDS: Final = 6.0
_MOST_SOCKETS: Final = 200
_TOUCHED: Final = 20
"""So many tickets are to be lost, doubled or late, or nothing was tried."""
_IN_FLIGHT: Final = 50
_groups: Final = count(1)


def _fault(scene: Scene, fault: str, **more: Any) -> None:
    scene.yard.simulator.post("/sim/faults", fault=fault, **more)


def _outage(scene: Scene) -> None:
    scene.figures.more["expired"] = -_expired_so_far(scene)
    _fault(scene, "500", seconds=_OUTAGE_SECONDS)
    time.sleep(_OUTAGE_SECONDS)  # the length of the fault


def _expired(scene: Scene) -> int:
    """Answers that were of no use any more when Telegram was back."""
    scene.figures.more["expired"] += _expired_so_far(scene)
    return int(scene.figures.more["expired"])


def _expired_so_far(scene: Scene) -> int:
    return scene.yard.figure("SELECT count(*) FROM outbox WHERE state = 'expired'")


def _refuse_some(scene: Scene) -> None:
    _fault(scene, "429", retry_after=_RETRY_AFTER, probability=0.3, seconds=4, methods=["sendMessage"])
    scene.pause(2.0, 3.0)
    scene.yard.kill("worker_outbound")
    scene.pause(1.0, 2.0)


def _nobody_came_too_early(scene: Scene) -> None:
    closed: dict[tuple[int, int], float] = {}
    early = 0
    for one in scene.yard.simulator.history():
        if one["kind"] != "call" or one["method"] != "sendMessage":
            continue
        chat = (one["bot_id"], one["chat_id"])
        early += one["at"] < closed.get(chat, 0.0) - _TOLERANCE_SECONDS
        if one.get("error_code") == 429:
            closed[chat] = one["at"] + _RETRY_AFTER
    scene.figures.bound("calls before their time", early, _IN_FLIGHT)


def _slow(scene: Scene, **whom: Any) -> None:
    _fault(scene, "slow", seconds=_SLOW_SECONDS, methods=["sendMessage"], **whom)
    time.sleep(_SLOW_SECONDS)  # the length of the fault
    sender = psutil.Process(scene.yard.pid("worker_outbound"))
    sockets = len(sender.net_connections("tcp"))
    scene.yard.simulator.post("/sim/faults", fault="off")
    scene.figures.bound("open sockets", sockets, _MOST_SOCKETS)


def _slow_one(scene: Scene) -> None:
    _slow(scene, bot_id=scene.bots[1])


def _cut(scene: Scene) -> None:
    _fault(scene, "cut", methods=["sendMessage"], count=20)
    scene.pause(3.0, 4.0)


def _cut_and_leave(scene: Scene) -> None:
    _tell(scene, "--leave-uncertain")
    _fault(scene, "cut", methods=["sendMessage"], bot_id=scene.bots[1], count=5)
    scene.pause(3.0, 4.0)
    # The rows that follow have the same bots.
    _tell(scene, "--repeat-uncertain")


def _tell(scene: Scene, choice: str) -> None:
    told = botyard(scene.yard.environment, "bot", "set", str(scene.bots[1]), choice)
    assert told.returncode == 0, told.stderr


def _revoke(scene: Scene) -> None:
    """The bot of the bulk send gets another token at Telegram, and a while later here."""
    bot, fresh = scene.bots[0], f"{scene.bots[0]}:{'B' * 34}{scene.figures.seed}"
    scene.yard.simulator.post("/sim/bots", token=fresh, username=f"b{bot}_bot", name=str(bot))
    stopped = "SELECT count(*) FROM bots WHERE telegram_id = %s AND status = 'error'"
    wait_until(lambda: scene.yard.figure(stopped, bot) == 1, 30, "the bot is stopped")
    calls = [one for one in scene.yard.simulator.history() if one["kind"] == "call" and one["bot_id"] == bot]
    scene.figures.bound("calls with the old token", sum(one.get("error_code") == 401 for one in calls), _IN_FLIGHT)
    ended = botyard(scene.yard.environment, "bot", "replace-token", str(bot), given=f"{fresh}\n")
    assert ended.returncode == 0, ended.stderr
    assert token(bot) != fresh


def _migrate(scene: Scene) -> None:
    """A group becomes a supergroup between two of its messages."""
    bot, person = scene.bots[1], scene.load.person(scene.bots[1], 0)
    simulator = scene.yard.simulator
    made = {"title": f"G{next(_groups)}", "type": "group", "creator_id": person, "bot_ids": [bot]}
    scene.load.add(bot, [(person, "hello-there")])
    group = simulator.post("/sim/groups", **made)["id"]
    write: Callable[[int, str], Any] = lambda chat, text: simulator.post(  # noqa: E731
        "/sim/send", bot_id=bot, person_id=person, chat_id=chat, text=text
    )
    write(group, "/one")
    answered(scene, bot, group, "/one")
    before = len(texts_of(scene, bot))
    _fault(scene, "migrate", bot_id=bot, chat_id=group)
    write(group, "/two")

    def numbers(text: str) -> list[int]:
        return [int(said.split()[0]) for said in texts_of(scene, bot) if said.endswith(f" {text}")]

    wait_until(lambda: len(texts_of(scene, bot)) > before and bool(numbers("/two")), 60, "it goes on")
    if not numbers("/two")[-1] > numbers("/one")[-1]:
        scene.figures.broken.append("what the bot remembers of the group did not come along")


def _lose_tickets(scene: Scene) -> None:
    """Celery's messages are dropped, doubled, and put behind others."""
    over, touched = time.monotonic() + 5, 0
    with Redis.from_url(scene.yard.environment["REDIS_URL"]) as redis:
        while time.monotonic() < over:
            # Beside workers that wait, too: whoever has waited longest gets the next one.
            found: Any = redis.brpop(["updates", "slow", "outbound"], timeout=1)
            if found is None:
                continue
            queue, message = found
            chance = scene.dice.random()
            copies = 0 if chance < 1 / 3 else 2 if chance < 2 / 3 else 1
            for _ in range(copies):
                redis.lpush(queue, message)
            touched += 1
    scene.figures.more["tickets touched"] = touched
    if touched < _TOUCHED:
        scene.figures.broken.append(f"only {touched} tickets were touched")


def _but_first_two(bots: Sequence[int]) -> Sequence[int]:
    return bots[2:]


ROWS: Final = [
    Row(24, "Telegram is down for an hour (scaled to 60 s)", _outage, setting=SCALED,
        plan=Plan(seconds=70, rate=20, news=2), lost=_expired, drain=300, bugs=("no-limits",)),
    Row(25, "429 for a third of the chats; senders killed", _refuse_some, setting=LIMITS, refused=None,
        plan=Plan(seconds=10, rate=20), finish=_nobody_came_too_early, bugs=("overtaking-a-retry",)),
    Row(26, "Telegram takes six seconds, for one bot", _slow_one, unmoved=_but_first_two, plan=Plan(seconds=12)),
    Row(26, "Telegram takes six seconds, for all", _slow, plan=Plan(seconds=12)),
    Row(27, "answers are cut off behind the call", _cut),
    Row(27, "the same for a bot that leaves them", _cut_and_leave),
    Row(28, "a token is revoked in the middle of a bulk send", _revoke, plan=Plan(seconds=12)),
    Row(29, "a group becomes a supergroup", _migrate),
    Row(33, "tickets lost, doubled, late", _lose_tickets, setting=TWO_OF_EACH),
]  # fmt: skip
