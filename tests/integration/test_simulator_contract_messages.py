"""Every method about messages and files once, by python-telegram-bot's own client over a running simulator."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import telegram
from telegram.error import BadRequest, Forbidden, InvalidToken

from botyard.simulator.images import blank_picture
from tests.unit.simulator.process import TOKEN, Client

PICTURE = blank_picture(640, 480)


@pytest.fixture
async def bot(client: Client) -> AsyncIterator[telegram.Bot]:
    await client.post("/sim/settings", flood=False)
    async with telegram.Bot(TOKEN, base_url=f"{client.url}/bot", base_file_url=f"{client.url}/file/bot") as made:
        yield made


@pytest.fixture
async def chat_id(client: Client) -> int:
    person = await client.prepare()
    await client.write(person)
    return person


async def test_every_kind_of_file_is_sent(bot: telegram.Bot, chat_id: int) -> None:
    photo = await bot.send_photo(chat_id, PICTURE, caption="*a*", parse_mode="MarkdownV2", has_spoiler=True)
    assert (photo.photo[-1].width, photo.caption_entities[0].type) == (640, "bold")
    assert photo.has_media_spoiler
    audio = await bot.send_audio(chat_id, b"x", duration=3, performer="Ann", title="La", filename="la.mp3")
    assert audio.audio
    assert (audio.audio.performer, audio.audio.mime_type) == ("Ann", "audio/mpeg")
    document = await bot.send_document(chat_id, b"x", filename="a.pdf", thumbnail=PICTURE)
    assert document.document
    assert document.document.thumbnail
    assert (await bot.send_video(chat_id, b"x", width=2, height=3, duration=4)).video
    animation = await bot.send_animation(chat_id, b"x", filename="a.mp4")
    assert animation.animation
    assert animation.document
    assert (await bot.send_voice(chat_id, b"x", duration=4)).voice
    assert (await bot.send_video_note(chat_id, b"x", length=240)).video_note
    sticker = (await bot.send_sticker(chat_id, b"x", emoji="🐱")).sticker
    assert sticker
    assert sticker.emoji == "🐱"
    paid = await bot.send_paid_media(chat_id, 5, [telegram.InputPaidMediaPhoto(PICTURE)])
    assert paid.paid_media
    assert paid.paid_media.star_count == 5
    with pytest.raises(BadRequest, match="Image_process_failed"):
        await bot.send_photo(chat_id, b"no picture")


async def test_an_album_is_sent(bot: telegram.Bot, chat_id: int) -> None:
    photo = telegram.InputMediaPhoto(PICTURE, caption="one")
    first, second = await bot.send_media_group(chat_id, [photo, telegram.InputMediaVideo(b"x", width=4)])
    assert first.media_group_id == second.media_group_id
    assert second.video
    assert (first.caption, second.video.width) == ("one", 4)
    with pytest.raises(BadRequest, match="can't be mixed"):
        await bot.send_media_group(chat_id, [photo, telegram.InputMediaDocument(b"x")])


async def test_places_contacts_and_dice_are_sent(bot: telegram.Bot, chat_id: int) -> None:
    live = await bot.send_location(chat_id, 1.5, 2.5, live_period=60, heading=9)
    assert live.location
    moved = await bot.edit_message_live_location(chat_id, live.message_id, latitude=3.5, longitude=4.5)
    assert isinstance(moved, telegram.Message)
    assert moved.location
    assert moved.location.latitude == 3.5
    stopped = await bot.stop_message_live_location(chat_id, live.message_id)
    assert isinstance(stopped, telegram.Message)
    with pytest.raises(BadRequest, match="There is no live location"):
        await bot.stop_message_live_location(chat_id, live.message_id)
    venue = await bot.send_venue(chat_id, 1, 2, "Café", "Street 1")
    assert venue.venue
    assert venue.venue.title == "Café"
    contact = await bot.send_contact(chat_id, "+1234", "Bob")
    assert contact.contact
    dice = await bot.send_dice(chat_id, emoji="🎯")
    assert dice.dice
    assert dice.dice.value in range(1, 7)
    with pytest.raises(BadRequest, match="Dice_emoji_invalid"):
        await bot.send_dice(chat_id, emoji="x")


async def test_messages_are_copied_and_forwarded(bot: telegram.Bot, chat_id: int) -> None:
    sent = await bot.send_message(chat_id, "one")
    forwarded = await bot.forward_message(chat_id, chat_id, sent.message_id)
    assert isinstance(forwarded.forward_origin, telegram.MessageOriginUser)
    assert (await bot.forward_messages(chat_id, chat_id, [sent.message_id]))[0].message_id
    assert (await bot.copy_message(chat_id, chat_id, sent.message_id)).message_id
    assert (await bot.copy_messages(chat_id, chat_id, [sent.message_id]))[0].message_id
    secret = await bot.send_message(chat_id, "two", protect_content=True)
    with pytest.raises(BadRequest, match="The message can't be forwarded"):
        await bot.forward_message(chat_id, chat_id, secret.message_id)
    with pytest.raises(BadRequest, match="Message to copy not found"):
        await bot.copy_message(chat_id, chat_id, 999)


async def test_messages_are_edited_and_deleted(bot: telegram.Bot, chat_id: int) -> None:
    text = await bot.send_message(chat_id, "one")
    edited = await bot.edit_message_text("two", chat_id, text.message_id)
    assert isinstance(edited, telegram.Message)
    assert edited.text == "two"
    photo = await bot.send_photo(chat_id, PICTURE, caption="one")
    captioned = await bot.edit_message_caption(chat_id, photo.message_id, caption="two")
    assert isinstance(captioned, telegram.Message)
    assert captioned.caption == "two"
    media = telegram.InputMediaDocument(b"x", filename="a.pdf")
    replaced = await bot.edit_message_media(media, chat_id, photo.message_id)
    assert isinstance(replaced, telegram.Message)
    assert replaced.document
    keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("A", callback_data="a")]])
    marked = await bot.edit_message_reply_markup(chat_id, photo.message_id, reply_markup=keyboard)
    assert isinstance(marked, telegram.Message)
    assert marked.reply_markup == keyboard
    assert await bot.delete_message(chat_id, text.message_id)
    assert await bot.delete_messages(chat_id, [photo.message_id])
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(chat_id, text.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("three", chat_id, text.message_id)


async def test_a_reply_quotes_a_message(bot: telegram.Bot, chat_id: int) -> None:
    reply = telegram.ReplyParameters(1, quote="ell")
    sent = await bot.send_message(chat_id, "what?", reply_parameters=reply)
    assert sent.quote
    assert (sent.quote.text, sent.quote.position) == ("ell", 1)
    with pytest.raises(BadRequest, match="Quote_text_invalid"):
        await bot.send_message(chat_id, "what?", reply_parameters=telegram.ReplyParameters(1, quote="zzz"))


async def test_reactions_go_both_ways(bot: telegram.Bot, client: Client, chat_id: int) -> None:
    assert await bot.set_message_reaction(chat_id, 1, "👍")
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(chat_id, 1, "🥐")
    await bot.get_updates(allowed_updates=["message", "message_reaction"])
    await react(client, chat_id, emoji="🔥")
    found = [update for update in await bot.get_updates() if update.message_reaction]
    assert found[0].message_reaction
    assert found[0].message_reaction.new_reaction == (telegram.ReactionTypeEmoji("🔥"),)


async def react(client: Client, person: int, **params: Any) -> None:
    bot_id = int(TOKEN.partition(":")[0])
    await client.post("/sim/react", bot_id=bot_id, person_id=person, message_id=1, **params)


async def test_a_chat_action_is_shown_and_an_unknown_one_refused(bot: telegram.Bot, chat_id: int) -> None:
    assert await bot.send_chat_action(chat_id, "upload_photo")
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await bot.send_chat_action(chat_id, "dancing")


async def test_what_a_person_sends_is_downloaded(bot: telegram.Bot, client: Client, chat_id: int) -> None:
    bot_id = int(TOKEN.partition(":")[0])
    file = {"name": "a.png", "base64": base64.b64encode(PICTURE).decode()}
    await client.post("/sim/send", bot_id=bot_id, person_id=chat_id, kind="photo", file=file, caption="look")
    await client.post("/sim/photo", person_id=chat_id, file=file)
    message = next(update.message for update in await bot.get_updates() if update.message and update.message.photo)
    for size in message.photo:
        found = await bot.get_file(size.file_id)
        assert bytes(await found.download_as_bytearray()) == PICTURE
    profile = await bot.get_user_profile_photos(chat_id)
    assert profile.total_count == 1
    with pytest.raises(BadRequest, match="Invalid file_id"):
        await bot.get_file("nothing")


async def test_a_profile_photo_of_the_bot_is_set(bot: telegram.Bot, chat_id: int) -> None:
    assert await bot.set_my_profile_photo(telegram.InputProfilePhotoStatic(PICTURE))
    profile = await bot.get_user_profile_photos(bot.id)
    assert profile.photos[0][-1].width == 640
    assert await bot.remove_my_profile_photo()
    assert (await bot.get_user_profile_photos(chat_id)).total_count == 0


async def test_a_blocked_bot_cannot_send_files(bot: telegram.Bot, client: Client, chat_id: int) -> None:
    await client.post("/sim/block", bot_id=int(TOKEN.partition(":")[0]), person_id=chat_id)
    with pytest.raises(Forbidden, match="bot was blocked"):
        await bot.send_photo(chat_id, PICTURE)


async def test_a_path_is_good_only_for_the_bot_that_asked_and_for_an_hour(
    bot: telegram.Bot, client: Client, chat_id: int
) -> None:
    sent = await bot.send_document(chat_id, b"secret", filename="a.txt")
    assert sent.document
    path = (await bot.get_file(sent.document.file_id)).file_path
    assert path
    other = path.replace(TOKEN, "4200000009:OTHER")
    await client.post("/sim/bots", token="4200000009:OTHER", username="other_bot")
    async with aiohttp.ClientSession() as session:
        assert await fetch(session, path) == (200, b"secret")
        assert (await fetch(session, other))[0] == 404
        assert (await fetch(session, path.replace("file_", "file_x")))[0] == 404
        assert (await fetch(session, path.replace(TOKEN, "1:nobody")))[0] == 401
    with pytest.raises(InvalidToken):
        await telegram.Bot("1:nobody", base_url=f"{client.url}/bot").get_file("x")


async def test_the_page_gets_files_in_which_nothing_runs(bot: telegram.Bot, client: Client, chat_id: int) -> None:
    page = await bot.send_document(chat_id, b"<script>", filename='a"\r\n.html')
    photo = await bot.send_photo(chat_id, PICTURE)
    assert page.document
    async with aiohttp.ClientSession() as session:
        for unique_id, kind, how in (
            (page.document.file_unique_id, "application/octet-stream", "attachment"),
            (photo.photo[-1].file_unique_id, "image/png", "inline"),
        ):
            async with session.get(f"{client.url}/sim/file/{unique_id}") as answer:
                assert answer.headers["content-type"] == kind
                assert answer.headers["content-disposition"].startswith(how)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "sandbox" in answer.headers["content-security-policy"]
        headers = {"Host": "evil.example"}
        assert (await fetch(session, f"{client.url}/sim/file/{page.document.file_unique_id}", **headers))[0] == 403
        assert (await fetch(session, f"{client.url}/sim/file/nothing"))[0] == 404


async def fetch(session: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, bytes]:
    async with session.get(url, headers=headers) as answer:
        return answer.status, await answer.read()
