"""``botyard operation``: work that takes longer, how far it is, and ending it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from botyard.commands.output import AsJson, attached, show, show_one

if TYPE_CHECKING:
    from db.models import Operation

app = typer.Typer(help="Work that takes longer: exports, imports, erasures and the like.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Its number.")]


@app.command(name="list")
def list_operations(
    *,
    kind: Annotated[str | None, typer.Option(help="Of this kind only, as bot.export.")] = None,
    state: Annotated[
        str | None, typer.Option(help="In this state only: queued, running, done, failed, cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List operations, the latest first; each is kept for thirty days after its end."""
    from botyard.operations.reading import Filter, latest  # noqa: PLC0415

    attached()
    rows = [_line(one) for one in latest(Filter(kind=kind, state=state), limit)]
    show(rows, as_json=as_json, nothing="There is no operation.")


@app.command(name="show")
def show_operation(number: Number, *, as_json: AsJson = False) -> None:
    """Show one: how far it is, what came of it, or why it failed."""
    from botyard.operations.beginning import without_private  # noqa: PLC0415

    attached()
    row = _operation(number)
    result = None if row.result is None else without_private(row.result)
    show_one(_line(row) | {"result": result, "error": row.error}, as_json=as_json)


@app.command()
def cancel(number: Number, *, as_json: AsJson = False) -> None:
    """End one: at once if it waits, at its next step if it runs. What it has done stays done."""
    from botyard.operations.ending import cancel as end  # noqa: PLC0415

    attached()
    show_one(_line(end(number)), as_json=as_json)


def _operation(number: int) -> "Operation":
    from botyard.errors import InputError  # noqa: PLC0415
    from botyard.operations.reading import operation  # noqa: PLC0415

    found = operation(number)
    if found is None:
        raise InputError("operation", f"{number} is not here.", "See `botyard operation list`.")
    return found


def _line(row: "Operation") -> dict[str, Any]:
    return {
        "id": row.id, "kind": row.kind, "state": row.state, "customer": row.customer_id, "bot": row.bot_id,
        "by": row.actor, "done": row.done, "total": row.total, "created": row.created_at, "finished": row.finished_at,
    }  # fmt: skip
