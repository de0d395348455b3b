"""Dead letters can be replayed: what was put in their place, and when."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two columns; both are empty until a letter is replayed."""
    op.execute("ALTER TABLE dead_letters ADD COLUMN replay_id BIGINT, ADD COLUMN replayed_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    """Forget what was replayed."""
    op.execute("ALTER TABLE dead_letters DROP COLUMN replay_id, DROP COLUMN replayed_at")
