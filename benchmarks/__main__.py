"""``make bench``: prints a table and writes results.json.

For now one row: how long the webhook takes to acknowledge an update with everything on, against the same server's
bare answer. The load and both servers share this machine's cores.
"""

import asyncio
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import psycopg2
from pydantic import SecretStr

from botyard.embedded import free_port, port_is_free
from botyard.settings import Settings
from botyard.vault.keys import Keyring
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import SealedSecret
from tests.e2e.conftest import FAST
from tests.e2e.yard import Yard, wait_until

RESULTS = Path(__file__).parent / "results.json"
ROUNDS = 3
SECONDS = 4.0
CONNECTIONS = 32
TOKEN = "4300000001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True)
class Row:
    """One measured figure beside its peer's."""

    name: str
    ours: float
    peer: float
    unit: str
    ratio: float
    must: float | None
    goal: float | None
    holds: bool


async def _rate(url: str, headers: dict[str, str], body: bytes, ids: Iterator[int]) -> float:
    """Answers per second over kept connections; every update has an id of its own."""
    until = time.monotonic() + SECONDS
    counted = 0

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal counted
        while time.monotonic() < until:
            data = body.replace(b"@", str(next(ids)).encode())
            async with session.post(url, data=data, headers=headers) as answer:
                await answer.read()
                assert answer.status == 200, answer.status
                counted += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        await asyncio.gather(*(client(session) for _ in range(CONNECTIONS)))
    return counted / SECONDS


@contextlib.contextmanager
def _bare_server() -> Iterator[str]:
    port = free_port()
    options = (
        "--port",
        str(port),
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "error",
    )
    server = subprocess.Popen([str(Path(sys.executable).parent / "uvicorn"), "benchmarks.bare:app", *options])
    try:
        wait_until(lambda: not port_is_free("127.0.0.1", port), 20, "the bare server answers")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def _webhook(yard: Yard) -> tuple[str, str]:
    """The address and secret of a bot that has no worker to keep up with."""
    yard.add_bot(TOKEN, "tests.e2e.bots:counter", "updates")
    with psycopg2.connect(yard.environment["DATABASE_OWNER_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.public_id, s.bot_id, s.name, s.sealed FROM bot_identities i JOIN bot_secrets s USING (bot_id)"
            " WHERE i.telegram_id = 4300000001 AND s.name = 'webhook:4300000001'"
        )
        public_id, bot_id, name, sealed = cursor.fetchall()[0]
    keys = Keyring(Settings(secret_key=SecretStr(yard.environment["SECRET_KEY"])))
    secret = open_sealed(SealedSecret(bot_id, name, bytes(sealed)), keys)
    return f"http://127.0.0.1:{yard.web_port}/webhook/{public_id}", secret


def _measure(yard: Yard) -> Row:
    url, secret = _webhook(yard)
    chat = {"id": 6_400_000_000, "type": "private"}
    update = {
        "message": {"message_id": 1, "date": 0, "chat": chat, "from": {**chat, "is_bot": False}, "text": "x" * 400}
    }
    body = b'{"update_id":@,' + json.dumps(update).encode()[1:]
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json"}
    ours, bare = [], []
    ids = itertools.count(1)
    with yard.stopped("worker"), yard.stopped("worker_outbound"), _bare_server() as peer_url:
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_rate(peer_url, headers, body, ids)))
            ours.append(asyncio.run(_rate(url, headers, body, ids)))
    mine, peer = statistics.median(ours), statistics.median(bare)
    return Row("webhook acknowledgements", mine, peer, "1/s", round(mine / peer, 2), None, None, holds=True)


def main() -> int:
    """Measure; 1 when a must does not hold."""
    settings = {**FAST, "MAILBOX_CAP": "10000000", "MAILBOX_CALM": "10000000", "WEB_WORKERS": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="botyard-bench-") as folder,
        Yard(Path(folder) / "yard", **settings) as yard,
    ):
        rows = [_measure(yard)]
    print(f"{'name':30}{'ours':>10}{'peer':>10} unit  ratio")
    for row in rows:
        print(
            f"{row.name:30}{row.ours:10.0f}{row.peer:10.0f} {row.unit}  {row.ratio:5.2f}"
            "   peer: a bare 200 of the same server"
        )
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
