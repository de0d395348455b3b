"""Processes that are killed, stand still, run twice, or are replaced."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import psutil

from tests.commands import botyard
from tests.e2e.yard import wait_until
from tests.faults.campaign import Row, Scene
from tests.faults.figures import waits_of
from tests.faults.installing import HASTY
from tests.faults.load import Plan
from tests.faults.settings import HERE, ROLLING, SHORT
from tests.faults.yard import TYPES

CHAT_SECONDS: Final = 20.0
"""So long a chat waits at most behind an update that cannot be processed."""
RECOVERY_SECONDS: Final = 15.0
"""From a killed worker until everything is as before: a lease, a sweep, and the wait in the queue."""
ROLLING_SECONDS: Final = 5.0
"""So long somebody waits at most while everything is replaced."""
_MOMENTS: Final = 8
_SOON: Final = """
UPDATE schedule_zones z SET due = m.moment, next_run = m.moment
  FROM (SELECT now() + %s * interval '1 s') AS m(moment), schedules s WHERE s.id = z.schedule_id AND s.name = %s
"""
_MEMORY: Final = 2 << 30
_WINDOW: Final = 50
"""Sends that one sender has under way at most."""
_INBOUND: Final = ("take.after", "load.after", "handle.before", "commit.before", "commit.after", "done.after")
_SERVERS: Final = ("valkey", "postgres")
_COMES_THROUGH: Final = "stumble"


def struck(scene: Scene, points: Sequence[str], action: str = "kill") -> None:
    """One after the other, whoever comes to these points first."""
    for point in points:
        scene.yard.points.arm(point, action)
        scene.yard.wait_struck(point, 60)
        scene.pause(0.3, 1.5)


def _kill_web(scene: Scene) -> None:
    struck(scene, ("accept.before", "accept.after"))
    scene.yard.kill_child("web")
    scene.pause(0.5, 1.0)
    scene.yard.kill("web")


def _kill_senders(scene: Scene) -> None:
    struck(scene, ("call.before", "call.after", "record.before"))
    scene.yard.simulator.post("/sim/faults", fault="slow", methods=["sendMessage"], seconds=1, count=20)
    scene.pause(0.5, 1.0)
    scene.yard.kill("worker_outbound")


def killed(name: str) -> Callable[[Scene], None]:
    """A process type and all of its group, at some moment."""

    def strike(scene: Scene) -> None:
        scene.pause(0.0, 1.0)
        scene.yard.kill(name)

    return strike


def _recovered(scene: Scene) -> None:
    scene.figures.in_time("recovery", scene.figures.drain_s, RECOVERY_SECONDS)


def _few_uncertain(scene: Scene) -> None:
    scene.figures.bound("uncertain", scene.figures.uncertain, 4 * _WINDOW)
    _recovered(scene)


def _kill_all(scene: Scene) -> None:
    yard = scene.yard
    for pid in [yard.pid(name) for name in (*TYPES, *_SERVERS)]:
        os.killpg(pid, signal.SIGKILL)


def _beat_down(scene: Scene) -> None:
    with _appointments(scene), _schedules(scene):
        scene.yard.kill("beat")
        scene.pause(0.5, 1.5)
        with scene.yard.stopped("beat"):
            scene.pause(4.0, 5.0)


def _several_beats(scene: Scene) -> None:
    command = ["celery", "-A", "tests.faults.tasks", "beat"]
    ready = [scene.yard.folder / "ready" / f"beat of {number}" for number in range(2)]
    more = []
    for file in ready:
        file.unlink(missing_ok=True)
        environment = {**scene.yard.environment, "BOTYARD_READY_FILE": str(file), HASTY: "0.3"}
        more.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    try:
        with _appointments(scene), _schedules(scene):
            wait_until(lambda: all(file.exists() for file in ready), 60, "all beats are there")
            for _ in range(4):
                # Whoever finds a moment first takes its time, while all others look.
                scene.yard.points.arm("plan.after", "1.0")
                scene.pause(0.8, 1.0)
    finally:
        for one in more:
            one.terminate()
            one.wait(30)


@contextmanager
def _appointments(scene: Scene) -> Iterator[None]:
    """Jobs that come due while something is wrong: each is to ring once."""
    bot = alarm_of(scene)
    person = scene.load.person(scene.bots[0], 0)
    names = [f"{scene.figures.row}.{scene.figures.seed}.{number}" for number in range(20)]
    texts = [f"{scene.dice.uniform(0.5, 6):.2f} {name}" for name in names]
    messages = [{"person_id": person, "text": text} for text in texts]
    scene.yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)
    yield

    _each_once(scene, [f"rang {name}" for name in names])


@contextmanager
def _schedules(scene: Scene) -> Iterator[None]:
    """Moments of schedules that come while something is wrong: each is to reach everybody once."""
    bot, people = alarm_of(scene), [scene.load.person(scene.bots[0], place) for place in range(scene.load.plan.chats)]
    messages = [{"person_id": person, "text": f"0 here {person}"} for person in people]
    scene.yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)
    wait_until(lambda: {f"rang here {one}" for one in people} <= {*texts_of(scene, bot)}, 30, "everybody is known")
    later, to = datetime.now(UTC) + timedelta(hours=1), [word for one in people for word in ("--to", str(one))]
    names = [f"planned {scene.figures.row}.{scene.figures.seed}.{number}" for number in range(_MOMENTS)]
    for name in names:
        words = ("schedule", "add", str(bot), name, f"{name} for {{{{id}}}}", "--at", later.isoformat(), *to)
        made = botyard(scene.yard.environment, *words)
        assert made.returncode == 0, made.stderr
    # A machine that is busy takes its time to make them.
    for name in names:
        scene.yard.sql(_SOON, scene.dice.uniform(0, 4), name)
    yield
    _each_once(scene, [f"{name} for {person}" for name in names for person in people])


def _each_once(scene: Scene, texts: Sequence[str]) -> None:
    """Wait until the bot that keeps appointments has said all of this; whoever hears it twice is none too many."""

    def said() -> Counter[str]:
        return Counter(text for text in texts_of(scene, alarm_of(scene)) if text in wanted)

    wanted = {*texts}
    wait_until(lambda: len(said()) == len(wanted), 60, "everything that was planned is said")
    twice = {text: count for text, count in said().items() if count > 1}
    if len(twice) > scene.figures.uncertain:
        scene.figures.broken.append(f"said twice: {twice}")


def texts_of(scene: Scene, bot: int) -> list[str]:
    """What has arrived of a bot's messages."""
    calls = (one for one in scene.yard.simulator.history() if one["kind"] == "call" and one["bot_id"] == bot)
    return [one["params"]["text"] for one in calls if one["method"] == "sendMessage" and one["ok"]]


