"""Files among the parameters of a row, from a handler's call to the form that Telegram gets."""

from typing import Any

import pytest
from telegram import InputMediaDocument, InputMediaPhoto, InputMediaVideo

from botyard.media.attached import FILES, attached, file_id_of, with_ids
from botyard.telegram.run import UpdateRun, of_provisional_id
from tests.factories import CHAT, message
from tests.unit.conftest import Start
from tests.unit.test_application import run_handler


async def sent(talk_with: Start, method: str, *args: Any, **kwargs: Any) -> UpdateRun:
    """The run of an update whose handler makes one call."""

    async def handler(update: Any, context: Any) -> None:
        await getattr(context.bot, method)(update.effective_chat.id, *args, **kwargs)

    talk, run = await run_handler(talk_with, handler)
    assert talk.network.calls == []
    return run


async def test_an_upload_is_noted_by_the_name_of_its_content(talk_with: Start) -> None:
    run = await sent(talk_with, "send_photo", b"a picture", caption="c", filename="a.jpg")
    assert run.errors == []
    (send,) = run.sends
    told = {"name": "a.jpg", "type": "image/jpeg", "size": 9}
    assert send.params.pop(FILES)["photo"].items() >= told.items()
    assert send.params == {"chat_id": CHAT, "caption": "c"}


async def test_a_file_that_is_too_large_fails_in_the_handler_with_words_for_its_author(talk_with: Start) -> None:
    run = await sent(talk_with, "send_photo", b"x" * 1001)
    assert run.sends == []
    assert "MEDIA_MAX_BYTES" in str(run.errors[0])


async def test_no_parameter_of_a_bot_passes_for_a_kept_file(talk_with: Start) -> None:
    run = await sent(talk_with, "send_message", "hi", api_kwargs={FILES: {"photo": {"sha256": "0" * 64}}})
    assert run.sends == []
    assert isinstance(run.errors[0], ValueError)


async def test_an_albums_messages_have_ids_of_their_own_and_what_comes_after_counts_on(talk_with: Start) -> None:
    async def handler(update: Any, context: Any) -> None:
        album = [InputMediaPhoto(b"one", caption="1"), InputMediaPhoto(b"two"), InputMediaPhoto("id")]
        first, second, third = await context.bot.send_media_group(update.effective_chat.id, album)
        assert (first.caption, first.chat.id, first.from_user.id) == ("1", CHAT, context.bot.id)
        after = await update.message.reply_text("after")
        await third.edit_caption("3")
        await second.delete()
        await context.bot.delete_messages(update.effective_chat.id, [first.message_id, after.message_id])

    talk, run = await run_handler(talk_with, handler)
    assert (run.errors, talk.network.calls) == ([], [])
    assert [send.n for send in run.sends] == [1, 4, 5, 6, 7]
    assert [one.after and of_provisional_id(one.after)[1] for one in run.sends] == [None, None, 3, 2, 4]
    assert len(run.sends[0].params[FILES]) == 2


async def params_of(talk_with: Start, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    run = await sent(talk_with, method, *args, **kwargs)
    assert run.errors == []
    return run.sends[0].params


async def test_a_file_with_an_id_is_not_uploaded_nor_is_its_thumbnail(talk_with: Start) -> None:
    params = await params_of(talk_with, "send_video", b"film", thumbnail=b"small", width=4)
    video, small = sorted(attached(params), key=lambda one: one.size)
    assert (video.what, small.kind) == ("video", "")
    assert with_ids(params, {})[1] == {"video", small.field}
    made, left = with_ids(params, {"video": "ID"})
    assert left == set()
    assert made == {"chat_id": CHAT, "video": "ID", "width": 4}
    assert FILES in params, "the row's own stay as they are"


async def test_each_file_of_an_album_is_found_in_its_own_message(talk_with: Start) -> None:
    album = [InputMediaPhoto(b"one"), InputMediaVideo(b"two", thumbnail=b"small"), InputMediaPhoto("known")]
    params = await params_of(talk_with, "send_media_group", album)
    photo, video = (one for one in attached(params) if one.kind)
    answer = [{"photo": [{"file_id": "s"}, {"file_id": "L"}]}, {"video": {"file_id": "V"}}, {"photo": []}]
    assert [file_id_of(answer, one) for one in (photo, video)] == ["L", "V"]
    made, left = with_ids(params, {video.field: "V"})
    assert left == {photo.field}
    assert made["media"][1] == {"type": "video", "media": "V"}
    assert made["media"][0]["media"] == f"attach://{photo.field}"


@pytest.mark.parametrize("answer", [True, None, [], {}, {"photo": 5}, {"photo": [5]}, {"photo": {"file_id": 5}}, [5]])
async def test_an_answer_that_tells_no_id_is_none(talk_with: Start, answer: Any) -> None:
    (one,) = attached(await params_of(talk_with, "send_photo", b"x"))
    assert file_id_of(answer, one) is None


async def test_what_telegram_keeps_with_a_file_makes_another_file_of_it(talk_with: Start) -> None:
    async def kind(method: str, **kwargs: Any) -> str:
        what = method.removeprefix("send_")
        (one, *_) = attached(await params_of(talk_with, method, **{what: b"x"}, **kwargs))
        return one.kind

    assert await kind("send_photo", filename="a.jpg") == await kind("send_photo", filename="b.jpg", caption="c")
    kinds = [
        await kind("send_document", filename="a.txt"),
        await kind("send_document", filename="b.txt"),
        await kind("send_document", filename="a.txt", thumbnail=b"t"),
        await kind("send_document", filename="a.txt", thumbnail=b"u"),
        await kind("send_audio", filename="a.txt", title="one"),
        await kind("send_audio", filename="a.txt", title="two"),
    ]
    assert len(set(kinds)) == 6
    assert await kind("send_document", filename="a.txt", caption="another text") == kinds[0]


async def test_a_message_is_given_another_file(talk_with: Start) -> None:
    async def handler(update: Any, _: Any) -> None:
        first = await update.message.reply_photo("known")
        await first.edit_media(InputMediaDocument(b"x", filename="a.pdf"))

    _, run = await run_handler(talk_with, handler)
    assert run.errors == []
    (one,) = attached(run.sends[1].params)
    assert (one.what, one.name) == ("document", "a.pdf")
    assert with_ids(run.sends[1].params, {one.field: "ID"})[0]["media"] == {"type": "document", "media": "ID"}


def test_a_message_needs_no_file() -> None:
    assert attached(message(1)) == []
