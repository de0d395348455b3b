"""Where updates go: setWebhook, deleteWebhook, getWebhookInfo."""

import ipaddress
import re
from urllib.parse import urlsplit

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, Described, method
from botyard.simulator.model import DEFAULT_CONNECTIONS, Bot, Json, Webhook
from botyard.simulator.params import Params
from botyard.simulator.updates import drop_expired
from botyard.simulator.world import World

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
MOST_CONNECTIONS = 100
URL_LIMIT = 2048


@method("setWebhook")
def set_webhook(call: Call) -> Described:
    """Send updates to a URL from now on; an empty URL deletes the webhook."""
    params, bot = call.params, call.bot
    url = params.text("url")
    if not url:
        return delete_webhook(call)
    _check_url(url)
    webhook = Webhook(url, _secret(params), _connections(params))
    allowed = allowed_updates(params, bot.allowed_updates)
    drop = params.flag("drop_pending_updates")
    if not drop and _same(bot.webhook, webhook) and allowed == bot.allowed_updates:
        return Described(True, "Webhook is already set")
    bot.webhook = webhook
    bot.allowed_updates = allowed
    _changed(call.world, bot, drop=drop)
    return Described(True, "Webhook was set")


@method("deleteWebhook")
def delete_webhook(call: Call) -> Described:
    """Keep updates for getUpdates from now on."""
    bot = call.bot
    drop = call.params.flag("drop_pending_updates")
    if bot.webhook is None and not drop:
        return Described(True, "Webhook is already deleted")
    bot.webhook = None
    _changed(call.world, bot, drop=drop)
    return Described(True, "Webhook was deleted")


@method("getWebhookInfo")
def get_webhook_info(call: Call) -> Json:
    """Return the bot's ``WebhookInfo``."""
    return webhook_info(call.world, call.bot)


def webhook_info(world: World, bot: Bot) -> Json:
    """Return a ``WebhookInfo``: where updates go, how many wait, what went wrong last."""
    drop_expired(world, bot)
    webhook = bot.webhook
    info: Json = {
        "url": webhook.url if webhook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.pending),
    }
    if webhook:
        info["max_connections"] = webhook.max_connections
        info["ip_address"] = "127.0.0.1"
        if webhook.last_error_date:
            info["last_error_date"] = webhook.last_error_date
            info["last_error_message"] = webhook.last_error_message
    if bot.allowed_updates:
        info["allowed_updates"] = bot.allowed_updates
    return info


def allowed_updates(params: Params, before: list[str] | None) -> list[str] | None:
    """Read ``allowed_updates``: absent keeps the list, empty means the default kinds."""
    wanted = params.items("allowed_updates")
    if wanted is None:
        return before
    if not all(isinstance(kind, str) for kind in wanted):
        raise bad_request("can't parse allowed_updates: Expected an Array of String")
    return list(wanted) or None


def _same(old: Webhook | None, new: Webhook) -> bool:
    return old is not None and (old.url, old.secret_token, old.max_connections) == (
        new.url,
        new.secret_token,
        new.max_connections,
    )


def _changed(world: World, bot: Bot, *, drop: bool) -> None:
    if drop:
        bot.pending.clear()
    world.revision += 1
    if world.listener:
        world.listener.webhook_changed(bot)


def _connections(params: Params) -> int:
    wanted = params.integer("max_connections", DEFAULT_CONNECTIONS)
    return min(max(wanted, 1), MOST_CONNECTIONS)


def _secret(params: Params) -> str:
    secret = params.text("secret_token")
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    return secret


def _check_url(url: str) -> None:
    """Refuse what Telegram refuses, but let plain HTTP reach this machine."""
    if len(url) > URL_LIMIT:
        raise _bad_webhook("url is too long")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        raise _bad_webhook("invalid webhook URL specified") from None
    if not host or port == 0 or parts.scheme not in {"http", "https"}:
        raise _bad_webhook("invalid webhook URL specified")
    if parts.scheme == "http" and not _is_local(host):
        raise _bad_webhook("An HTTPS URL must be provided for webhook")


def _bad_webhook(words: str) -> ApiError:
    return bad_request(f"bad webhook: {words}")


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
