"""Jobs of bots, which outlive the process that made them."""

from alembic import op

from db.roles import role_names

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JOBS = """
CREATE TABLE jobs (
    bot_id BIGINT NOT NULL,
    id TEXT NOT NULL,
    customer_id BIGINT DEFAULT '1' NOT NULL,
    name TEXT NOT NULL,
    callback TEXT NOT NULL,
    data JSONB NOT NULL,
    chat_id BIGINT,
    user_id BIGINT,
    chat_key TEXT NOT NULL,
    trigger JSONB NOT NULL,
    grace BIGINT,
    catches_up BOOLEAN DEFAULT false NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    next_run TIMESTAMP WITH TIME ZONE,
    due TIMESTAMP WITH TIME ZONE,
    firing_id BIGINT,
    firing_at TIMESTAMP WITH TIME ZONE,
    puts SMALLINT DEFAULT '0' NOT NULL,
    declared TEXT,
    declared_version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_jobs PRIMARY KEY (bot_id, id)
);
"""
INDEXES = (
    "CREATE INDEX ix_jobs_due ON jobs (due) WHERE due IS NOT NULL",
    "CREATE INDEX ix_jobs_name ON jobs (bot_id, name)",
    "CREATE INDEX ix_jobs_firing ON jobs (bot_id, firing_id) WHERE firing_id IS NOT NULL",
)
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the table with its policy."""
    application, system = role_names()
    op.execute(JOBS)
    for index in INDEXES:
        op.execute(index)
    op.execute("ALTER TABLE jobs ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE jobs FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON jobs USING ({TENANT}) WITH CHECK ({TENANT})")
    for role in (application, system):
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO "{role}"')


def downgrade() -> None:
    """Forget every job."""
    op.execute("DROP TABLE jobs")
