"""The people of bots; customers that were removed and are kept for a while."""

from alembic import op

from db.roles import role_names

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

USERS = """
CREATE TABLE bot_users (
    bot_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    first_name TEXT DEFAULT '' NOT NULL,
    last_name TEXT,
    username TEXT,
    language_code TEXT,
    is_premium BOOLEAN DEFAULT false NOT NULL,
    language TEXT,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    attributes JSONB DEFAULT '{}' NOT NULL,
    first_seen TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_bot_users PRIMARY KEY (bot_id, user_id)
);
CREATE INDEX ix_bot_users_last_seen ON bot_users (bot_id, last_seen, user_id);
"""
CHANGED = (
    "first_name", "last_name", "username", "language_code", "is_premium", "language", "tags", "attributes", "last_seen",
    "version",
)  # fmt: skip
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the table, and the time that a removed customer is kept."""
    application, system = role_names()
    op.execute(USERS)
    op.execute("ALTER TABLE bot_users ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE bot_users FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON bot_users USING ({TENANT}) WITH CHECK ({TENANT})")
    own_bot = "EXISTS (SELECT 1 FROM bots WHERE bots.id = bot_id)"
    op.execute(f"CREATE POLICY own_bot ON bot_users AS RESTRICTIVE FOR INSERT WITH CHECK ({own_bot})")
    op.execute(f'GRANT SELECT, INSERT, DELETE, UPDATE ({", ".join(CHANGED)}) ON bot_users TO "{application}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON bot_users TO "{system}"')
    op.execute("ALTER TABLE customers ADD COLUMN purge_after TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    """Forget them."""
    op.execute("ALTER TABLE customers DROP COLUMN purge_after")
    op.execute("DROP TABLE bot_users")
