from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from telegram import Update
from telegram.request import BaseRequest

from botyard.media.store import FolderStore
from botyard.state.memory import Memory
from botyard.telegram.application import YardApplication
from botyard.telegram.loading import build
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.run import UpdateRun
from tests.factories import TELEGRAM_ID, TOKEN

PROFILE = {"id": TELEGRAM_ID, "is_bot": True, "first_name": "Demo", "username": "demo_bot"}


class NoNetwork(BaseRequest):
    """Notes the calls that would go to Telegram at once, and answers each with ``True``."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def read_timeout(self) -> float:
        return 5

    async def initialize(self) -> None:
        pass

    async def shutdown(self) -> None:
        pass

    async def do_request(
        self, url: str, method: str, request_data: Any = None, *_: Any, **__: Any
    ) -> tuple[int, bytes]:
        assert method == "POST"
        parameters = request_data.parameters if request_data else {}
        self.calls.append((url.rsplit("/", 1)[1], parameters))
        return 200, b'{"ok":true,"result":true}'


class Talk:
    """An application, and the memory that goes from update to update."""

    def __init__(self, application: YardApplication, network: NoNetwork) -> None:
        self.application = application
        self.network = network
        self.chat, self.user, self.bot = Memory(), Memory(), Memory()

    async def give(self, update: dict[str, Any], *, last_attempt: bool = False) -> UpdateRun:
        """Handle an update; its run, with what was sent and what went wrong."""
        read = Update.de_json(update, self.application.bot)
        chat_id = read.effective_chat.id if read.effective_chat else None
        user_id = read.effective_user.id if read.effective_user else None
        run = UpdateRun(read.update_id, str(chat_id), chat_id, user_id, last_attempt)
        run.chat, run.user, run.bot = self.chat, self.user, self.bot
        await self.application.run(read, run)
        return run


Start = Callable[[Callable[..., None]], Awaitable[Talk]]


@pytest.fixture
def talk_with(tmp_path: Path) -> Start:
    """An initialised application of a kind, without a network."""

    async def start(kind: Callable[..., None]) -> Talk:
        network = NoNetwork()
        url, media = "http://127.0.0.1:1/bot{token}", FolderStore(tmp_path, 1000)
        application = build(kind, lambda options: OutboxBot(TOKEN, url, network, PROFILE, media=media, options=options))
        await application.initialize()
        return Talk(application, network)

    return start
