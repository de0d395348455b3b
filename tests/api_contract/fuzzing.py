"""Schemathesis against the web process, as everybody who might ask: all of its checks, and what follows from what.

``python -m tests.api_contract.fuzzing 300`` runs it for so many seconds for each of them, and prints what was found.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import uvicorn

from botyard.accounts.roles import Role
from botyard.embedded import free_port, port_is_free
from botyard.web.api.v1 import asking
from botyard.web.front import build_app
from tests.e2e.yard import wait_until
from tests.security.planted_world import PREFIXES, World, plant
from tests.services import Services, environment, start

_HERE: Final = Path(__file__).parent
_ENDS_ITSELF: Final = (
    "revoke_key", "rotate_key", "end_session", "end_current_session", "change_my_password", "remove_customer",
    "remove_member", "change_role",
)  # fmt: skip
"""What would leave whoever asks without their rights: `tests/security/test_route_rights.py` sends these."""


@dataclass(frozen=True)
class Ran:
    """What came of it for somebody."""

    who: str
    failed: bool
    said: str


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The web process in a thread of this one; gives the address of the API's description."""
    port = free_port()
    limits = {"API_RATE": "0", "API_RATE_CUSTOMER": "0", "API_RATE_ANONYMOUS": "0"}
    with environment(limits), pytest.MonkeyPatch.context() as patch:
        # There are no workers who would answer.
        patch.setattr(asking, "_WAITS_SECONDS", 0.05)
        server = uvicorn.Server(uvicorn.Config(build_app(), port=port, log_level="critical"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            wait_until(lambda: not port_is_free("127.0.0.1", port), 30, "the web process answers")
            yield f"http://127.0.0.1:{port}/api/v1/openapi.json"
        finally:
            server.should_exit = True
            thread.join()


def everybody(world: World) -> dict[str, str | None]:
    """Who asks, with which token."""
    return {
        "stranger": None,
        "viewer": world.own.house.tokens[Role.VIEWER],
        "owner": world.own.house.tokens[Role.OWNER],
        "superadmin": world.root,
        "owner of another customer": world.other.house.tokens[Role.OWNER],
    }


def configuration(world: World) -> str:
    """What Schemathesis is told: mostly it shall ask for what is there, of either customer."""
    lines = [(_HERE / "schemathesis.toml").read_text(encoding="utf-8")]
    parameters = []
    for name in (*PREFIXES, "user", "chat"):
        known = [f"{PREFIXES[name]}_{side.ids[name]}" if name in PREFIXES else str(side.ids[name])
                 for side in (world.own, world.other) if name in side.ids]  # fmt: skip
        if known:
            lines.append(f"[dictionaries.{name}]\nvalues = {json.dumps(known)}\n")
            parameters.append(f'"path.{name}" = {{ dictionary = "{name}", probability = 0.7 }}\n')
    return "\n".join([*lines, "[parameters]", *parameters])


def run(address: str, world: World, who: str, seconds: int, seed: int) -> Ran:
    """Let Schemathesis ask as somebody for some seconds."""
    token = everybody(world)[who]
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", "asked.toml", "run", address, "--max-time",
        str(seconds), "--seed", str(seed), "--max-response-time", "10", "--no-color",
    ]  # fmt: skip
    for name in _ENDS_ITSELF:
        command += ["--exclude-operation-id", name]
    if token is not None:
        command += ["--header", f"Authorization: Bearer {token}"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "asked.toml").write_text(configuration(world), encoding="utf-8")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Ran(who, done.returncode != 0, done.stdout + done.stderr)


def run_all(services: Services, seconds: int, seed: int = 1) -> Iterator[Ran]:
    """As everybody, each in a world of their own."""
    with serving() as address:
        for who in everybody(plant(services)):
            world = plant(services)
            yield run(address, world, who, seconds, seed)


if __name__ == "__main__":
    with start() as started:
        for ran in run_all(started, int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1):
            print(f"{'=' * 30} {ran.who}: {'failed' if ran.failed else 'holds'}\n{ran.said}", flush=True)
