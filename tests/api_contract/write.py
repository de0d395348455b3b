"""``python -m tests.api_contract.write``: writes docs/openapi.json and docs/rights.md anew."""

import json
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import State

from botyard.accounts.roles import Role
from botyard.web.api.application import build_api

DOCS: Final = Path(__file__).parents[2] / "docs"
_ABOUT: Final = """\
# Who may use which route

Made from the route table by `make openapi`; `tests/security/test_route_rights.py` asks for each as each of these
people. What belongs to another customer is 404 for everybody but a superadmin, and so is another bot than those of
an API key. [access.md](access.md) says what the roles are, [api.md](api.md) what the routes do.

| route | scope of an API key | stranger | viewer | operator | manager | owner | superadmin |
|---|---|---|---|---|---|---|---|
"""


def description() -> dict[str, Any]:
    """The API as it is now."""
    made: dict[str, Any] = json.loads(json.dumps(build_api(State()).openapi()))
    return made


def rights(described: dict[str, Any]) -> str:
    """The page about rights."""
    lines = []
    for path, operations in sorted(described["paths"].items()):
        for method, operation in operations.items():
            needed = operation["x-needs"]
            scope = f"`{needed['scope']}`" if needed["scope"] else "-"
            marks = " | ".join("yes" if one else "-" for one in _admitted(needed["who"]))
            lines.append(f"| `{method.upper()} {path}` | {scope} | {marks} |\n")
    return _ABOUT + "".join(lines)


def _admitted(who: str) -> list[bool]:
    """Strangers, each role, superadmins."""
    if who == "nobody":
        return [True] * (len(Role) + 2)
    if who in {"signed in", "superadmin"}:
        return [False, *[who == "signed in"] * len(Role), True]
    return [False, *(str(role) == who or role > next(one for one in Role if str(one) == who) for role in Role), True]


def main() -> None:
    """Write both."""
    described = description()
    (DOCS / "openapi.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DOCS / "rights.md").write_text(rights(described), encoding="utf-8")


if __name__ == "__main__":
    main()
