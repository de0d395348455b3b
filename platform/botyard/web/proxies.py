"""Where requests come from when proxies stand before the web process: limits of tries and rates count by it.

Only what trusted proxies say is believed, and of their ``X-Forwarded-For`` only what they have added: it is read from
its end to the first address that is no proxy's. Everything before that is what the caller has made up.
"""

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from botyard.settings import Settings


def behind_proxies(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application, with the caller's address as that of its connections.

    Uvicorn does the same for proxies on this machine (127.0.0.1) already; these are others, from ``TRUSTED_PROXIES``.
    """
    trusted = [str(network) for network in settings.trusted_networks]
    return ProxyHeadersMiddleware(app, trusted) if trusted else app  # type: ignore[arg-type,return-value]
