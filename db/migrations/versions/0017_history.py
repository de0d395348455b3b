"""What was said in a bot's chats, and what was never sent there, can be found: indexes, built while others go on."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_messages_bot": "messages (bot_id, id)",
    "ix_outbox_unsent": """outbox (bot_id, chat_key, id)
        WHERE state IN ('dead', 'uncertain', 'expired', 'dropped')""",
}


def upgrade() -> None:
    """Build them; what is left of a build that was interrupted goes first."""
    with op.get_context().autocommit_block():
        # They wait for transactions that are under way, and nobody waits for them.
        op.execute("SET lock_timeout = '10min'")
        for name, place in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {place}")
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    """Drop them."""
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
