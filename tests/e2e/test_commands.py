"""The commands beside a running ``botyard run``."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until

DEMO = 7_000_000_001


def _botyard(run: Run, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "botyard.cli", *words]
    return subprocess.run(command, env=run.environment, capture_output=True, text=True, timeout=60, check=False)


def _json(run: Run, *words: str) -> Any:
    ended = _botyard(run, *words, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.timeout(180)
def test_a_bot_is_listed_paused_and_resumed_and_loses_nothing(run: Run, ports: dict[str, str]) -> None:
    before = _botyard(run, "status")
    assert before.returncode == 3
    assert "Start it with" in before.stderr
    run.start()
    assert {"web", "worker", "threads", "beat"} <= {row["process"] for row in _json(run, "status")}
    assert _json(run, "bot", "list")[0] | {"waiting": 0} == {
        "id": 1, "username": "demo_bot", "kind": "demo", "status": "active", "queue": "updates", "intake": "webhook",
        "waiting": 0,
    }  # fmt: skip

    simulator = Simulator(int(ports["SIMULATOR_PORT"]))
    assert _json(run, "bot", "pause", "@demo_bot")[0]["status"] == "paused"
    simulator.post("/sim/batch", bot_id=DEMO, messages=[{"person_id": 6_800_000_000, "text": "/count"}] * 3)
    wait_until(lambda: _json(run, "bot", "list")[0]["waiting"] == 3, 30, "three updates wait")
    assert not [event for event in simulator.history() if event["kind"] == "call" and "send" in event["method"]]

    assert _json(run, "bot", "resume", "1")[0]["status"] == "active"
    wait_until(lambda: len(_answers(simulator)) == 3, 30, "they are answered")
    assert _answers(simulator)[2] == "This is message number 3 from you."
    assert "demo_bot" in _botyard(run, "bot", "list").stdout
    unknown = _botyard(run, "bot", "pause", "nobody")
    assert unknown.returncode == 1
    assert unknown.stderr == "botyard: bot: there is no bot 'nobody'. See `botyard bot list`.\n"
    run.interrupt()


def _answers(simulator: Simulator) -> list[str]:
    calls = [event for event in simulator.history() if event["kind"] == "call" and event["method"] == "sendMessage"]
    return [event["params"]["text"] for event in calls]
