"""What handlers called at once, so that running them again calls nothing twice; and what buttons carry."""

from alembic import op

from db.roles import role_names

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JOURNAL = """
CREATE TABLE journal (
    bot_id BIGINT NOT NULL,
    scope TEXT NOT NULL,
    position BIGINT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    digest TEXT NOT NULL,
    answer JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_journal PRIMARY KEY (bot_id, scope, position)
);
"""
KEYBOARDS = """
CREATE TABLE keyboards (
    bot_id BIGINT NOT NULL,
    number TEXT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    buttons JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_keyboards PRIMARY KEY (bot_id, number)
);
"""
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the tables with their policies, which begin empty; from now on memory keeps the order of its keys."""
    op.execute("ALTER TABLE conversations ALTER COLUMN state TYPE json USING state::json")
    op.execute(JOURNAL)
    op.execute(KEYBOARDS)
    for table in ("journal", "keyboards"):
        op.execute(f"CREATE INDEX ix_{table}_created_at ON {table} (created_at)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({TENANT}) WITH CHECK ({TENANT})")
        for role in role_names():
            op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{role}"')


def downgrade() -> None:
    """Forget the answers, so that what runs again calls again; and what buttons carry."""
    op.execute("ALTER TABLE conversations ALTER COLUMN state TYPE jsonb USING state::jsonb")
    op.execute("DROP TABLE keyboards")
    op.execute("DROP TABLE journal")
