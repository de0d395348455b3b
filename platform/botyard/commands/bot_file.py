"""``botyard bot add --from``: many bots, from a file."""

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from botyard.commands.export import progress_bar
from botyard.commands.output import TROUBLE, attached, say, show
from botyard.errors import InputError

if TYPE_CHECKING:
    from botyard.accounts.batch_adding import Outcome
    from botyard.accounts.batches import BotLine
    from botyard.settings import Settings

_COLUMNS: Final = ("token", "kind", "queue", "customer", "name")
_QUEUES: Final = ("updates", "slow")


def add_from(path: Path, *, as_json: bool) -> None:
    """Add the bots of a file, and say what became of each; exit code 1 if one failed.

    Raises:
        InputError: the file cannot be read, or one of its lines; nothing was added then.
    """
    settings = attached()
    lines = read_lines(path)
    rows: list[dict[str, Any]] = []
    try:
        asyncio.run(_add(lines, settings, rows))
    finally:
        # Also when it was interrupted: what was added is here, and is skipped the next time.
        show(rows, as_json=as_json, nothing="There is no bot in it.")
    counted = Counter(row["result"] for row in rows)
    say(f"{counted['added']} added, {counted['here']} here already, {counted['failed']} failed.")
    if counted["failed"]:
        raise typer.Exit(TROUBLE)


def read_lines(path: Path) -> "list[tuple[int, BotLine]]":
    """The bots of a file, each with its customer's number.

    Args:
        path: ``.csv`` with a header, or ``.jsonl`` with an object in each line.

    Raises:
        InputError: it cannot be read, or is none of these, or a line is wrong: which one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--from", f"names a file that cannot be read: {type(error).__name__}.", "") from None
    read = {".csv": _of_csv, ".jsonl": _of_json}.get(path.suffix.lower())
    if read is None:
        raise InputError("--from", "names a file of another kind.", "Name one that ends in .csv or .jsonl.")
    customers: dict[str, int] = {}
    found = [_line(number, row, customers) for number, row in read(text)]
    seen: dict[int, int] = {}
    for place, (_, line) in enumerate(found, 1):
        if line.telegram_id in seen:
            raise InputError(f"bot {place}", f"is bot {seen[line.telegram_id]} again.", "Give each bot once.")
        seen[line.telegram_id] = place
    return found


def _of_csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    table = csv.DictReader(io.StringIO(text, newline=""))
    for row in table:
        yield table.line_num, {name: value.strip() for name, value in row.items() if name and isinstance(value, str)}


def _of_json(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise InputError(f"line {number}", "is no JSON object.", 'Write {"token": "…"} in each line.')
            yield number, row


def _line(number: int, row: dict[str, Any], customers: dict[str, int]) -> "tuple[int, BotLine]":
    from botyard.accounts.batches import BotLine  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.connection.adding import DEFAULT_CUSTOMER  # noqa: PLC0415
    from botyard.bots.token_shape import check_token  # noqa: PLC0415

    unknown = sorted(set(row) - set(_COLUMNS))
    if unknown:
        raise InputError(f"line {number}", f"has {unknown[0]}, which is not known.", f"Known: {', '.join(_COLUMNS)}.")
    given = {name: row.get(name) or None for name in _COLUMNS}
    if any(value is not None and not isinstance(value, str) for value in given.values()):
        raise InputError(f"line {number}", "has something else than text in it.", "")
    token = given["token"] or ""
    check_token(token, f"line {number}: token")
    if given["queue"] not in (None, *_QUEUES):
        raise InputError(f"line {number}", "names no queue that there is.", f"Choose from: {', '.join(_QUEUES)}.")
    name = given["customer"]
    if name is not None and name not in customers:
        customers[name] = customer_number(name)
    owner = DEFAULT_CUSTOMER if name is None else customers[name]
    return owner, BotLine(token, given["kind"], given["queue"], given["name"])


async def _add(lines: "Iterable[tuple[int, BotLine]]", settings: "Settings", rows: list[dict[str, Any]]) -> None:
    from botyard.accounts.batch_adding import add_line  # noqa: PLC0415
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    todo = list(lines)
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        with progress_bar("adding") as advance:
            for place, (customer_id, line) in enumerate(todo):
                advance(place, len(todo))
                rows.append(_row(line, await add_line(line, customer_id, request, settings, asyncio.sleep)))
    finally:
        await request.close()


def _row(line: "BotLine", outcome: "Outcome") -> dict[str, Any]:
    return {
        "telegram_id": line.telegram_id, "name": line.label, "result": outcome.result, "bot": outcome.bot_id,
        "says": outcome.says,
    }  # fmt: skip
