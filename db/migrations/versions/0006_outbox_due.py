"""What can be sent is found without reading what waits: an index of what is due, and of what waits for a message."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_outbox_due": "outbox (bot_id, lane, due, id) WHERE state IN ('queued', 'retry')",
    "ix_outbox_put_off": "outbox (after_id) WHERE after_id IS NOT NULL AND due = 'infinity'",
}


def upgrade() -> None:
    """Build the indexes while senders go on writing; what is left of a build that was interrupted goes first."""
    with op.get_context().autocommit_block():
        # It waits for transactions that are under way, and nobody waits for it.
        op.execute("SET lock_timeout = '10min'")
        for name, what in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    """Drop the indexes; senders that do not put rows off would never look at those that are."""
    # The owner sees no customer's rows while the policy binds it too.
    op.execute("ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE outbox SET due = now() WHERE due = 'infinity'")
    op.execute("ALTER TABLE outbox FORCE ROW LEVEL SECURITY")
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
