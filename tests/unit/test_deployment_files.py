import json
import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from botyard.running.formation import UVICORN
from botyard.settings import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TYPES = ["web", "worker", "worker_slow", "worker_outbound", "worker_maintenance", "poller", "beat", "flower", "release"]
SERVERS = {"postgres", "redis"}
TARGETS = {"setup", "run", "test", "check", "bench", "faults", "clean", "help"}
REQUIRED = {
    "POSTGRES_PASSWORD", "DATABASE_APP_PASSWORD", "DATABASE_SYSTEM_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY",
    "FLOWER_PASSWORD",
}  # fmt: skip


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def ask_compose(
    folder: Path, *words: str, text: str | None = None, without: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Compose's own parser on our file, with invented passwords and nothing else from outside."""
    (folder / "docker-compose.yml").write_text(text or read("docker-compose.yml"))
    variables = {name: f"invented{number}" for number, name in enumerate(sorted(REQUIRED - {without}))}
    command = [str(BIN / "docker-compose"), "--project-directory", str(folder), "config", *words]
    return subprocess.run(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole file as Compose understands it."""
    ran = ask_compose(tmp_path_factory.mktemp("compose"), "--format", "json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@lru_cache(maxsize=1)
def procfile() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in read("Procfile").splitlines() if line)


def with_defaults(command: str) -> list[str]:
    """The words of a command when none of its variables is set."""
    return shlex.split(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", command))


def test_the_procfile_names_the_nine_kinds_of_process() -> None:
    assert list(procfile()) == TYPES


def test_web_processes_are_served_the_same_way_everywhere() -> None:
    assert " ".join(UVICORN) in procfile()["web"]


def test_compose_accepts_its_file(tmp_path: Path) -> None:
    ran = ask_compose(tmp_path, "--quiet")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_compose_refuses_a_misspelt_key_so_its_consent_means_something(tmp_path: Path) -> None:
    misspelt = read("docker-compose.yml").replace("stop_grace_period", "stop_grace_perid", 1)
    ran = ask_compose(tmp_path, "--quiet", text=misspelt)
    assert ran.returncode != 0
    assert "stop_grace_perid" in ran.stderr


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_compose_starts_nothing_while_a_secret_is_missing(tmp_path: Path, name: str) -> None:
    ran = ask_compose(tmp_path, "--quiet", without=name)
    assert ran.returncode != 0
    assert f"required variable {name} is missing" in ran.stderr


def test_compose_runs_what_the_procfile_runs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {*TYPES, *SERVERS}
    assert {name: services[name]["command"] for name in TYPES} == {
        name: with_defaults(command) for name, command in procfile().items()
    }


@pytest.mark.parametrize("name", TYPES)
def test_every_container_of_ours_is_hardened_and_has_time_to_stop(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["stop_grace_period"] == "1m0s"
    assert "user" not in service, "the image's own user is not root"


@pytest.mark.parametrize("name", [*TYPES, *sorted(SERVERS)])
def test_everything_that_stays_is_asked_for_its_health_and_waits_for_the_release(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    waits_for = {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
    if name == "release":
        assert waits_for == {"postgres": "service_healthy"}
        assert service["restart"] == "no"
        return
    assert service["healthcheck"]["test"]
    if name in TYPES:
        assert waits_for["release"] == "service_completed_successfully"


def test_no_port_is_open_to_other_machines(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert {port["target"] for port in published} == {8080, 5555}


def test_each_process_gets_the_secrets_it_needs_and_no_others(compose: dict[str, Any]) -> None:
    has: dict[str, set[str]] = {name: set(compose["services"][name].get("environment", ())) for name in TYPES}
    assert [name for name in TYPES if "DATABASE_OWNER_URL" in has[name]] == ["release"]
    for name in ("beat", "flower"):
        assert "SECRET_KEY" not in has[name]
        assert not any(variable.startswith("DATABASE") for variable in has[name])


def test_redis_forgets_no_update_that_was_accepted(compose: dict[str, Any]) -> None:
    lines = compose["configs"]["redis"]["content"].splitlines()
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"} <= set(lines)


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml"])
def test_a_file_that_nobody_ran_says_so_first(name: str) -> None:
    assert "unverified" in read(name).splitlines()[0].lower()


def test_the_image_runs_as_an_unprivileged_user_and_builds_nothing_in_its_last_stage() -> None:
    last = read("Dockerfile").rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert not re.search(r"apt-get|gcc|pip wheel|build-essential", last)


def test_the_example_of_an_environment_shows_every_setting_and_invents_none() -> None:
    shown = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", read(".env.example"), re.MULTILINE)
    fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    names = [name for name, _ in shown]
    assert len(names) == len(set(names))
    assert set(names) == set(fields) | REQUIRED
    for name, value in shown:
        if fields.get(name) is not None:
            default = fields[name]
            assert value == (str(default).lower() if isinstance(default, bool) else str(default)), name


def test_the_example_of_an_environment_contains_no_secret() -> None:
    found = dict(re.findall(r"^([A-Z][A-Z0-9_]+)=(.*)$", read(".env.example"), re.MULTILINE))
    assert found == dict.fromkeys(REQUIRED, "")


def test_every_requirement_is_pinned_and_the_project_itself_comes_last() -> None:
    *pins, last = read("requirements.txt").splitlines()
    assert last == "-e ."
    for line in [*pins, *read("requirements-dev.txt").splitlines()]:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==[^\s*]+( ; .+)?$", line), line


def test_every_make_target_that_is_spoken_of_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))
    assert targets >= TARGETS
    for page in ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))):
        # Only in code: prose may make sense of anything.
        code = " ".join(re.findall(r"```.*?```|`[^`]+`", read(page), re.DOTALL))
        spoken_of = re.findall(r"\bmake (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", code)
        assert set(spoken_of) <= targets, page
