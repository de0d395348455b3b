"""Whether the address that Telegram is given leads to this installation: a probe of our own goes there and comes back.

What another server answers cannot be taken for our answer: that needs the hash of the webhook's secret.
"""

import asyncio
import hmac
import secrets
from hashlib import sha256
from typing import Final

import aiohttp

from botyard.bots.connection.doors import PROBE, host_in, proof_of
from botyard.bots.connection.steps import Step

_SECONDS: Final = 8.0
_LONGEST_ANSWER: Final = 256
# A path or a secret that is a moment old may be unknown to a web process for a second.
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 1.1
_FIREWALL: Final = "Look at the firewall and the proxy; and whether this machine may reach its own public address."


async def prove(url: str, secret: str) -> Step:
    """Send a probe to a webhook's address; what came of it.

    Args:
        url: the address that Telegram was given.
        secret: the webhook's secret; it is shown to that address, as Telegram shows it.
    """
    nonce = secrets.token_urlsafe(16)
    expected = proof_of(sha256(secret.encode()).digest(), nonce)
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret, PROBE: nonce}
    host = host_in(url)
    for left in reversed(range(_TRIES)):
        try:
            status, answer = await _post(url, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Step("proof", "warning", *_of_error(host, error))
        if status not in (401, 404) or not left:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    if status == 200 and hmac.compare_digest(answer, expected.encode()):
        return Step("proof", "ok", f"A probe to {host} came back: its address leads here.")
    return Step("proof", "warning", *_of_status(host, status))


async def _post(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(url, headers=headers, data=b"", allow_redirects=False) as answer,
    ):
        return answer.status, await answer.content.read(_LONGEST_ANSWER)


def _of_error(host: str, error: Exception) -> tuple[str, str]:
    """What stood in the way, and what to do; the error's own text has the address in it."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"The name {host} is not known to the DNS.", "Correct PUBLIC_URL, or wait until the name is known."
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            f"The certificate of {host} is not accepted.",
            "It must be valid for this name, and be sent with its whole chain.",
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{host} does not speak TLS as it should.", "Look at the proxy's TLS."
    if isinstance(error, TimeoutError):
        return f"{host} did not answer a probe within {_SECONDS:.0f} seconds.", _FIREWALL
    if isinstance(error, aiohttp.ClientConnectorError):
        return (
            f"Nothing listens at {host}.",
            "Start the web process; if it runs, look whether the proxy leads to it, and at the firewall.",
        )
    return f"{host} broke off a probe ({type(error).__name__}).", _FIREWALL


def _of_status(host: str, status: int) -> tuple[str, str]:
    if status == 404:
        return (
            f"{host} answers 404 to a probe: another server, or a proxy that does not hand /webhook/ on.",
            "Let the proxy hand /webhook/ on to the web process.",
        )
    if status == 401:
        return (
            f"{host} answers 401 to a probe: another Botyard with another database answers there.",
            "Look where the proxy leads to.",
        )
    if status in (502, 503, 504):
        return f"{host} answers {status} to a probe: the web process cannot be reached, or is not ready.", (
            "See `botyard doctor` where the web process runs."
        )
    if status == 200:
        return f"Another server answers at {host}.", "Let PUBLIC_URL name the address of this installation."
    return f"{host} answers {status} to a probe.", "Look at the proxy: Telegram follows no redirections either."
