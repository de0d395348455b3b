import ast
import configparser
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("platform/", "tasks/", "bots/", "db/", "celeryconfig.py")
LONGEST_FILE = 399
LONGEST_FUNCTION = 39
# Words that would let a test pass without the real thing. This file is the one that may name them.
PRETENDING = re.compile(r"task_always_eager|task_eager|fakeredis|sqlite[+\w]*:|(?:import|from)\s+\w*sqlite")
# People's scripts may have a SQLite of their own; these know of it.
OF_SCRIPTS = {"platform/botyard/telegram/script_scope.py", "tests/unit/test_scripts.py"}
NO_ROOM_FOR = {"utils", "util", "helpers", "helper", "common", "misc"}
# The system role sees every customer: whoever uses it is named here.
MAY_SEE_EVERY_CUSTOMER = {
    "db/migrate.py",
    "platform/botyard/accounts/auditing.py",
    "platform/botyard/accounts/customers.py",
    "platform/botyard/accounts/idempotency.py",
    "platform/botyard/accounts/invitations.py",
    "platform/botyard/accounts/keys.py",
    "platform/botyard/accounts/listing.py",
    "platform/botyard/accounts/members.py",
    "platform/botyard/accounts/people.py",
    "platform/botyard/accounts/services.py",
    "platform/botyard/accounts/sign_ins.py",
    "platform/botyard/backups/age.py",
    "platform/botyard/backups/making.py",
    "platform/botyard/backups/nightly.py",
    "platform/botyard/backups/restoring.py",
    "platform/botyard/bots/activity.py",
    "platform/botyard/bots/configuration/configuring.py",
    "platform/botyard/bots/configuration/giving.py",
    "platform/botyard/bots/configuration/service_secrets.py",
    "platform/botyard/bots/connection/adding.py",
    "platform/botyard/bots/connection/connecting.py",
    "platform/botyard/bots/connection/doors.py",
    "platform/botyard/bots/connection/pictures.py",
    "platform/botyard/bots/connection/webhooks.py",
    "platform/botyard/bots/dead_letters.py",
    "platform/botyard/bots/health/checking.py",
    "platform/botyard/bots/health/reconciling.py",
    "platform/botyard/bots/health/verdicts.py",
    "platform/botyard/bots/known.py",
    "platform/botyard/bots/lanes.py",
    "platform/botyard/bots/naming.py",
    "platform/botyard/bots/overview.py",
    "platform/botyard/bots/queues.py",
    "platform/botyard/bots/registry.py",
    "platform/botyard/bots/removal.py",
    "platform/botyard/bots/searching.py",
    "platform/botyard/bots/statuses.py",
    "platform/botyard/bots/stopping.py",
    "platform/botyard/bots/tracing.py",
    "platform/botyard/checks/installation.py",
    "platform/botyard/delivery/outbox.py",
    "platform/botyard/delivery/unanswered.py",
    "platform/botyard/endpoints/claiming.py",
    "platform/botyard/endpoints/managing.py",
    "platform/botyard/endpoints/reading.py",
    "platform/botyard/endpoints/recovering.py",
    "platform/botyard/endpoints/retention.py",
    "platform/botyard/endpoints/spreading.py",
    "platform/botyard/endpoints/waking.py",
    "platform/botyard/erasure/rows.py",
    "platform/botyard/jobs/firing.py",
    "platform/botyard/manager.py",
    "platform/botyard/operations/beginning.py",
    "platform/botyard/operations/ending.py",
    "platform/botyard/operations/reading.py",
    "platform/botyard/operations/running.py",
    "platform/botyard/operations/work.py",
    "platform/botyard/processing/retention.py",
    "platform/botyard/schedules/planning.py",
    "platform/botyard/vault/key_use.py",
    "platform/botyard/vault/resealing.py",
    "platform/botyard/web/health.py",
}
MAY_CHANGE_TABLES = {"db/migrate.py", "db/migrations/env.py"}
STAND_ALONE = {"simulator", "supervisor", "embedded", "dialogues", "pytest_plugin"}


