"""Alembic's environment: migrations run as the owner, with short lock timeouts, one revision per transaction."""

import time

from alembic import context
from sqlalchemy import text

from db.engine import get_engine
from db.models import Base
from db.roles import ensure_roles

with get_engine("owner").connect() as connection:
    # Two releases at once: the second one waits here and then finds nothing to do. It asks again and again, for an
    # index that is built CONCURRENTLY waits for every statement that is under way, also for one that waits for us.
    while not connection.execute(text("SELECT pg_try_advisory_lock(7283640)")).scalar():
        connection.commit()
        time.sleep(0.2)
    ensure_roles(connection)
    connection.commit()
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(7283640)"))
    connection.commit()
