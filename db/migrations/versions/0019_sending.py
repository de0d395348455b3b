"""What is being sent has an index of its own: who takes an outbox over reads that, and not all that waits there."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BEFORE = {"ix_outbox_open_due": "(due) WHERE state IN ('queued', 'retry', 'sending') AND due < 'infinity'"}
_NOW = {
    "ix_outbox_waiting_due": "(due) WHERE state IN ('queued', 'retry') AND due < 'infinity'",
    "ix_outbox_sending": "(bot_id, started_at) WHERE state = 'sending'",
}


def upgrade() -> None:
    """Build what takes its place first: the code before finds what it asks for all the time, if not by an index."""
    _replace(_BEFORE, _NOW)


def downgrade() -> None:
    """Build the one that was there."""
    _replace(_NOW, _BEFORE)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        # They wait for transactions that are under way, and nobody waits for them.
        op.execute("SET lock_timeout = '10min'")
        for name, place in new.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON outbox {place}")
        for name in old:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute("SET lock_timeout = '5s'")
