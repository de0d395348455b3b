"""The whole system, pinned: its Python on one core, its servers on the other; so many bots are registered."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import psycopg2
from redis import Redis
from sqlalchemy.orm import Session

from benchmarks.chats import Door
from benchmarks.machine import REST, SUBJECT, pin, private_kibibytes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import times_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.manager import BotManager
from botyard.settings import get_settings
from botyard.sync import get_sync
from botyard.vault.sealed import token_of, webhook_of
from botyard.vault.sealing import keep_secret
from db.engine import get_sessions
from db.models import Bot, BotIdentity
from tests.e2e.yard import Yard
from tests.services import environment
from tests.standing import standing_still

FIRST_BOT: Final = 4_900_000_001
_ECHO: Final = "benchmarks.kinds:echo"
_ENDLESS: Final = {"MAILBOX_CAP": "100000000", "MAILBOX_CALM": "100000000"}
_PYTHON: Final = ("web", "worker", "worker_slow", "worker_outbound", "worker_maintenance", "beat")
_WORKERS: Final = _PYTHON[1:-1]


# What a chat leaves behind that has written and was answered before.
_HISTORY: Final = """
INSERT INTO conversations (bot_id, customer_id, scope, key, state, version)
SELECT id, customer_id, 'chat', (5000000000 + n)::text, '{}', 1 FROM bots, generate_series(0, %(chats)s - 1) n
 WHERE telegram_id = %(bot)s;
INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, message_id, update_id, text)
SELECT id, customer_id, (5000000000 + n)::text, way, 'text', n, n, 'two pizzas and a lemonade to the usual place please'
  FROM bots, generate_series(0, %(chats)s - 1) n, (VALUES ('in'), ('out')) AS ways(way) WHERE telegram_id = %(bot)s;
ANALYZE conversations, messages
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a yard is.

    Args:
        bots: so many are registered.
        history: so many chats of the first one have written to it before.
        children: processes for updates.
        kinds: of bots beside those that answer, at the end.
        settings: environment variables for all processes.
    """

    bots: int
    history: int = 0
    children: int = 1
    kinds: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


class Subject:
    """A yard under measurement.

    Args:
        folder: where it keeps everything.
        api_url: of the Bot API.
        shape: how large it is.
    """

    def __init__(self, folder: Path, api_url: str, shape: Shape) -> None:
        processes = {"WEB_WORKERS": "1", "WORKER_CHILDREN": str(shape.children)}
        self.yard = Yard(folder, **_ENDLESS, **processes, API_URL=api_url, **dict(shape.settings))
        self._shape = shape
        self._ending = contextlib.ExitStack()
        self._doors: dict[int, tuple[str, str]] = {}
        """Public names and secrets, by Telegram's ids."""

    def __enter__(self) -> Self:
        self._ending.enter_context(self.yard)
        self._redis = self._ending.enter_context(Redis.from_url(self.yard.environment["REDIS_URL"]))
        with environment(self.yard.environment):
            self._register()
        for name in ("postgres", "valkey", "simulator"):
            pin(self.yard.pid(name), REST)
        for pid in self.pids():
            pin(pid, SUBJECT)
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.close()

    def _register(self) -> None:
        shape = self._shape
        with get_sessions("system").begin() as session:
            for number in range(shape.bots):
                self._add(session, FIRST_BOT + number, _ECHO)
            for number, kind in enumerate(shape.kinds, shape.bots):
                self._add(session, FIRST_BOT + number, kind)
        if shape.history:
            self.sql(_HISTORY, bot=FIRST_BOT, chats=shape.history)
        self._sync()

    def _add(self, session: Session, telegram_id: int, kind: str) -> None:
        name = secrets.token_hex(8)
        bot = Bot(
            customer_id=1, telegram_id=telegram_id, public_id=name, kind=kind, name=name, username=f"b{name}_bot",
            api_url=self.yard.environment["API_URL"], queue="slow" if kind.endswith("sleeper") else "updates",
        )  # fmt: skip
        session.add(bot)
        session.flush()
        secret = secrets.token_urlsafe(32)
        digest = sha256(secret.encode()).digest()
        door = BotIdentity(telegram_id=telegram_id, bot_id=bot.id, customer_id=1, public_id=name, secret_hash=digest)
        session.add(door)
        keep_secret(session, bot, token_of(telegram_id), f"{telegram_id}:{secrets.token_urlsafe(26)[:35]}")
        keep_secret(session, bot, webhook_of(telegram_id), secret)
        self._doors[telegram_id] = (name, secret)

    def _sync(self) -> None:
        BotManager(get_sync(), self._redis).sync_with_database()

    def doors(self, count: int, first: int = 0) -> list[Door]:
        """Where the updates of so many bots are posted, from this one on."""
        some = list(self._doors.values())[first : first + count]
        return [Door(self.yard.web_port, f"/webhook/{name}", secret) for name, secret in some]

    @contextlib.contextmanager
    def receiving_only(self) -> Iterator[None]:
        """Its workers stand still; what was taken in meanwhile is forgotten afterwards."""
        with standing_still(*self.pids(_WORKERS)):
            yield
            self.empty()

    def empty(self) -> None:
        """Forget what was taken in, and what is to be sent."""
        self._redis.flushall()
        self.sql("TRUNCATE outbox CASCADE")
        with environment(self.yard.environment):
            self._sync()

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """All of its Python stands still."""
        with standing_still(*self.pids()):
            yield

    def pids(self, names: Sequence[str] = _PYTHON) -> list[int]:
        """Of these process types."""
        return [self.yard.pid(name) for name in names]

    def wake(self, bot_id: int) -> None:
        """Rows were put into this bot's outbox."""
        with environment(self.yard.environment):
            ticket = Keeper(self._redis, times_of(get_settings())).wake(bot_id)
            if ticket is not None:
                CeleryTickets(celery_producer()).send(ticket)

    def kibibytes(self) -> int:
        """What its Python and its Redis have in memory that they share with nobody."""
        return sum(private_kibibytes(pid) for pid in [*self.pids(), self.yard.pid("valkey")])

    def sql(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a statement."""
        with contextlib.closing(psycopg2.connect(self.yard.environment["DATABASE_OWNER_URL"])) as database, database:
            cursor = database.cursor()
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
