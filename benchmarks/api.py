"""``python -m benchmarks.api``: how long the most used routes of the API take beside the same question in plain SQL.

Ten thousand bots, a million messages (`benchmarks.api_world`), one request after the other, as an owner of a hundred
bots and as a superadmin. Beside each route stands a statement that reads the same rows, as the same role and tenant,
over a kept connection. Writes ``docs/figures/api.json``.
"""
# ruff: noqa: S608 - statements are made of constants

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg2

from benchmarks.api_world import BOTS, MESSAGES, fill
from benchmarks.fairness import FIGURES
from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import new_token
from botyard.embedded import free_port, port_is_free
from botyard.running.formation import UVICORN
from tests.e2e.yard import wait_until
from tests.services import Services, start

ROUNDS: Final = 200
WARM: Final = 20
CUSTOMER: Final = 2
CHAT: Final = 700_000_000
LATEST: Final = "ORDER BY id DESC LIMIT 51"


@dataclass(frozen=True)
class Route:
    """A route, and the statement beside it; a superadmin's has no tenant."""

    name: str
    path: str
    sql: str
    role: str = "owner"


ROUTES: Final = (
    Route("me", "me", "SELECT * FROM customers WHERE id = 2"),
    Route(
        "bots of a customer", "bots",
        "SELECT * FROM bots LEFT JOIN bot_health h ON h.bot_id = bots.id ORDER BY bots.id LIMIT 51",
    ),
    Route(
        "all bots, trouble first", "bots?sort=trouble",
        "SELECT * FROM bots b LEFT JOIN bot_health h ON h.bot_id = b.id ORDER BY b.status = 'error' DESC,"
        " h.state = 'trouble' DESC, b.id LIMIT 51", "superadmin",
    ),
    Route("one bot", "bots/bot_1", "SELECT * FROM bots LEFT JOIN bot_health h ON h.bot_id = id WHERE id = 1"),
    Route(
        "people of a bot", "bots/bot_1/users",
        "SELECT * FROM bot_users WHERE bot_id = 1 ORDER BY last_seen DESC, user_id DESC LIMIT 51",
    ),
    Route(
        "people by name", "bots/bot_1/users?q=person_29",
        "SELECT * FROM bot_users WHERE bot_id = 1 AND lower(username) LIKE 'person_29%'"
        " ORDER BY last_seen DESC, user_id DESC LIMIT 51",
    ),
    Route("chats of a bot", "bots/bot_1/chats", f"SELECT * FROM messages WHERE bot_id = 1 {LATEST}"),
    Route(
        "messages of a chat", f"bots/bot_1/chats/{CHAT}/messages",
        f"SELECT * FROM messages WHERE bot_id = 1 AND chat_key = '{CHAT}' {LATEST}",
    ),
    Route("dead letters of a bot", "dead-letters?bot=bot_1", f"SELECT * FROM dead_letters WHERE bot_id = 1 {LATEST}"),
    Route(
        "groups of dead letters", "dead-letters/groups?bot=bot_1",
        "SELECT fingerprint, count(*), min(created_at), max(created_at) FROM dead_letters WHERE bot_id = 1 GROUP BY 1",
    ),
    Route("dead letters of a customer", "dead-letters", f"SELECT * FROM dead_letters {LATEST}"),
    Route("audit", "audit", f"SELECT * FROM audit WHERE customer_id = 2 {LATEST}"),
    Route(
        "events", "events",
        "SELECT * FROM events WHERE customer_id = 2 ORDER BY customer_id, coalesce(xid, 0), id LIMIT 51",
    ),
)  # fmt: skip


@contextmanager
def serving() -> Iterator[str]:
    """The web process, as it is deployed."""
    port = free_port()
    serve = ("botyard.web:app", "--port", str(port), *UVICORN, "--log-level", "error")
    command = [str(Path(sys.executable).parent / "uvicorn"), *serve]
    unlimited = {"API_RATE": "0", "API_RATE_CUSTOMER": "0", "LOG_LEVEL": "ERROR"}
    server = subprocess.Popen(command, env={**os.environ, **unlimited})
    try:
        wait_until(lambda: not port_is_free("127.0.0.1", port), 60, "the web process answers")
        yield f"http://127.0.0.1:{port}/api/v1/"
    finally:
        server.terminate()
        server.wait()


def timed(act: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds in the median, and within which 95 of 100 were done."""
    for _ in range(WARM):
        act()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[int(ROUNDS * 0.95)]


def measure(services: Services) -> list[dict[str, Any]]:
    """Every route beside its statement."""
    fill(services)
    tokens = {
        "owner": new_token(TokenWanted("anna", str(CUSTOMER), Role.OWNER)).token,
        "superadmin": new_token(TokenWanted("root")).token,
    }
    rows = []
    with serving() as address, httpx.Client(base_url=address) as client:
        for route in ROUTES:
            headers = {"Authorization": f"Bearer {tokens[route.role]}"}
            first = client.get(route.path, headers=headers)
            if first.status_code != httpx.codes.OK:
                print(f"{route.name}: {first.status_code} {first.text[:200]}")
                continue
            ours = timed(partial(client.get, route.path, headers=headers))
            peer = timed_sql(services, route)
            rows.append({
                "route": f"GET /api/v1/{route.path}", "what": route.name, "ms": round(ours[0], 2),
                "p95_ms": round(ours[1], 2), "sql_ms": round(peer[0], 2), "sql_p95_ms": round(peer[1], 2),
                "ratio": round(ours[0] / peer[0], 1), "more_ms": round(ours[0] - peer[0], 2),
            })  # fmt: skip
    return rows


def timed_sql(services: Services, route: Route) -> tuple[float, float]:
    """The statement, with its rows fetched, in a transaction of its own."""
    role = "DATABASE_URL" if route.role == "owner" else "DATABASE_SYSTEM_URL"
    connection = psycopg2.connect(services.environment[role])

    def ask() -> None:
        with connection, connection.cursor() as cursor:
            if route.role == "owner":
                cursor.execute("SELECT set_config('app.tenant', %s, true)", (str(CUSTOMER),))
            cursor.execute(route.sql)
            cursor.fetchall()

    try:
        return timed(ask)
    finally:
        connection.close()


def main() -> int:
    """Measure, print, write."""
    with start() as services:
        rows = measure(services)
    print(f"{'':28}{'ms':>8}{'p95':>8}{'SQL':>8}{'p95':>8}{'ratio':>7}")
    for row in rows:
        print(
            f"{row['what']:28}{row['ms']:8.2f}{row['p95_ms']:8.2f}{row['sql_ms']:8.2f}{row['sql_p95_ms']:8.2f}"
            f"{row['ratio']:7.1f}"
        )
    found = {"bots": BOTS, "messages": MESSAGES, "rounds": ROUNDS, "routes": rows}
    (FIGURES / "api.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