def alarm_of(scene: Scene) -> int:
    """The bot that keeps appointments."""
    return max(scene.bots) + 1


def misbehaving_of(scene: Scene) -> int:
    """The bot that does what it is told, whatever that is."""
    return max(scene.bots) + 2


def _eat_memory(scene: Scene) -> None:
    """Every worker may have two gigabytes."""
    for name in ("worker", "worker_slow"):
        leader = psutil.Process(scene.yard.pid(name))
        for process in (leader, *leader.children(recursive=True)):
            process.rlimit(psutil.RLIMIT_AS, (_MEMORY, _MEMORY))
    _provoke("eat", "die")(scene)


def _provoke(*words: str, itself: float = 0.0) -> Callable[[Scene], None]:
    """Somebody has the misbehaving bot do something between two messages of the same chat, and others write to it.

    Args:
        words: what it does.
        itself: seconds that the handler takes in all tries, which its chat waits in any case.
    """

    def strike(scene: Scene) -> None:
        bot, number = misbehaving_of(scene), scene.figures.seed
        victim, other = (scene.load.person(scene.bots[0], place) for place in (0, 1))
        for word in words:
            texts = [f"before-{word}", f"{word}-{number}", f"after-{word}"]
            messages = [{"person_id": victim, "text": text} for text in texts]
            neighbour = [{"person_id": other, "text": f"beside-{word}"}]
            began = time.monotonic()
            scene.yard.simulator.post("/sim/batch", bot_id=bot, messages=messages + neighbour)
            answered(scene, bot, victim, f"after-{word}")
            scene.figures.in_time(f"chat after {word}", time.monotonic() - began, CHAT_SECONDS + itself)
            answered(scene, bot, other, f"beside-{word}")
            if word == _COMES_THROUGH:
                # If it went behind what came after it, it is not there yet.
                answered(scene, bot, victim, texts[1])
            _hold_in_order(scene, bot, victim, texts)

    return strike


