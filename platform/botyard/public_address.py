"""The address at which the world finds an installation, as Telegram takes it."""

from urllib.parse import urlsplit

# Source: https://core.telegram.org/bots/api#setwebhook
_WEBHOOK_PORTS = (443, 80, 88, 8443)


def unfit(public_url: str, api_url: str) -> str:
    """Why Telegram would not call this address; nothing if it would. The simulator on this machine is less strict."""
    try:
        parts = urlsplit(public_url)
        port = parts.port or 443
    except ValueError:
        return "is not an address, as https://bots.example.org"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not an address, as https://bots.example.org"
    if parts.username or parts.path not in ("", "/") or parts.query or parts.fragment:
        return "must be only a name and perhaps a port, as https://bots.example.org: Botyard adds the path itself"
    if is_loopback(parts.hostname) and is_loopback(urlsplit(api_url).hostname):
        return ""
    if parts.scheme == "http":
        return "must begin with https://, as Telegram asks for"
    if port not in _WEBHOOK_PORTS:
        return f"has port {port}, and Telegram calls only 443, 80, 88 and 8443; let a proxy listen on one of them"
    return ""


def is_loopback(host: str | None) -> bool:
    """Whether it is this machine itself."""
    return host in ("localhost", "127.0.0.1", "::1")
