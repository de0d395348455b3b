"""Flower, never open: bound to the loopback, behind a password, read-only. See docs/watching.md."""

import os
import secrets
import sys
from pathlib import Path

from botyard.settings import get_settings


def run() -> None:
    """Become Flower. Without FLOWER_PASSWORD one is made up and printed."""
    settings = get_settings()
    if settings.flower_password is None:
        password = secrets.token_urlsafe(18)
        print(f"Flower: user {settings.flower_user}, password {password}", flush=True)  # noqa: T201
    else:
        password = settings.flower_password.get_secret_value()
    celery = str(Path(sys.executable).parent / "celery")
    words = [celery, "--quiet", "-A", "tasks", "flower"]
    # By environment and not by argument: arguments are visible to every user of the machine.
    chosen = {
        "FLOWER_BASIC_AUTH": f"{settings.flower_user}:{password}",
        "FLOWER_ADDRESS": settings.flower_host,
        "FLOWER_PORT": str(settings.flower_port),
        "FLOWER_URL_PREFIX": "flower",
        "FLOWER_READ_ONLY": "true",
        "FLOWER_COOKIE_SECRET": secrets.token_urlsafe(32),
        "FLOWER_LOGGING": "warning",
    }
    os.execve(celery, words, {**os.environ, **chosen})  # noqa: S606 - a program of this environment, no shell
