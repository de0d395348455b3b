"""Every configuration that a bot has had: who set it, when, and to go back to."""

from alembic import op

from db.roles import role_names

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CONFIGURATIONS = """
CREATE TABLE bot_configurations (
    bot_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    configuration JSONB NOT NULL,
    actor TEXT NOT NULL,
    note TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_bot_configurations PRIMARY KEY (bot_id, number),
    CONSTRAINT fk_bot_configurations_bot_id FOREIGN KEY (bot_id) REFERENCES bots (id) ON DELETE CASCADE
);
"""
TENANT = "customer_id = nullif(current_setting('app.tenant', true), '')::bigint"


def upgrade() -> None:
    """Add the table; what was configured stays as it is."""
    application, system = role_names()
    op.execute(CONFIGURATIONS)
    op.execute("ALTER TABLE bot_configurations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE bot_configurations FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON bot_configurations USING ({TENANT}) WITH CHECK ({TENANT})")
    op.execute(f'GRANT SELECT, INSERT ON bot_configurations TO "{system}"')
    op.execute(f'GRANT DELETE ON bot_configurations TO "{system}"')
    op.execute(f'GRANT SELECT ON bot_configurations TO "{application}"')


def downgrade() -> None:
    """Forget them."""
    op.execute("DROP TABLE bot_configurations")
