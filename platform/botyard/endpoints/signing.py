"""Signatures of the Standard Webhooks 1.0.0. Secrets are opened here: the web process never imports it.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from botyard.endpoints.managing import SECRET_PREFIX
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import ENDPOINT, SealedSecret


def signed_headers(message_id: int, at: int, body: bytes, endpoint_id: int, sealed: Sequence[bytes]) -> dict[str, str]:
    """The headers of one attempt to deliver a message.

    Args:
        message_id: its number; the same at every attempt.
        at: when it is sent, in seconds.
        body: what is sent.
        endpoint_id: where to.
        sealed: the secrets that are valid now, the newest first.

    Raises:
        InputError: a secret cannot be opened.
    """
    named = f"msg_{message_id}"
    signed = b"%b.%d.%b" % (named.encode(), at, body)
    signatures = [_signature(open_sealed(SealedSecret(endpoint_id, ENDPOINT, one)), signed) for one in sealed]
    return {
        "Content-Type": "application/json",
        "webhook-id": named,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
