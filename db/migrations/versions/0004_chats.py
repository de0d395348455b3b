"""What is known of chats, dead letters that can be told apart by their cause, and for what everything waited."""

from alembic import op

from db.roles import role_names

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHATS = """
CREATE TABLE chats (
    bot_id BIGINT NOT NULL,
    chat_key TEXT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    unreachable_since TIMESTAMP WITH TIME ZONE,
    unreachable_reason TEXT,
    reachable_at TIMESTAMP WITH TIME ZONE,
    moved_to TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_chats PRIMARY KEY (bot_id, chat_key)
);
"""
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the table with its policy, and the columns; all begin empty."""
    application, system = role_names()
    op.execute(CHATS)
    op.execute("ALTER TABLE chats ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE chats FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON chats USING ({TENANT}) WITH CHECK ({TENANT})")
    for role in (application, system):
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON chats TO "{role}"')
    op.execute("ALTER TABLE dead_letters ADD COLUMN fingerprint TEXT")
    op.execute("ALTER TABLE inbox ADD COLUMN started_at TIMESTAMP WITH TIME ZONE, ADD COLUMN attempt BIGINT")
    op.execute("ALTER TABLE outbox ADD COLUMN waits JSONB")
    op.execute("CREATE INDEX ix_dead_letters_fingerprint ON dead_letters (bot_id, fingerprint, id)")


def downgrade() -> None:
    """Forget who cannot be reached and which group moved."""
    op.execute("ALTER TABLE outbox DROP COLUMN waits")
    op.execute("ALTER TABLE inbox DROP COLUMN started_at, DROP COLUMN attempt")
    op.execute("DROP INDEX ix_dead_letters_fingerprint")
    op.execute("ALTER TABLE dead_letters DROP COLUMN fingerprint")
    op.execute("DROP TABLE chats")
