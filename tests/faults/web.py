"""The web application with failpoints and planted bugs: ``uvicorn tests.faults.web:app``."""

from tests.faults.installing import install

install()

from botyard.web import app  # noqa: E402 - it is made when it is imported

__all__ = ["app"]
