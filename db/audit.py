"""What the record of changes keeps of a row: no secrets, and JSON."""

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import inspect

from botyard.telemetry.redaction import redact_tree
from db.models.base import Watched

_MASK: Final = "***"


def kept_values(row: Watched, values: dict[str, Any]) -> dict[str, Any]:
    """Columns' values as the record keeps them; what is masked shows only that it is there.

    Args:
        row: whose they are.
        values: by the names of its columns.
    """
    return {key: _kept(value, masked=key in row.__masked__) for key, value in values.items()}


def _kept(value: Any, *, masked: bool) -> Any:
    if value is None:
        return None
    if masked or isinstance(value, bytes | memoryview):
        return _MASK
    if isinstance(value, datetime | date):
        return value.isoformat()
    return redact_tree(value)


def entry(
    row: Watched, action: str, actor: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> dict[str, Any]:
    """A row of ``audit``: who did what to which row."""
    state = inspect(row)
    key = ":".join(str(part) for part in state.mapper.primary_key_from_instance(row))
    table = state.mapper.local_table.name
    own = getattr(row, "id", None)
    return {
        "customer_id": own if table == "customers" else getattr(row, "customer_id", None),
        "bot_id": own if table == "bots" else getattr(row, "bot_id", None),
        "actor": actor,
        "action": action,
        "entity": f"{table}:{key}",
        "before": before,
        "after": after,
    }
