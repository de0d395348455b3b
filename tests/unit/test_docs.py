"""What the documentation says of files and tests is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_TEST = re.compile(r"`(?:tests/)?([\w/*]*test_[\w*]+\.py)(?:::(\w+))?")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[\w-]*)?\)")


def test_there_are_pages_to_look_at() -> None:
    assert {"README.md", "delivery.md", "mailbox.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, function in _TEST.findall(page.read_text(encoding="utf-8")):
        found = [path for path in (ROOT / "tests").rglob("test_*.py") if path.match(file)]
        assert found, f"{page.name}: {file}"
        # A name may be cut short, and stand for all tests of a class.
        texts = [path.read_text(encoding="utf-8") for path in found]
        assert any(f"def {function}" in text or f"class {function}:" in text for text in texts), function


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
