"""Where requests come from when proxies stand before the web process: limits of tries and rates count by it.

Only what trusted proxies say is believed, and of their ``X-Forwarded-For`` only what they have added: it is read from
its end to the first address that is no proxy's. Everything before that is what the caller has made up.
"""

from typing import Final

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from botyard.settings import Settings

_HERE: Final = "127.0.0.1"


def behind_proxies(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application, with the caller's address as that of its connections.

    Proxies on this machine are believed, and those of ``TRUSTED_PROXIES``. Uvicorn could do that (``--proxy-headers``),
    but would do it for each update, too, of which nobody asks where it comes from.
    """
    trusted = [_HERE, *map(str, settings.trusted_networks)]
    return ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type,return-value]
