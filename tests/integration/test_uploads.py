"""Files that handlers upload, from the handler to the Bot API: kept, streamed once, then sent by their ids."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from telegram import InputMediaDocument, InputMediaPhoto, InputMediaVideo
from telegram.ext import CommandHandler

from botyard.bots.registry import ServedBot
from botyard.delivery.sender import Sender
from botyard.mailbox.leases import Lease
from botyard.media.attached import FILES
from botyard.media.store import FolderStore
from botyard.processing.retention import prune_media
from botyard.settings import Settings
from botyard.telegram.request import UPLOAD_SECONDS
from tasks.processes import WorkerProcess
from tests.factories import CHAT, TELEGRAM_ID, make_bot, message, until
from tests.integration.fake_api import FakeApi, cut, error
from tests.integration.outbox_tools import add_row, column, outbox_of
from tests.integration.rig import Rig, rig
from tests.services import Services

PICTURE = bytes(range(256)) * 40
KIND = "tests.integration.test_uploads:sending"
HOURS = 48.0


async def _photo(update: Any, _: Any) -> None:
    await update.effective_message.reply_text("before")
    await update.effective_message.reply_photo(PICTURE, caption="c", filename="a.jpg")
    await update.effective_message.reply_text("after")


async def _report(update: Any, _: Any) -> None:
    await update.effective_message.reply_document(
        b"pages", filename='a "new"\r\nreport ä.pdf', thumbnail=b"small", caption="2 pages"
    )


async def _album(update: Any, context: Any) -> None:
    album = [InputMediaPhoto(PICTURE, caption="1"), InputMediaVideo(b"film", caption="2"), InputMediaPhoto("known")]
    sent = await context.bot.send_media_group(update.effective_chat.id, album)
    context.chat_data["second"] = sent[1].message_id
    await sent[2].reply_text("what a picture", do_quote=True)


async def _second(update: Any, context: Any) -> None:
    await context.bot.edit_message_caption(
        update.effective_chat.id, context.chat_data["second"], caption="a film"
    )  # fmt: skip


async def _change(update: Any, _: Any) -> None:
    sent = await update.effective_message.reply_photo("known")
    await sent.edit_media(InputMediaDocument(b"pages", filename="a.pdf"))


async def _broken(update: Any, _: Any) -> None:
    await update.effective_message.reply_photo(PICTURE)
    raise ValueError("after the file was kept")


def sending(application: Any) -> None:
    commands = {
        "photo": _photo, "report": _report, "album": _album, "second": _second, "change": _change, "broken": _broken,
    }  # fmt: skip
    for name, handler in commands.items():
        application.add_handler(CommandHandler(name, handler))


@pytest.fixture
async def yard(clean: Services, settings: Settings, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(clean, settings, media_dir=tmp_path, max_attempts=1) as made:
        yield made


@pytest.fixture
def bot(yard: Rig, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(kind=KIND, api_url=api.url)


async def say(yard: Rig, bot: ServedBot, number: int, text: str, **settling: Any) -> None:
    await yard.give(bot, message(number, text))
    await yard.settle(**settling)


def kept(yard: Rig) -> list[Path]:
    return [path for path in yard.settings.media_folder.glob("??/??/*") if path.is_file()]


def age(yard: Rig) -> None:
    then = time.time() - (HOURS + 1) * 3600
    for path in kept(yard):
        os.utime(path, (then, then))


def prune(yard: Rig) -> int:
    return prune_media(FolderStore(yard.settings.media_folder, 1), HOURS)


def rows(yard: Rig, query: str) -> list[tuple[Any, ...]]:
    return yard.services.superuser(query)


async def test_a_file_goes_in_its_place_in_the_chat_and_byte_for_byte(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/photo", sending=False)
    assert api.calls == [], "nothing goes before the commit, files neither"
    assert len(kept(yard)) == 1
    await yard.settle()
    assert [call.method for call in api.calls] == ["sendMessage", "sendPhoto", "sendMessage"]
    photo = api.calls[1]
    assert photo.files == {"photo": ("a.jpg", "image/jpeg", PICTURE)}
    assert photo.params == {"chat_id": CHAT, "caption": "c"}
    assert rows(yard, "SELECT kind, text FROM messages WHERE kind = 'sendPhoto'") == [("sendPhoto", "c")]


async def test_a_second_send_of_the_content_uses_its_id_and_another_bot_has_its_own(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await say(yard, bot, 1, "/photo")
    await say(yard, bot, 2, "/photo")
    first, second = (call for call in api.calls if call.method == "sendPhoto")
    assert second.files == {}
    assert second.params == {"chat_id": CHAT, "caption": "c", "photo": "id-1002"}, "the largest size"
    other = make_bot(TELEGRAM_ID + 1, kind=KIND, api_url=api.url)
    await say(yard, other, 1, "/photo")
    assert [call.files for call in api.calls if call.method == "sendPhoto"] == [first.files, {}, first.files]
    assert rows(yard, "SELECT bot_id, customer_id, kind, size FROM media ORDER BY bot_id") == [
        (bot.id, 1, "photo", len(PICTURE)),
        (other.id, 1, "photo", len(PICTURE)),
    ]


async def test_a_refused_id_is_forgotten_and_its_file_uploaded_once_more(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await say(yard, bot, 1, "/photo")
    api.script = [_ok, error(400, "Bad Request: wrong file identifier/HTTP URL specified")]
    await say(yard, bot, 2, "/photo")
    photos = [call for call in api.calls if call.method == "sendPhoto"]
    assert [set(call.files) for call in photos] == [{"photo"}, set(), {"photo"}]
    assert rows(yard, "SELECT state, failures, uncertain_count FROM outbox WHERE method = 'sendPhoto'") == [
        ("sent", 0, 0),
        ("sent", 0, 0),
    ]
    assert rows(yard, "SELECT file_id FROM media") != [("id-1002",)]
    assert api.texts == ["before", "after"] * 2, "in order all the same"


async def test_another_refusal_leaves_the_ids_alone(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/photo")
    api.script = [_ok, error(400, "Bad Request: message caption is too long")]
    await say(yard, bot, 2, "/photo")
    assert rows(yard, "SELECT file_id FROM media") == [("id-1002",)]
    assert rows(yard, "SELECT count(*) FROM dead_letters") == [(1,)]


async def _ok(_: web.Request, params: dict[str, Any]) -> web.Response:
    chat = {"id": params["chat_id"], "type": "private"}
    return web.json_response({"ok": True, "result": {"message_id": 1500, "date": 1, "chat": chat}})


async def test_a_name_arrives_as_it_is_and_breaks_no_form(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/report")
    (call,) = api.calls
    name, kind, content = call.files["document"]
    assert name.replace("\\", "") == 'a "new"__report ä.pdf'
    assert (kind, content) == ("application/pdf", b"pages")
    field = call.params["thumbnail"].removeprefix("attach://")
    assert call.files[field][2] == b"small"
    await say(yard, bot, 2, "/report")
    assert api.calls[1].files == {}
    assert set(api.calls[1].params) == {"chat_id", "document", "caption"}, "a thumbnail goes with an upload only"


async def test_an_album_is_one_call_whose_messages_can_all_be_referred_to(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await say(yard, bot, 1, "/album")
    album, reply = api.calls
    assert [item["type"] for item in album.params["media"]] == ["photo", "video", "photo"]
    uploaded = [item["media"].removeprefix("attach://") for item in album.params["media"][:2]]
    assert [album.files[field][2] for field in uploaded] == [PICTURE, b"film"]
    assert album.params["media"][2]["media"] == "known"
    assert reply.params["reply_parameters"]["message_id"] == 1003
    assert rows(yard, "SELECT n, message_id, message_ids FROM outbox ORDER BY id") == [
        (1, 1001, [1001, 1002, 1003]),
        (4, 1004, None),
    ]
    history = rows(yard, "SELECT message_id, text FROM messages WHERE direction = 'out' ORDER BY id")
    assert history == [(1001, "1"), (1002, "2"), (1003, None), (1004, "what a picture")]
    await say(yard, bot, 2, "/second")
    assert api.calls[-1].params["message_id"] == 1002, "in a later update too"
    waited_for = "SELECT after_id = (SELECT min(id) FROM outbox) FROM outbox ORDER BY id OFFSET 1"
    assert rows(yard, waited_for) == [(True,), (None,)], "what refers to one of them waits for an album that is unsent"
    await say(yard, bot, 3, "/album")
    again = [call for call in api.calls if call.method == "sendMediaGroup"][-1]
    assert again.files == {}
    assert [item["media"] for item in again.params["media"]] == ["id-1001", "id-1002", "known"]


async def test_an_album_that_was_refused_takes_what_refers_to_it_with_it(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    api.script = [error(400, "Bad Request: too few messages to send as an album")]
    await say(yard, bot, 1, "/album")
    await say(yard, bot, 2, "/second")
    assert rows(yard, "SELECT state FROM outbox ORDER BY id") == [("dead",)] * 3
    assert len(api.calls) == 1


async def test_an_album_counts_as_many_messages_as_it_has(clean: Services, settings: Settings, api: FakeApi) -> None:
    async with rig(clean, settings, limit_private_burst=3, limit_private_per_second=0.01) as yard:
        bot = make_bot(api_url=api.url)
        media = [{"type": "photo", "media": "x"}] * 3
        add_row(clean, bot, method="sendMediaGroup", params={"chat_id": 5, "media": media})
        waiting = add_row(clean, bot, "too much")
        await yard.deliver(bot)
        assert [call.method for call in api.calls] == ["sendMediaGroup"]
        assert column(clean, waiting, "state") == ("queued",)


async def test_a_message_is_given_another_file(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/change")
    edit = api.calls[1]
    assert (edit.method, edit.params["message_id"]) == ("editMessageMedia", 1001)
    (field,) = edit.files
    assert edit.params["media"] == {"type": "document", "media": f"attach://{field}"}
    assert edit.files[field] == ("a.pdf", "application/pdf", b"pages")


async def test_an_upload_whose_answer_is_lost_is_repeated_and_marked(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [_ok, cut]
    await say(yard, bot, 1, "/photo")
    assert [call.files.get("photo", ("", "", b""))[2] for call in api.calls if call.method == "sendPhoto"] == [
        PICTURE,
        PICTURE,
    ]
    assert rows(yard, "SELECT state, uncertain_count FROM outbox WHERE method = 'sendPhoto'") == [("sent", 1)]


async def test_an_upload_of_a_killed_sender_is_repeated_and_nothing_is_lost(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await say(yard, bot, 1, "/photo", sending=False)
    claimed = outbox_of(bot, "died")
    claimed.record_and_claim([], 50)
    age(yard)
    assert prune(yard) == 0, "it is still to be sent"
    await yard.deliver_until(bot, lambda: rows(yard, "SELECT count(*) FROM outbox WHERE state = 'sent'") == [(3,)])
    assert [call.files["photo"][2] for call in api.calls if call.method == "sendPhoto"] == [PICTURE]
    assert rows(yard, "SELECT max(uncertain_count) FROM outbox") == [(1,)]


async def test_a_file_whose_update_was_never_committed_is_pruned_later_and_not_before(
    yard: Rig, api: FakeApi, bot: ServedBot
) -> None:
    await say(yard, bot, 1, "/broken")
    assert api.calls == []
    assert len(kept(yard)) == 1
    assert prune(yard) == 0, "its commit may be under way"
    age(yard)
    assert prune(yard) == 1
    assert kept(yard) == []


async def test_a_file_stays_as_long_as_its_letter_may_be_replayed(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [_ok, error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")]
    await say(yard, bot, 1, "/photo")
    age(yard)
    assert prune(yard) == 0
    rows(yard, "UPDATE dead_letters SET replayed_at = now() RETURNING 1")
    assert prune(yard) == 1


async def test_a_file_that_is_gone_kills_its_row_with_that_reason(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/photo", sending=False)
    for path in kept(yard):
        path.unlink()
    await yard.settle()
    assert api.texts == ["before", "after"]
    ((reason,),) = rows(yard, "SELECT reason FROM dead_letters")
    assert reason.endswith("is no longer kept")


async def test_a_disk_that_cannot_be_read_now_is_asked_again_later(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/photo", sending=False)
    (path,) = kept(yard)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    await yard.deliver(bot)
    assert rows(yard, "SELECT state, failures FROM outbox WHERE method = 'sendPhoto'") == [("retry", 0)]
    path.rmdir()
    path.write_bytes(content)
    await yard.settle()
    assert api.texts == ["before", "after"]
    assert rows(yard, "SELECT DISTINCT state FROM outbox") == [("sent",)]


async def test_other_chats_go_on_while_a_file_is_under_way(clean: Services, settings: Settings, api: FakeApi) -> None:
    arrived = asyncio.Event()

    async def slow(_: web.Request, __: dict[str, Any]) -> web.Response:
        add_row(clean, own, "meanwhile", chat_key="6", params={"chat_id": 6, "text": "meanwhile"})
        await asyncio.wait_for(arrived.wait(), 5)
        return await _ok(_, {"chat_id": 5})

    async with rig(clean, settings, slice_seconds=0.1, api_timeout_seconds=8.0) as yard:
        own = make_bot(api_url=api.url)
        file = yard.host.media.put(PICTURE)
        told = {"sha256": file.name, "size": file.size, "name": "a.jpg", "type": "image/jpeg"}
        add_row(clean, own, method="sendPhoto", params={"chat_id": 5, FILES: {"photo": told}})
        api.refusing[5] = slow
        sending = asyncio.create_task(yard.deliver(own))
        await until(lambda: "meanwhile" in api.texts)
        arrived.set()
        await sending
    assert rows(yard, "SELECT DISTINCT state FROM outbox") == [("sent",)]


async def test_the_lease_lasts_as_long_as_an_upload_may(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/report", sending=False)
    now = time.monotonic()
    lease = Lease(lambda: True, now + 1, lambda: None, now)
    outbox = outbox_of(bot)
    sender = Sender(yard.api, yard.limiter, outbox.outbox, bot, yard.host, lease)
    (ready,) = await sender.prepare(outbox.record_and_claim([], 1), [])
    assert (await sender.send(ready)).verdict == "sent"
    assert lease.until > now + UPLOAD_SECONDS
    assert len(api.calls) == 1


async def test_the_hourly_prune_takes_files_too(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    await say(yard, bot, 1, "/report")
    age(yard)
    process: Any = SimpleNamespace(settings=yard.settings)
    assert WorkerProcess.prune(process) == 2
    assert (kept(yard), len(api.calls)) == ([], 1)


async def test_ids_that_nobody_used_for_a_month_are_forgotten(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    from botyard.processing.retention import prune as prune_rows

    await say(yard, bot, 1, "/photo")
    prune_rows()
    assert rows(yard, "SELECT count(*) FROM media") == [(1,)]
    rows(yard, "UPDATE media SET used_at = now() - interval '31 days' RETURNING 1")
    await say(yard, bot, 2, "/photo")
    prune_rows()
    assert rows(yard, "SELECT count(*) FROM media") == [(1,)], "it was used"
    rows(yard, "UPDATE media SET used_at = now() - interval '31 days' RETURNING 1")
    prune_rows()
    assert rows(yard, "SELECT count(*) FROM media") == [(0,)]
    assert FILES not in api.calls[1].params
