"""Commands that are processes or steps of the formation: the supervisor starts them, and so does the Procfile."""

import asyncio
import os
from typing import Annotated

import typer


def migrate() -> None:
    """Create the database and its roles if they are missing, and bring the tables up to date."""
    _migrate()
    print("The database is up to date.")  # noqa: T201


def _migrate() -> None:
    from botyard.vault.key_use import check_keys  # noqa: PLC0415
    from botyard.vault.resealing import copy_older_secrets  # noqa: PLC0415
    from db.migrate import upgrade  # noqa: PLC0415

    # With a wrong key nothing is begun.
    check_keys()
    upgrade()
    copy_older_secrets()


def poller() -> None:
    """Fetch updates by long polling, for bots that no webhook can reach."""
    from botyard.running.first_polled import wait_for_polled_bot  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415

    wait_for_polled_bot(get_settings())
    from botyard.vault.key_use import check_keys  # noqa: PLC0415 - it knows the database

    check_keys()
    from botyard.polling import run as poll  # noqa: PLC0415 - only now, for what it weighs

    asyncio.run(poll())


def flower() -> None:
    """Show Celery's tasks: on the loopback, behind a password, read-only."""
    from botyard.running.flower import run as watch  # noqa: PLC0415

    watch()


def prepare(*, remember: Annotated[bool, typer.Option(help="Note it for the next start.")] = False) -> None:
    """What `botyard run` does before the workers start: migrate, and connect the demo bot."""
    from botyard.running.own_bots import connect_demo  # noqa: PLC0415
    from botyard.running.prepared import note_prepared  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415

    settings = get_settings()
    _migrate()
    asyncio.run(connect_demo(os.environ["BOTYARD_DEMO_TOKEN"]))
    if remember:
        note_prepared(settings.state_dir, settings)
