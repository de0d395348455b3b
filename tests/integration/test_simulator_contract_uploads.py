"""What handlers upload, by the outbox' own sender over a running simulator, which knows Telegram's rules of files."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from telegram import InputMediaDocument, InputMediaPhoto
from telegram.ext import CommandHandler

from botyard.bots.registry import ServedBot
from botyard.settings import Settings
from botyard.simulator.images import blank_picture
from tests.factories import make_bot, message
from tests.integration.rig import Rig, rig
from tests.services import Services
from tests.unit.simulator.process import TOKEN, Client

PICTURE = blank_picture(640, 480)
PAGES = b"%PDF" + bytes(range(256)) * 4000
NAME = "Bericht, zweite Fassung ä.pdf"


async def _photo(update: Any, _: Any) -> None:
    await update.effective_message.reply_photo(PICTURE, caption="c")


async def _document(update: Any, _: Any) -> None:
    await update.effective_message.reply_document(PAGES, filename=NAME, thumbnail=PICTURE)


async def _album(update: Any, context: Any) -> None:
    chat = update.effective_chat.id
    sent = await context.bot.send_media_group(chat, [InputMediaPhoto(PICTURE), InputMediaPhoto(PICTURE, caption="2")])
    await sent[1].edit_caption("two")
    await sent[0].edit_media(InputMediaPhoto(blank_picture(320, 200)))
    await context.bot.send_media_group(chat, [InputMediaDocument(PAGES, filename=name) for name in ("a.pdf", "b.pdf")])


def sending(application: Any) -> None:
    for name, handler in (("photo", _photo), ("document", _document), ("album", _album)):
        application.add_handler(CommandHandler(name, handler))


@pytest.fixture
async def yard(clean: Services, settings: Settings, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(clean, settings, media_dir=tmp_path, api_timeout_seconds=5.0) as made:
        yield made


@pytest.fixture
async def person(client: Client) -> int:
    await client.post("/sim/settings", flood=False)
    person = await client.prepare()
    await client.write(person)
    return person


@pytest.fixture
def bot(yard: Rig, client: Client) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(kind="tests.integration.test_simulator_contract_uploads:sending", api_url=client.url, token=TOKEN)


async def calls(client: Client) -> list[dict[str, Any]]:
    wanted = ("sendPhoto", "sendDocument", "sendMediaGroup", "editMessageCaption", "editMessageMedia")
    return [event for event in await client.events("call") if event["method"] in wanted]


async def content(client: Client, file_id: str) -> bytes:
    """What a bot gets that asks for a file."""
    path = (await client.call("getFile", file_id=file_id))["result"]["file_path"]
    async with aiohttp.ClientSession() as session, session.get(f"{client.url}/file/bot{TOKEN}/{path}") as answer:
        return await answer.read()


async def test_a_photo_arrives_byte_for_byte_and_goes_by_its_id_the_next_time(
    yard: Rig, bot: ServedBot, client: Client, person: int
) -> None:
    await yard.give(bot, message(1, "/photo", person))
    await yard.settle()
    await yard.give(bot, message(2, "/photo", person))
    await yard.settle()
    first, second = await calls(client)
    assert first["params"]["photo"]["bytes"] == len(PICTURE)
    ((file_id,),) = yard.services.superuser("SELECT file_id FROM media")
    assert second["params"]["photo"] == file_id
    assert await content(client, file_id) == PICTURE
    assert yard.services.superuser("SELECT DISTINCT state, failures FROM outbox") == [("sent", 0)]


async def test_a_document_keeps_its_name_and_an_id_of_nobody_is_uploaded_again(
    yard: Rig, bot: ServedBot, client: Client, person: int
) -> None:
    await yard.give(bot, message(1, "/document", person))
    await yard.settle()
    yard.services.superuser("UPDATE media SET file_id = 'bm9ib2R5' RETURNING 1")
    await yard.give(bot, message(2, "/document", person))
    await yard.settle()
    first, refused, again = await calls(client)
    assert first["params"]["document"] == again["params"]["document"]
    assert first["params"]["document"]["file_name"] == NAME
    assert refused["params"]["document"] == "bm9ib2R5"
    ((file_id,),) = yard.services.superuser("SELECT file_id FROM media")
    assert await content(client, file_id) == PAGES
    assert yard.services.superuser("SELECT state, failures FROM outbox ORDER BY id") == [("sent", 0)] * 2


async def test_albums_arrive_and_their_messages_are_edited(
    yard: Rig, bot: ServedBot, client: Client, person: int
) -> None:
    await yard.give(bot, message(1, "/album", person))
    await yard.settle()
    assert yard.services.superuser("SELECT DISTINCT state, error FROM outbox") == [("sent", None)]
    ((ids,),) = yard.services.superuser("SELECT message_ids FROM outbox WHERE n = 1")
    edited = [event["params"]["message_id"] for event in await calls(client) if event["method"].startswith("edit")]
    assert [int(number) for number in edited] == [ids[1], ids[0]]
    assert yard.services.superuser("SELECT count(*) FROM messages WHERE kind = 'sendMediaGroup'") == [(4,)]
