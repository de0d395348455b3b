"""What became of each bot's last health check, and what each did on each day."""

from alembic import op

from db.roles import role_names

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

HEALTH = """
CREATE TABLE bot_health (
    bot_id BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    state TEXT DEFAULT 'unknown' NOT NULL,
    reason TEXT,
    says TEXT,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE,
    next_check TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    contacted_at TIMESTAMP WITH TIME ZONE,
    proven_at TIMESTAMP WITH TIME ZONE,
    pending BIGINT,
    webhook_host TEXT,
    thief_host TEXT,
    thefts BIGINT DEFAULT '0' NOT NULL,
    take_back_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_bot_health PRIMARY KEY (bot_id),
    CONSTRAINT ck_bot_health_state CHECK (state IN ('unknown', 'ok', 'warning', 'trouble')),
    CONSTRAINT fk_bot_health_bot_id FOREIGN KEY (bot_id) REFERENCES bots (id) ON DELETE CASCADE
);
CREATE INDEX ix_bot_health_next_check ON bot_health (next_check);
CREATE TABLE bot_days (
    bot_id BIGINT NOT NULL,
    day DATE NOT NULL,
    customer_id BIGINT NOT NULL,
    updates BIGINT DEFAULT '0' NOT NULL,
    dead_updates BIGINT DEFAULT '0' NOT NULL,
    sent BIGINT DEFAULT '0' NOT NULL,
    unsent BIGINT DEFAULT '0' NOT NULL,
    uncertain BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_bot_days PRIMARY KEY (bot_id, day),
    CONSTRAINT fk_bot_days_bot_id FOREIGN KEY (bot_id) REFERENCES bots (id) ON DELETE CASCADE
);
"""
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the tables; those under the policies may look."""
    application, system = role_names()
    op.execute(HEALTH)
    for table in ("bot_health", "bot_days"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({TENANT}) WITH CHECK ({TENANT})")
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{system}"')
        op.execute(f'GRANT SELECT ON {table} TO "{application}"')


def downgrade() -> None:
    """Forget them."""
    op.execute("DROP TABLE bot_days, bot_health")
