"""What every table shares."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The root of Botyard's tables."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


class Watched:
    """A row whose changes are told to every process after the commit, and recorded; see `db.changes`."""

    __topic__: str
    """Under which name, as ``bots`` in ``bots.updated``."""
    __topic_key__: str = "id"
    """The attribute that says whose change it is."""
    __masked__: frozenset[str] = frozenset()
    """What the record shows as ``***``."""


class CustomerOwned:
    """A row that belongs to one customer; row-level security compares ``customer_id`` with ``app.tenant``."""

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), server_default="1")


class BotOwned:
    """A row of one bot, written for every update.

    No foreign keys here: the check of two of them costs more than the insert itself, on rows that every update
    writes. Row-level security checks the customer, and a bot is removed by a service that removes these rows.
    """

    bot_id: Mapped[int]
    customer_id: Mapped[int] = mapped_column(server_default="1")


class Created:
    """A row that knows when it was made."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
