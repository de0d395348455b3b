"""Pages of the documentation with a table that a measurement writes."""

from pathlib import Path
from typing import Final

_BEGIN: Final = "<!-- what follows is written by the {} -->\n"
_END: Final = "<!-- until here -->\n"


def with_table(page: Path, table: str, writer: str) -> str:
    """The page with this table in the place of the one before.

    Args:
        page: which one.
        table: Markdown.
        writer: who writes it, as the page says.
    """
    begin = _BEGIN.format(writer)
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    assert found, f"{page.name} has no place for what the {writer} writes"
    after = rest.partition(_END)[2]
    return f"{before}{begin}{table}\n{_END}{after}"
