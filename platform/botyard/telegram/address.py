"""Where a method of the Bot API is called."""

from urllib.parse import urlsplit


def method_url(api_url: str, token: str, method: str) -> str:
    """The address of a method; it contains the token, so it must appear in no log and no error.

    Args:
        api_url: a bare base (``https://api.telegram.org``), the base with ``/bot``, python-telegram-bot's form with
            ``{token}``, or the plain ``https://api.telegram.org/test`` for the test environment.
        token: the bot's token.
        method: the method's name, as in ``sendMessage``.
    """
    return f"{base_url(api_url)}/{method}".replace("{token}", token)


def base_url(api_url: str) -> str:
    """An address in python-telegram-bot's form, with ``{token}`` where the token goes."""
    base = api_url.rstrip("/")
    if "{token}" in base:
        return base
    if base.endswith("/test"):
        return base.removesuffix("/test") + "/bot{token}/test"
    return base.removesuffix("/bot") + "/bot{token}"


def host_of(api_url: str) -> str:
    """The host of an address, for sentences; the address itself if it has none."""
    try:
        return urlsplit(api_url).hostname or api_url
    except ValueError:
        return api_url


def file_url(url: str) -> str:
    """Where files are fetched from, for the `base_url` of a Bot API. Source: https://core.telegram.org/bots/api#getfile."""
    return url.replace("/bot{token}", "/file/bot{token}")
