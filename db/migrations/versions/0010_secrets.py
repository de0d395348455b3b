"""A bot's secrets apart from its row, sealed for it alone; and the doors through which its updates come.

A bot's token may be replaced by another Telegram bot's: then updates of both still come, each by its own door.
"""

from alembic import op

from db.roles import role_names

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SECRETS = """
CREATE TABLE bot_secrets (
    bot_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    customer_id BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    key_id TEXT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_bot_secrets PRIMARY KEY (bot_id, name),
    CONSTRAINT fk_bot_secrets_bot_id FOREIGN KEY (bot_id) REFERENCES bots (id) ON DELETE CASCADE
);
CREATE INDEX ix_bot_secrets_key_id ON bot_secrets (key_id);
"""
# The code before this one writes no doors: so they may be missing, and the bot's own row has the one that there is.
DOORS = """
ALTER TABLE bot_identities ADD COLUMN public_id TEXT;
ALTER TABLE bot_identities ADD COLUMN secret_hash BYTEA;
ALTER TABLE bot_identities ADD COLUMN secret_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;
ALTER TABLE bot_identities ADD COLUMN previous_secret_hash BYTEA;
ALTER TABLE bot_identities ADD COLUMN previous_until TIMESTAMP WITH TIME ZONE;
ALTER TABLE bot_identities ADD COLUMN leaving_since TIMESTAMP WITH TIME ZONE;
ALTER TABLE bot_identities ADD CONSTRAINT uq_bot_identities_public_id UNIQUE (public_id);
CREATE INDEX ix_bot_identities_bot_id ON bot_identities (bot_id);
UPDATE bot_identities i SET public_id = b.public_id, secret_hash = b.webhook_secret_hash
  FROM bots b WHERE b.telegram_id = i.telegram_id AND b.id = i.bot_id;
ALTER TABLE bots ADD COLUMN picture TEXT;
ALTER TABLE bots ALTER COLUMN token_encrypted DROP NOT NULL;
ALTER TABLE bots ALTER COLUMN webhook_secret_encrypted DROP NOT NULL;
ALTER TABLE bots ALTER COLUMN webhook_secret_hash DROP NOT NULL;
"""


def upgrade() -> None:
    """Add the table, which only the system role may read; the release step then fills it."""
    _, system = role_names()
    op.execute(SECRETS)
    op.execute(DOORS)
    op.execute("ALTER TABLE bot_secrets ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE bot_secrets FORCE ROW LEVEL SECURITY")
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON bot_secrets TO "{system}"')


def downgrade() -> None:
    """Forget the sealed secrets. A bot whose own row has none must be added again."""
    op.execute("UPDATE bots SET token_encrypted = '' WHERE token_encrypted IS NULL")
    op.execute("UPDATE bots SET webhook_secret_encrypted = '' WHERE webhook_secret_encrypted IS NULL")
    op.execute("UPDATE bots SET webhook_secret_hash = '' WHERE webhook_secret_hash IS NULL")
    for column in ("token_encrypted", "webhook_secret_encrypted", "webhook_secret_hash"):
        op.execute(f"ALTER TABLE bots ALTER COLUMN {column} SET NOT NULL")
    op.execute("ALTER TABLE bots DROP COLUMN picture")
    op.execute("DROP INDEX ix_bot_identities_bot_id")
    for column in (
        "public_id", "secret_hash", "secret_since", "previous_secret_hash", "previous_until", "leaving_since",
    ):  # fmt: skip
        op.execute(f"ALTER TABLE bot_identities DROP COLUMN {column}")
    op.execute("DROP TABLE bot_secrets")
