"""The bot that handlers are given: what it sends is noted, and goes out after the update's commit. See docs/bots.md."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson
import structlog
from telegram import (
    Animation,
    Audio,
    Chat,
    Document,
    InputFile,
    Message,
    PhotoSize,
    Sticker,
    Video,
    VideoNote,
    Voice,
)
from telegram.ext import BaseRateLimiter, Defaults, ExtBot
from telegram.request import BaseRequest
from telegram.request._requestparameter import RequestParameter

from botyard.media.attached import FILES
from botyard.media.store import MediaStore
from botyard.telegram.address import file_url
from botyard.telegram.buttons import Buttons, Shelf
from botyard.telegram.run import Lane, Send, UpdateRun, current_run, directly
from botyard.telegram.test_mode import EVERYBODY, Audience, stand_in
from botyard.telegram.unread import unread
from botyard.telegram.unsent_files import attach, files_in

log = structlog.get_logger(__name__)

# Calls whose answer nobody needs before the handler goes on. Everything else (get…, polls, dice, invite links,
# invoices) goes to Telegram at once.
_SENDING: Final = frozenset({
    "sendMessage", "sendPhoto", "sendAudio", "sendDocument", "sendVideo", "sendAnimation", "sendVoice",
    "sendVideoNote", "sendSticker", "sendLocation", "sendVenue", "sendContact", "sendMediaGroup",
})  # fmt: skip
_CHANGING: Final = frozenset({
    "editMessageText", "editMessageCaption", "editMessageReplyMarkup", "editMessageMedia", "deleteMessage",
    "deleteMessages", "pinChatMessage", "unpinChatMessage", "setMessageReaction",
})  # fmt: skip
_ANSWERING: Final = frozenset({
    "answerCallbackQuery", "answerInlineQuery", "answerPreCheckoutQuery", "answerShippingQuery",
})  # fmt: skip
_FILE_OF: Final = {
    "sendPhoto": "photo", "sendAudio": "audio", "sendDocument": "document", "sendVideo": "video",
    "sendAnimation": "animation", "sendVoice": "voice", "sendVideoNote": "video_note", "sendSticker": "sticker",
}  # fmt: skip
_CLASSES: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "photo": PhotoSize.de_list, "audio": Audio.de_json, "document": Document.de_json, "video": Video.de_json,
    "animation": Animation.de_json, "voice": Voice.de_json, "video_note": VideoNote.de_json, "sticker": Sticker.de_json,
}  # fmt: skip
QUEUED: Final = _SENDING | _CHANGING | _ANSWERING


_ATTACHED: Final = re.compile(r"attached[0-9a-f]{32}")
Made = bool | dict[str, Any] | list[dict[str, Any]]
Make = Callable[[str, dict[str, Any], Callable[[], Awaitable[Made]]], Awaitable[Made]]
"""Gets a method, its parameters, which it may complete, and the call itself."""


async def _unpaced(_: str, __: dict[str, Any], call: Callable[[], Awaitable[Made]]) -> Made:
    return await call()


class Capture(BaseRateLimiter[Any]):
    """Stands where python-telegram-bot asks its rate limiter, which sees every call with its parameters complete.

    Args:
        profile: the answer to ``getMe``, so that building an application needs no network.
        audience: whom calls may reach.
        media: where the content of uploads goes; without it they go to Telegram at once.
        make: makes a call that goes at once, when the limits let it.
    """

    def __init__(self, profile: dict[str, Any], audience: Audience, media: MediaStore | None, make: Make) -> None:
        self._profile = profile
        self._audience = audience
        self._media = media
        self._make = make

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, bool | dict[str, Any] | list[dict[str, Any]]]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: Any,  # noqa: ARG002 - the outbox has limits of its own
    ) -> bool | dict[str, Any] | list[dict[str, Any]]:
        """Note a send and answer ``True`` (an album's messages: as they will be), or let the call through to Telegram.

        Raises:
            InputError: a file is larger than ``MEDIA_MAX_BYTES``.
            TransientError: the place for files cannot be reached.
            ValueError: a parameter has the name that the outbox keeps files under.
        """
        if endpoint == "getMe":
            return self._profile
        run = _open_run()
        held_back = self._audience.holds_back(endpoint, data, run.chat_key if run else "")
        waits = run is not None and (held_back or (endpoint in QUEUED and not (run.directly or directly.get())))
        if run is not None and waits:
            params, files = _encoded(data)
            if held_back:
                # It is noted too: the outbox records that it was; of its files the names are enough.
                run.queue(_as_send(run, endpoint, params | {field: file.filename for field, file in files.items()}))
                return stand_in(endpoint, data, run.last_provisional_ids())  # type: ignore[no-any-return]
            # A task that outlived its update meanwhile can no longer be written with it.
            if await self._attached(params, files) and not run.closed:
                run.queue(_as_send(run, endpoint, params))
                return self._album(run, params) if endpoint == "sendMediaGroup" else True
        if held_back:
            log.warning("call_held_back", method=endpoint)
            return stand_in(endpoint, data, [1])  # type: ignore[no-any-return]
        if run is not None and endpoint == "answerCallbackQuery":
            run.answered.add(str(data["callback_query_id"]))
        return await self._make(endpoint, data, lambda: callback(*args, **kwargs))

    async def _attached(self, params: dict[str, Any], files: Mapping[str, InputFile]) -> bool:
        """Put files where the sender finds them; false if there is no such place."""
        if files and self._media is None:
            return False
        if files and self._media is not None:
            params[FILES] = await _kept(self._media, files)
        attach(params)
        return True

    def _album(self, run: UpdateRun, params: dict[str, Any]) -> list[dict[str, Any]]:
        """An album's messages as far as they are known, each with its provisional id."""
        chat = _chat_of(params["chat_id"]).to_dict()
        known = {"date": int(time.time()), "chat": chat, "from": self._profile}
        return [
            known | {"message_id": number} | ({"caption": item["caption"]} if "caption" in item else {}) | file
            for number, item, file in zip(
                run.last_provisional_ids(), params["media"], files_in(params, ""), strict=True
            )
        ]


async def _kept(media: MediaStore, files: Mapping[str, InputFile]) -> dict[str, dict[str, Any]]:
    """Put content where the sender finds it, before the update is committed."""
    made = {}
    for field, file in files.items():
        kept = await asyncio.to_thread(media.put, file.input_file_content)
        made[field] = {"sha256": kept.name, "size": kept.size, "name": file.filename, "type": file.mimetype}
    return made


def _open_run() -> UpdateRun | None:
    """The update at hand, if what is sent can still be written with it."""
    run = current_run.get(None)
    return None if run is None or run.closed else run


def _encoded(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, InputFile]]:
    """The parameters as JSON, and beside them the files to upload, by their field of the form."""
    if FILES in data:
        raise ValueError(f"no method of the Bot API has a parameter {FILES}")
    params: dict[str, Any] = {}
    files: dict[str, InputFile] = {}
    names: dict[str, str] = {}
    for key, value in data.items():
        parameter = RequestParameter.from_input(key, value)
        for file in parameter.input_files or ():
            # Their own names are random, and a run is compared with an earlier one of the same update.
            name = names.setdefault(file.attach_name, f"file{len(names)}") if file.attach_name else key
            files[name] = file
        if parameter.value is not None:
            params[key] = parameter.value
    return _renamed(params, {f"attach://{old}": f"attach://{new}" for old, new in names.items()}), files


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {key: _renamed(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(part, names) for part in value]
    return names.get(value, value) if isinstance(value, str) else value


def digest_of(method: str, data: Mapping[str, Any]) -> str:
    """What a call and its repetition have in common: the method, the content of files, and the parameters.

    Not so the buttons: what they carry may be numbered anew each time.
    """
    parts = [method]
    for key in sorted(data.keys() - {"reply_markup"}):
        parameter = RequestParameter.from_input(key, data[key])
        # What is attached has a random name each time.
        parts += (key, _ATTACHED.sub("attached", parameter.json_value or ""))
        for file in parameter.input_files or ():
            content = file.input_file_content
            parts += (file.filename, sha256(content).hexdigest() if isinstance(content, bytes) else "")
    return sha256(orjson.dumps(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class BotOptions:
    """What an application's author asks of its bot.

    Args:
        defaults: parameters that calls have unless they say otherwise.
        callback_data: whether buttons carry any object; a number: of how many keyboards they are kept.
        token: the token that it names.
    """

    defaults: Defaults | None = None
    callback_data: bool | int = False
    token: str | None = None


class OutboxBot(ExtBot[Any]):
    """``ExtBot`` whose sends return a message with a provisional id.

    Args:
        token: the bot's token.
        base_url: the Bot API's base, with ``{token}``.
        request: the pool shared by all bots.
        profile: the answer to ``getMe``.
        audience: whom its calls may reach.
        media: where the content of uploads goes; without it they go to Telegram at once.
        make: makes a call that goes at once, when the limits let it.
        options: what the application's author asks of it.
        shelf: where is kept what its buttons carry, if they carry objects.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        request: BaseRequest,
        profile: dict[str, Any],
        audience: Audience = EVERYBODY,
        media: MediaStore | None = None,
        make: Make = _unpaced,
        options: BotOptions | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        asked = options or BotOptions()
        super().__init__(
            token,
            base_url=base_url,
            base_file_url=file_url(base_url),
            request=request,
            get_updates_request=request,
            defaults=asked.defaults,
            arbitrary_callback_data=asked.callback_data,
            rate_limiter=Capture(profile, audience, media, make),
        )
        if shelf is not None and self._callback_data_cache is not None:
            self._callback_data_cache = Buttons(self, self._callback_data_cache.maxsize, shelf)

    @property
    def buttons(self) -> Buttons | None:
        """What its buttons carry, if they carry objects."""
        return self._callback_data_cache if isinstance(self._callback_data_cache, Buttons) else None

    async def _do_post(self, *args: Any, **kwargs: Any) -> Any:
        if self.buttons is not None:
            # Before the call, for its keyboard may be pressed as soon as it is made.
            await self.buttons.keep()
        return await super()._do_post(*args, **kwargs)

    def __repr__(self) -> str:
        """Without the token, which the base class shows."""
        return f"{type(self).__name__}[]"

    async def _send_message(self, endpoint: str, data: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        # python-telegram-bot hands a bare True through, so only here can it become the message handlers expect.
        result = await super()._send_message(endpoint, data, *args, **kwargs)
        run = current_run.get(None)
        if result is not True or run is None or data.get("inline_message_id"):
            return result
        # Of what is not noted only what was held back comes here as True.
        from_send = endpoint not in _CHANGING and not endpoint.startswith(("edit", "stop"))
        message_id = run.last_provisional_id() if from_send else data["message_id"]
        files = files_in(run.sends[-1].params, _FILE_OF.get(endpoint, "")) if from_send and run.sends else [{}]
        date, chat, text, caption = datetime.now(UTC), data["chat_id"], data.get("text"), data.get("caption")

        def make() -> Message:
            shown = {what: _CLASSES[what](one, self) for what, one in files[0].items()}
            fields = {"from_user": self.bot, "text": text, "caption": caption, **shown}
            made = Message(message_id=message_id, date=date, chat=_chat_of(chat), **fields)
            made.set_bot(self)
            return made

        message = unread(make)
        if from_send:
            self._insert_callback_data(message)
        return message


def _chat_of(chat_id: Any) -> Chat:
    number = int(chat_id) if str(chat_id).lstrip("-").isdigit() else 0
    return Chat(number, Chat.PRIVATE if number > 0 else Chat.SUPERGROUP)


def _as_send(run: UpdateRun, endpoint: str, params: dict[str, Any]) -> Send:
    chat = params.get("chat_id")
    if (moved_to := run.moved_to(chat)) is not None:
        # Under its old id it would overtake what goes to the new one; and messages have not moved with the group.
        chat = params["chat_id"] = int(moved_to)
        if isinstance(params.get("reply_parameters"), dict):
            params["reply_parameters"] |= {"allow_sending_without_reply": True}
    return Send(
        method=endpoint,
        params=params,
        chat_key=run.chat_key if chat is None else str(chat),
        lane=Lane.URGENT if endpoint in _ANSWERING else run.lane,
        after=min(provisional_ids(params), default=None),
        items=len(params["media"]) if endpoint == "sendMediaGroup" else 1,
    )


def provisional_ids(params: dict[str, Any]) -> list[int]:
    """The provisional message ids among a call's parameters."""
    reply = params.get("reply_parameters")
    found = [params.get("message_id"), *(params.get("message_ids") or ())]
    if isinstance(reply, dict):
        found.append(reply.get("message_id"))
    return [number for number in found if isinstance(number, int) and number < 0]
