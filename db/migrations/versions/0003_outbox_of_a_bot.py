"""All of a bot's outbox can be found without reading everybody's: an index, built while senders go on writing."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index; what is left of a build that was interrupted goes first."""
    with op.get_context().autocommit_block():
        # It waits for transactions that are under way, and nobody waits for it.
        op.execute("SET lock_timeout = '10min'")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_outbox_bot")
        op.execute("CREATE INDEX CONCURRENTLY ix_outbox_bot ON outbox (bot_id, id)")
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_outbox_bot")