def _hold_in_order(scene: Scene, bot: int, chat: int, texts: Sequence[str]) -> None:
    """What is answered of these texts is answered in their order."""
    calls = (one for one in scene.yard.simulator.history() if one["kind"] == "call" and one["bot_id"] == bot)
    said = [one["params"].get("text", "").partition(" ")[2] for one in calls if one["chat_id"] == chat and one["ok"]]
    places = [texts.index(text) for text in said if text in texts]
    if places != sorted(places):
        scene.figures.broken.append(f"{[texts[place] for place in places]} is not the order in which it was written")


def answered(scene: Scene, bot: int, chat: int, text: str) -> None:
    """Wait until what was written in a chat is answered."""

    def there() -> bool:
        calls = (one for one in scene.yard.simulator.history() if one["kind"] == "call" and one["bot_id"] == bot)
        return any(one["chat_id"] == chat and one["params"].get("text", "").endswith(text) for one in calls)

    wait_until(there, 120, f"{text} is answered")


def _flood(scene: Scene) -> None:
    bot = scene.bots[1]
    people = [scene.load.person(bot, place) for place in range(scene.load.plan.chats)]
    scene.load.add(bot, [(person, f"flood-{number}") for number in range(2500) for person in people])


def _one_chat(scene: Scene) -> None:
    bot = scene.bots[1]
    person = scene.load.person(bot, 0)
    scene.load.add(bot, [(person, f"many-{number}") for number in range(5000)])


def _rolling(scene: Scene) -> None:
    """A deploy and the way back: each process is ended as a deploy ends it, and comes again with the other code."""
    yard = scene.yard
    before = yard.code_of("web")
    for code in (HERE, before):
        for name in yard.processes:
            yard.runs(name, code)
            yard.replace(name)
            scene.pause(0.0, 0.5)


def _nobody_waited_long(scene: Scene) -> None:
    scene.figures.in_time(
        "longest wait", max(waits_of(scene.yard.simulator.history(), set(scene.bots))), ROLLING_SECONDS
    )
    deliveries = (one for one in scene.yard.simulator.history() if one["kind"] == "delivery")
    scene.figures.more["deliveries again"] = sum(one["status"] != 200 for one in deliveries)


def _but_first_two(bots: Sequence[int]) -> Sequence[int]:
    return bots[2:]


ROWS: Final = [
    Row(1, "kill -9 web before and after taking an update in", _kill_web, finish=_recovered, bugs=("no-inbox-key",)),
    Row(2, "kill -9 worker at each of six steps", lambda scene: struck(scene, _INBOUND), finish=_recovered,
        plan=Plan(seconds=14), bugs=("popped-when-taken",)),
    Row(3, "kill -9 sender before, during, after a call", _kill_senders, finish=_few_uncertain,
        plan=Plan(seconds=12), bugs=("sent-before-the-call", "adopted-silently", "never-adopted")),
    Row(4, "kill -9 beat; beat stands still", _beat_down),
    Row(5, "three beats", _several_beats),
    Row(6, "kill -9 everything at once", _kill_all),
    Row(7, "a handler eats all memory", _eat_memory, plan=Plan(seconds=24, rate=30), dead=2,
        unmoved=_but_first_two),
    Row(8, "a handler hangs; blocks its loop", _provoke("hang", "block", itself=20.0), dead=1,
        plan=Plan(seconds=55, rate=20),
        unmoved=_but_first_two, setting=SHORT),
    Row(21, "an update that raises, twice or always; that crashes", _provoke("stumble", "raise", "die"),
        plan=Plan(seconds=24, rate=30),
        dead=2, unmoved=_but_first_two, bugs=("failed-goes-behind",)),
    Row(22, "10,000 updates at once to one bot", _flood, unmoved=_but_first_two, drain=400),
    Row(23, "5,000 updates of one chat", _one_chat, unmoved=_but_first_two, drain=400),
    Row(31, "twenty restarts under load, to new code and back", _rolling, finish=_nobody_waited_long,
        plan=Plan(seconds=90, rate=30), setting=ROLLING),
]  # fmt: skip
