"""Files that Telegram has of a bot, and the messages of an album."""

from alembic import op

from db.roles import role_names

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MEDIA = """
CREATE TABLE media (
    bot_id BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    file_id TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_media PRIMARY KEY (bot_id, sha256, kind)
);
"""
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the table with its policy, and the column; both begin empty."""
    application, system = role_names()
    op.execute(MEDIA)
    op.execute("CREATE INDEX ix_media_used_at ON media (used_at)")
    op.execute("ALTER TABLE media ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE media FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON media USING ({TENANT}) WITH CHECK ({TENANT})")
    for role in (application, system):
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON media TO "{role}"')
    op.execute("ALTER TABLE outbox ADD COLUMN message_ids BIGINT[]")


def downgrade() -> None:
    """Forget which files Telegram has, and the later messages of albums."""
    op.execute("ALTER TABLE outbox DROP COLUMN message_ids")
    op.execute("DROP TABLE media")
