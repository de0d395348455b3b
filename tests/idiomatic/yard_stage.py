"""Botyard as the stage: the whole formation, two workers of the queues that run bots, all killed at a restart."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg2
from redis import Redis

from botyard.dialogues import Dialogue
from tests.commands import botyard
from tests.e2e.formation import twin
from tests.e2e.yard import Yard, wait_until

WORKERS: Final = ("worker", "worker_slow", "worker_outbound", "worker_maintenance")
READY_SECONDS = 120
COMMAND_SECONDS = 120
COMMANDS_AT_ONCE = 2


class DoubledYard(Yard):
    """A yard with two workers of the queues on which bots' code runs."""

    asked: ClassVar[dict[str, Any]] = {"twins": ["worker", "worker_slow"]}

    def leave_errors_and_presses(self, telegram_id: int) -> None:
        """Let them be what they are in the library: ``bot set --no-retry --leave-callbacks``, without its start."""
        with closing(psycopg2.connect(self.environment["DATABASE_OWNER_URL"])) as database, database:
            database.cursor().execute(
                "UPDATE bots SET config_version = config_version + 1,"
                """ settings = settings || '{"retry": false, "answer_callbacks": false}' WHERE telegram_id = %s""",
                (telegram_id,),
            )
        with Redis.from_url(self.environment["REDIS_URL"]) as redis:
            redis.publish("sync:resync", '{"from": "the stage", "data": {}}')

    def restart_workers(self) -> None:
        """Kill all workers at once, and wait until all are back."""
        # What is cut off between Telegram's answer and the commit is sent again, as is to be; no dialogue expects that.
        with closing(psycopg2.connect(self.environment["DATABASE_OWNER_URL"])) as database:
            wait_until(lambda: _nothing_under_way(database), READY_SECONDS, "nothing is being sent")
        names = [*WORKERS, *map(twin, self.asked["twins"])]
        told = [self.folder / "ready" / name for name in names]
        for file in told:
            file.unlink(missing_ok=True)
        for name in names:
            self.kill(name)
        wait_until(lambda: all(file.exists() for file in told), READY_SECONDS, "the workers are back")


def _nothing_under_way(database: psycopg2.extensions.connection) -> bool:
    with database, database.cursor() as cursor:
        cursor.execute("SELECT FROM outbox WHERE state = 'sending'")
        return cursor.rowcount == 0


class Meeting:
    """Several dialogues are played side by side: what all wait for is done once.

    Args:
        count: how many take part.
        action: what is done when all who are still there have come.
    """

    def __init__(self, count: int, action: Callable[[], None]) -> None:
        self._there = count
        self._action = action
        self._come = 0
        self._rounds = 0
        self._changed = threading.Condition()

    def come(self) -> None:
        """Wait for all others, and until the action is done."""
        with self._changed:
            self._come += 1
            this = self._rounds
            self._act_if_complete()
            self._changed.wait_for(lambda: self._rounds > this)

    def leave(self) -> None:
        """Take no further part."""
        with self._changed:
            self._there -= 1
            self._act_if_complete()

    def _act_if_complete(self) -> None:
        if self._come and self._come >= self._there:
            try:
                self._action()
            finally:
                self._come = 0
                self._rounds += 1
                self._changed.notify_all()


class YardStage:
    """Runs one script on a yard, beside others.

    Args:
        yard: running.
        meeting: where all come whose workers are to be restarted.
    """

    _commands = threading.BoundedSemaphore(COMMANDS_AT_ONCE)

    def __init__(self, yard: DoubledYard, meeting: Meeting) -> None:
        self._yard = yard
        self._meeting = meeting

    @property
    def url(self) -> str:
        """Where its simulator is."""
        return self._yard.simulator.url

    def start(self, script: Path, dialogue: Dialogue, token: str) -> None:
        """Add the script's bot, as its owner would, with the options that its dialogue names."""
        self._botyard("bot", "add", "--kind", str(script), told=f"{token}\n")
        options = [part for name, value in dialogue.bot.options.items() for part in (f"--{name}", value)]
        if options:
            self._botyard("bot", "set", token.partition(":")[0], *options)
        self._yard.leave_errors_and_presses(int(token.partition(":")[0]))
        # A worker that has met a bot already may serve it for some seconds as it was.
        self._meeting.come()

    def restart(self) -> None:
        """Have all workers killed, with everybody else who has come so far."""
        self._meeting.come()

    def stop(self) -> None:
        """Let the others go on alone. The bot stays: it is silent."""
        self._meeting.leave()

    def _botyard(self, *words: str, told: str = "") -> None:
        with self._commands:
            ran = botyard(self._yard.environment, *words, given=told, seconds=COMMAND_SECONDS)
        assert ran.returncode == 0, f"botyard {' '.join(words)}: {ran.stdout}{ran.stderr}"
