from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from botyard.mailbox.keeping import Keeper
from botyard.settings import Settings
from tests.factories import TIMES, make_bot
from tests.services import Services

CANARY = "a-word-that-only-a-customer-wrote"


@pytest.fixture
def filled(clean: Services, raw_valkey: "redis.Redis") -> Services:
    """Rows of two customers, and updates that wait."""
    ((second,),) = clean.superuser("INSERT INTO customers (name, username) VALUES ('Two', 'two') RETURNING id")
    for number, customer in ((1, 1), (2, second)):
        bot = make_bot(4_200_000_000 + number, customer_id=customer, token=f"{4_200_000_000 + number}:{'a' * 35}")
        clean.superuser(
            "INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, text)"  # noqa: S608 - our own words
            f" SELECT {bot.id}, {customer}, n::text, 'in', 'text', '{CANARY} ' || n FROM generate_series(1, 500) n",
            "INSERT INTO outbox (bot_id, customer_id, chat_key, lane, method, params)"  # noqa: S608 - our own words
            f" VALUES ({bot.id}, {customer}, '5', 1, 'sendMessage', '{{\"chat_id\": 5, \"text\": \"hi\"}}')",
        )
    keeper = Keeper(raw_valkey, TIMES)
    for update in range(3):
        keeper.accept(4_200_000_001, "5", update, b'1 {"update_id": 1}')
    return clean


@pytest.fixture
def settings(filled: Services, tmp_path: Path) -> Settings:
    return Settings.model_validate({"backup_dir": tmp_path / "backups", "backup_verify_url": filled.postgres_url})


@pytest.fixture
def empty_database(filled: Services) -> Iterator[str]:
    filled.superuser("CREATE DATABASE elsewhere TEMPLATE template0", database="postgres")
    yield filled.postgres_url.rpartition("/")[0] + "/elsewhere"
    filled.superuser("DROP DATABASE elsewhere WITH (FORCE)", database="postgres")
