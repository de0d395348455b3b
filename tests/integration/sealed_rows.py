"""Bots as older code has left them, and many at once."""

from hashlib import sha256
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import insert

from botyard.vault.opening import open_sealed
from botyard.vault.sealed import SealedSecret, token_of, webhook_of
from botyard.vault.sealing import seal
from db.engine import get_sessions
from db.models import Bot, BotIdentity, BotSecret
from tests.services import Services

FIRST = 4_210_000_000


def token(number: int) -> str:
    return f"{FIRST + number}:AAE-an_invented-token_of-35-character"


def webhook_secret(number: int) -> str:
    return f"the-webhook-secret-of-{number}"


def _bot(number: int) -> dict[str, Any]:
    return {
        "customer_id": 1, "telegram_id": FIRST + number, "public_id": f"public-{FIRST + number}", "kind": "demo",
        "name": "Test bot", "username": f"test_{number}_bot", "api_url": "http://127.0.0.1:1",
    }  # fmt: skip


def older_bots(key: str, count: int, first: int = 0) -> list[int]:
    """Bots as the code before this one writes them; the numbers of their rows."""
    fernet, numbers = Fernet(key), range(first, first + count)
    rows = [
        _bot(number)
        | {
            "token_encrypted": fernet.encrypt(token(number).encode()),
            "webhook_secret_encrypted": fernet.encrypt(webhook_secret(number).encode()),
            "webhook_secret_hash": sha256(webhook_secret(number).encode()).digest(),
        }
        for number in numbers
    ]
    with get_sessions("system").begin() as session:
        ids = list(session.scalars(insert(Bot).returning(Bot.id, sort_by_parameter_order=True), rows))
        named = [
            {"telegram_id": FIRST + number, "bot_id": bot, "customer_id": 1}
            for bot, number in zip(ids, numbers, strict=True)
        ]
        session.execute(insert(BotIdentity), named)
    return ids


def sealed_bots(count: int) -> list[int]:
    """Bots with their secrets under the newest key; the numbers of their rows."""
    with get_sessions("system").begin() as session:
        statement = insert(Bot).returning(Bot.id, sort_by_parameter_order=True)
        ids = list(session.scalars(statement, [_bot(number) for number in range(count)]))
        rows = []
        for number, bot in enumerate(ids):
            for name, secret in (
                (token_of(FIRST + number), token(number)), (webhook_of(FIRST + number), webhook_secret(number))
            ):  # fmt: skip
                kept, key_id = seal(bot, name, secret)
                rows.append({"bot_id": bot, "name": name, "customer_id": 1, "sealed": kept, "key_id": key_id})
        session.execute(insert(BotSecret), rows)
    return ids


def stored(services: Services) -> list[tuple[SealedSecret, str]]:
    """Every sealed secret, and the key that its row names."""
    rows = services.superuser("SELECT bot_id, name, sealed, key_id FROM bot_secrets ORDER BY bot_id, name")
    return [(SealedSecret(bot_id, name, bytes(sealed)), key_id) for bot_id, name, sealed, key_id in rows]


def opened(services: Services) -> dict[tuple[int, str], str]:
    """Every secret in clear."""
    return {(secret.bot_id, secret.name): open_sealed(secret) for secret, _ in stored(services)}
