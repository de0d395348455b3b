"""Entry points over HTTP, thin. ``uvicorn botyard.web:app``."""

from typing import Any

from botyard.garbage import look_seldom


def __getattr__(name: str) -> Any:
    """``app``, built when a server asks for it: importing a module of this package must build nothing."""
    if name != "app":
        raise AttributeError(name)
    look_seldom()
    from botyard.web.front import build_app  # noqa: PLC0415

    globals()[name] = build_app()
    return globals()[name]
