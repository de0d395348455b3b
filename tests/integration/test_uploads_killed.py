"""Workers that are killed around an upload, and how much memory one takes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from telegram.ext import CommandHandler

from botyard.bots.registry import ServedBot
from botyard.settings import Settings
from tests.factories import make_bot, message, until
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig, rig
from tests.integration.test_uploads import HOURS, PICTURE, age, kept, prune, rows
from tests.services import ROOT, Services

LEASE = {"lease_seconds": 0.6, "ticket_running_seconds": 0.6, "ticket_queued_seconds": 0.6, "backoff_seconds": 0.02}

WORKER = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from botyard.settings import get_settings
from tests.integration.rig import PACE, Rig
from tests.integration.test_uploads_killed import LEASE
from tests.services import Services

services = Services({}, "", get_settings().require("redis_url"))

async def work():
    changes = PACE | LEASE | {"media_dir": Path(sys.argv[1]), "api_timeout_seconds": 20.0}
    with ThreadPoolExecutor(4) as database:
        yard = Rig(services, get_settings().model_copy(update=changes), database)
        for _ in range(200):
            yard.tickets.sent += yard.keeper.sweep()
            while yard.tickets.sent:
                await yard.work(yard.tickets.sent.pop(0))
            await asyncio.sleep(0.05)

asyncio.run(work())
"""


async def _photo(update: Any, _: Any) -> None:
    await update.effective_message.reply_photo(PICTURE)
    if os.environ.get("DIE_AFTER_KEEPING"):
        os.kill(os.getpid(), signal.SIGKILL)


def sending(application: Any) -> None:
    application.add_handler(CommandHandler("photo", _photo))


@pytest.fixture
async def yard(clean: Services, settings: Settings, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(clean, settings, media_dir=tmp_path, **LEASE) as made:
        yield made


@pytest.fixture
def bot(yard: Rig, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(kind="tests.integration.test_uploads_killed:sending", api_url=api.url)


def worker(yard: Rig, **more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", WORKER, str(yard.settings.media_folder)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more})


async def ended(child: "subprocess.Popen[bytes]") -> int:
    return await asyncio.wait_for(asyncio.to_thread(child.wait), 20)


async def test_a_worker_that_is_killed_before_the_commit_leaves_a_file_and_nothing_else(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await yard.give(bot, message(1, "/photo"))
    yard.tickets.sent.clear()
    assert await ended(worker(yard, DIE_AFTER_KEEPING="1")) == -signal.SIGKILL
    assert len(kept(yard)) == 1
    assert rows(yard, "SELECT count(*) FROM outbox") == [(0,)]
    await yard.settle()
    assert [call.files["photo"][2] for call in api.calls] == [PICTURE], "the update is worked on again, and sends once"
    assert prune(yard) == 0
    age(yard)
    assert prune(yard) == 1
    assert kept(yard) == []
    assert yard.settings.media_keep_hours == HOURS


async def test_a_worker_that_is_killed_in_an_upload_has_it_repeated_and_marked(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    reached = asyncio.Event()

    async def stuck(_: web.Request, __: dict[str, Any]) -> web.Response:
        reached.set()
        await asyncio.sleep(20)
        return web.Response()

    api.script = [stuck]
    await yard.give(bot, message(1, "/photo"))
    yard.tickets.sent.clear()
    child = worker(yard)
    try:
        await until(reached.is_set, 20)
    finally:
        child.kill()
        await ended(child)
    await yard.deliver_until(bot, lambda: rows(yard, "SELECT state FROM outbox") == [("sent",)])
    assert [call.files["photo"][2] for call in api.calls] == [PICTURE, PICTURE]
    assert rows(yard, "SELECT uncertain_count FROM outbox") == [(1,)]


MEGABYTES = 40
UPLOAD = """
import asyncio, re, sys
from pathlib import Path
from botyard.media.store import FolderStore
from botyard.telegram.request import AiohttpRequest, Part, UploadBody

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

async def main(url, folder, name):
    request = AiohttpRequest(5)
    await request.post(url, UploadBody({"chat_id": 5}, []))
    before = peak()
    with FolderStore(Path(folder), 10**9).open(name) as content:
        part = Part("document", "a.bin", "application/octet-stream", content)
        await request.post(url, UploadBody({"chat_id": 5}, [part]))
    await request.close()
    streamed = peak()
    whole = (Path(folder) / name[:2] / name[2:4] / name).read_bytes()
    print(streamed - before, peak() - before)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_large_file_is_streamed_and_never_in_memory_as_a_whole(yard: Rig, api: FakeApi) -> None:
    content = os.urandom(1 << 20) * MEGABYTES
    name = yard.host.media.put(content).name
    command = [sys.executable, "-c", UPLOAD, f"{api.url}/bot1:x/sendDocument", str(yard.settings.media_folder), name]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert api.calls[1].files["document"][2] == content
    streamed, whole = map(float, ran.stdout.split())
    print(f"the peak of the resident memory grew by {streamed:.1f} MiB")
    assert streamed < 8
    assert whole > MEGABYTES - 8, "the measure would have shown it"
