"""Whoever watches an operation is told that it has changed.

Its row is none that `db.changes` records: a line in the record for each step of its progress would say nothing.
"""

from botyard.sync import get_sync


def tell(number: int, version: int, customer_id: int | None) -> None:
    """Say that an operation has changed, after the commit."""
    get_sync().publish("operations.updated", {"id": number, "version": version, "customer": customer_id})
