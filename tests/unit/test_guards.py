"""What is written twice says the same twice: settings and their pages, Celery's names and ours."""

import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from botyard.settings import Settings
from botyard.telemetry import metrics

ROOT = Path(__file__).parents[2]
QUEUES = {"updates", "slow", "outbound", "maintenance"}
SOURCES = ("platform", "tasks", "db", "bots")

# In a process of its own: Celery's settings are read once, from the environment.
REPORT = """
import importlib, json, types
from celery.app.defaults import NAMESPACES, flatten
import celeryconfig
from tasks import app
for module in ("updates", "outbound", "maintenance", "customers", "endpoints", "operations", "schedules", "backups"):
    importlib.import_module(f"tasks.{module}")
ours = {k for k, v in vars(celeryconfig).items() if not k.startswith("_") and not callable(v)
        and not isinstance(v, types.ModuleType)}
schedule = {name: (entry["task"], entry["schedule"].total_seconds(), entry["options"])
            for name, entry in app.conf.beat_schedule.items()}
print(json.dumps({
    "ours": sorted(ours),
    "known": sorted(dict(flatten(NAMESPACES))),
    "queues": [queue.name for queue in app.conf.task_queues],
    "tasks": sorted(app.tasks),
    "schedule": schedule,
    "backend": app.conf.result_backend,
    "accept": app.conf.accept_content,
    "limits": [app.conf.task_soft_time_limit, app.conf.task_time_limit],
}))
"""


@lru_cache(maxsize=1)
def celery() -> dict[str, Any]:
    """What the Celery application says of itself."""
    environment = {**os.environ, "REDIS_URL": "redis://localhost:1/0", "BROKER_URL": ""}
    ran = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def test_celery_knows_every_setting_that_is_made() -> None:
    assert set(celery()["ours"]) - set(celery()["known"]) == set()
    assert "task_acks_late" in celery()["ours"]


def test_the_queues_are_the_four_that_workers_listen_to() -> None:
    assert set(celery()["queues"]) == QUEUES
    listened = re.findall(r" -Q (\S+)", (ROOT / "Procfile").read_text())
    assert sorted(listened) == sorted(QUEUES)


def test_beat_names_existing_tasks_and_lets_no_tick_outlive_its_interval() -> None:
    for name, (task, seconds, options) in celery()["schedule"].items():
        assert task in celery()["tasks"], name
        assert options["queue"] in QUEUES, name
        assert 0 < options["expires"] <= seconds, name


def test_celery_keeps_no_results_and_takes_nothing_but_json() -> None:
    assert (celery()["backend"], celery()["accept"]) == (None, ["json"])


def test_the_default_times_of_a_ticket_lie_in_their_order() -> None:
    times = {name: field.default for name, field in Settings.model_fields.items()}
    soft, hard = celery()["limits"]
    assert times["slice_seconds"] + times["handler_timeout_seconds"] < soft < hard
    assert times["api_timeout_seconds"] < times["lease_seconds"] <= times["ticket_running_seconds"]


def test_every_page_that_a_docstring_sends_its_reader_to_exists() -> None:
    named = set()
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".lua"):
                named |= set(re.findall(r"docs/[a-z_]+\.md", path.read_text(encoding="utf-8")))
    assert "docs/mailbox.md" in named
    assert {page for page in named if not (ROOT / page).is_file()} == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_setting_stands_on_its_page() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "docs/settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    missing = {name.upper() for name in Settings.model_fields} - set(rows)
    assert missing == set()


def test_the_page_of_settings_shows_the_defaults_that_are_in_force() -> None:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*) \|", text, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        expected = "none" if default is None else f"`{default}`"
        assert shown[name.upper()] == expected, name


def test_every_metric_is_explained() -> None:
    source = (ROOT / "platform/botyard/web/health.py").read_text(encoding="utf-8")
    gauges = re.findall(r'GaugeMetricFamily\(\s*"(\w+)"', source)
    names = {figure.name for figure in metrics._ALL} | set(gauges)
    assert {"webhook_requests_total", "outbox_rows"} <= names
    text = (ROOT / "docs/watching.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in text} == set()
