"""Entry points over HTTP, thin. ``uvicorn botyard.web:app``."""

from botyard.web.app import app

__all__ = ["app"]