@lru_cache(maxsize=1)
def files() -> list[Path]:
    """Every file that is or will be tracked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return sorted({path for name in listed.split("\0") if name and (path := ROOT / name).is_file()})


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def product_files() -> list[Path]:
    return [path for path in python_files() if name_of(path).startswith(PRODUCT)]


def run_python(code: str) -> str:
    environment = {
        **os.environ,
        "REDIS_URL": "redis://localhost:1/0",
        "DATABASE_SYSTEM_URL": "postgresql://u:p@localhost:1/d",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_folder_platform_holds_no_module_that_could_hide_the_standard_librarys() -> None:
    assert [path.name for path in (ROOT / "platform").iterdir() if path.suffix == ".py"] == []


def test_platform_is_the_standard_librarys_when_imported_from_the_root() -> None:
    place = run_python("import platform; platform.system(); print(platform.__file__)").strip()
    assert not Path(place).is_relative_to(ROOT)


def test_nothing_pretends_to_be_a_queue_a_database_or_a_cache() -> None:
    found = []
    for path in files():
        if path == Path(__file__) or name_of(path) in OF_SCRIPTS:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {match.group()}" for match in PRETENDING.finditer(text)]
    assert found == []


def test_every_file_can_be_read_in_one_sitting() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_function_fits_on_a_screen() -> None:
    found = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found.append(f"{name_of(path)}:{node.lineno} {node.name}: {length} lines")
    assert found == []


def test_every_module_is_named_after_what_it_is_about() -> None:
    found = [
        name_of(path) for path in python_files() if NO_ROOM_FOR & {path.stem, *path.relative_to(ROOT).parent.parts}
    ]
    assert found == []


def _catch_alls_without_reason(path: Path) -> Iterator[int]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        catches_all = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
        hands_on = isinstance(node.body[-1], ast.Raise)
        beside = lines[node.lineno - 1 : node.body[0].lineno]
        if catches_all and not hands_on and not any(re.search(r"#(?! noqa: [A-Z0-9, ]+$)", line) for line in beside):
            yield node.lineno


def test_whoever_catches_everything_hands_it_on_or_says_why_not() -> None:
    found = [f"{name_of(path)}:{line}" for path in python_files() for line in _catch_alls_without_reason(path)]
    assert found == []


def _roles_in(path: Path) -> set[str]:
    """The database roles that a file names when it asks for an engine or a session."""
    roles = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in ("get_engine", "get_sessions"):
            role = node.args[0]
            roles.add(role.value if isinstance(role, ast.Constant) else "any")
    return {str(role) for role in roles}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("system", MAY_SEE_EVERY_CUSTOMER), ("owner", MAY_CHANGE_TABLES), ("any", {"db/engine.py"})],
)
def test_only_the_named_modules_use_a_role_that_is_above_the_policies(role: str, allowed: set[str]) -> None:
    assert {name_of(path) for path in product_files() if role in _roles_in(path)} == allowed


def test_the_web_process_loads_no_bot_no_task_and_nothing_that_opens_tokens() -> None:
    loaded = set(
        json.loads(run_python("import json, sys; from botyard.web import app; print(json.dumps(list(sys.modules)))"))
    )
    assert "botyard.mailbox.inbound" in loaded
    assert loaded & {"tasks", "bots", "botyard.hosting", "botyard.vault.opening", "telegram.ext"} == set()


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_package_has_its_place_among_the_layers() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layered = set(re.findall(r"botyard\.(\w+)", contracts["importlinter:contract:layers"]["layers"]))
    modules = {path.stem for path in (ROOT / "platform/botyard").iterdir() if (path / "__init__.py").exists()}
    modules |= {path.stem for path in (ROOT / "platform/botyard").glob("*.py")} - {"__init__", "__main__"}
    assert modules == layered | STAND_ALONE


def test_the_supervisor_of_a_run_is_small() -> None:
    code = "import json, sys, botyard.running.start; print(json.dumps([*sys.modules]))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert loaded & {"sqlalchemy", "telegram", "celery", "aiohttp", "redis"} == set()
