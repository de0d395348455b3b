"""What the code uses of python-telegram-bot's private parts, held to the shape of the pinned version."""

import inspect
from typing import Any

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMediaPhoto, ReplyParameters
from telegram._utils.defaultvalue import DefaultValue
from telegram.ext import (
    Application,
    ApplicationBuilder,
    BaseRateLimiter,
    CallbackDataCache,
    CommandHandler,
    ConversationHandler,
    ExtBot,
    MessageHandler,
    filters,
)
from telegram.request import BaseRequest, RequestData
from telegram.request._requestparameter import RequestParameter

from tests.factories import TOKEN
from tests.unit.conftest import NoNetwork


def test_the_version_is_the_one_that_was_looked_into() -> None:
    assert telegram.__version__ == "22.8"


def test_a_conversation_handler_reads_and_writes_its_states_in_one_replaceable_mapping() -> None:
    async def nothing(_: Any, __: Any) -> None:
        pass

    handler: Any = ConversationHandler([CommandHandler("a", nothing)], {1: [MessageHandler(filters.ALL, nothing)]}, [])
    assert handler._conversations == {}
    states: dict[tuple[int, ...], object] = {}
    handler._conversations = states
    handler._update_state(1, (5, 6))
    assert states == {(5, 6): 1}
    handler._update_state(ConversationHandler.END, (5, 6))
    assert states == {}
    source = inspect.getsource(ConversationHandler)
    assert "self._conversations.get(" in source
    assert {"per_chat", "entry_points", "fallbacks", "states", "name"} <= set(dir(handler))


def test_a_parameter_is_encoded_with_its_value_apart_from_its_files() -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="y")]])
    plain = RequestParameter.from_input("reply_markup", keyboard)
    assert plain.value == {"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]}
    assert plain.input_files is None
    assert RequestParameter.from_input("reply_parameters", ReplyParameters(5)).value == {"message_id": 5}
    assert RequestParameter.from_input("message_ids", (1, 2)).value == [1, 2]
    uploaded = RequestParameter.from_input("photo", InputFile(b"x", filename="a.png"))
    assert (uploaded.value, len(uploaded.input_files or [])) == (None, 1)
    media = RequestParameter.from_input("media", InputMediaPhoto(b"x"))
    assert media.input_files


def test_every_send_passes_one_method_whose_first_arguments_we_take() -> None:
    parameters = list(inspect.signature(ExtBot._send_message).parameters)
    assert parameters[:3] == ["self", "endpoint", "data"]
    calls = inspect.getsource(telegram.Bot.send_message) + inspect.getsource(telegram.Bot.edit_message_text)
    assert calls.count("await self._send_message(") == 2


async def test_an_answer_of_true_passes_through_and_the_rate_limiter_is_asked_by_name() -> None:
    seen: list[dict[str, Any]] = []

    class Limiter(BaseRateLimiter[Any]):
        async def initialize(self) -> None:
            pass

        async def shutdown(self) -> None:
            pass

        async def process_request(self, *args: Any, **kwargs: Any) -> Any:
            assert args == ()
            seen.append(kwargs)
            return True

    bot: Any = ExtBot(TOKEN, request=NoNetwork(), get_updates_request=NoNetwork(), rate_limiter=Limiter())
    assert await bot.send_message(5, "hello") is True
    assert await bot.edit_message_text("new", 5, 6) is True
    assert [set(kwargs) for kwargs in seen] == [
        {"callback", "args", "kwargs", "endpoint", "data", "rate_limit_args"}
    ] * 2
    assert seen[0]["endpoint"] == "sendMessage"
    assert seen[0]["data"] == {"chat_id": 5, "text": "hello"}
    assert seen[1]["data"]["message_id"] == 6


def test_the_application_keeps_its_memory_in_attributes_that_a_subclass_can_replace() -> None:
    assert {"bot_data", "chat_data", "user_data"} <= set(Application.__slots__)


def test_errors_and_tasks_of_an_update_pass_the_two_methods_that_we_override() -> None:
    source = inspect.getsource(Application.process_update)
    assert "self.process_error(update=update, error=exc)" in source
    assert "self.create_task(" in source
    assert list(inspect.signature(Application.process_error).parameters) == [
        "self",
        "update",
        "error",
        "job",
        "coroutine",
    ]
    assert list(inspect.signature(Application.create_task).parameters) == ["self", "coroutine", "update", "name"]


def test_request_data_has_what_our_request_reads() -> None:
    plain = RequestData([RequestParameter.from_input("chat_id", 5), RequestParameter.from_input("text", "ä")])
    assert plain.contains_files is False
    assert plain.json_payload == b'{"chat_id": "5", "text": "\\u00e4"}'
    files = RequestData(
        [RequestParameter.from_input("chat_id", 5), RequestParameter.from_input("photo", InputFile(b"x", "a.png"))]
    )
    assert files.contains_files is True
    assert files.json_parameters == {"chat_id": "5"}
    assert files.multipart_data == {"photo": ("a.png", b"x", "image/png")}


def test_the_request_interface_has_the_parts_that_we_write() -> None:
    abstract = {name for name, member in vars(BaseRequest).items() if getattr(member, "__isabstractmethod__", False)}
    assert abstract == {"initialize", "shutdown", "do_request", "read_timeout"}
    assert list(inspect.signature(BaseRequest.do_request).parameters) == [
        "self", "url", "method", "request_data", "read_timeout", "write_timeout", "connect_timeout", "pool_timeout",
    ]  # fmt: skip
    assert "self.parse_json_payload(" in inspect.getsource(BaseRequest.post)


def test_a_builder_keeps_what_it_was_told_where_we_look_for_it() -> None:
    built: Any = ApplicationBuilder()
    for name in ("bot", "updater", "token", "defaults", "arbitrary_callback_data", "persistence", "job_queue"):
        assert isinstance(getattr(built, f"_{name}"), DefaultValue | None), name
    assert built._application_class.value is Application
    assert built.token("1:A")._token == "1:A"
    assert built.updater(None)._updater is None


def test_a_persistent_conversation_handler_says_so_where_we_change_it() -> None:
    async def nothing(_: Any, __: Any) -> None:
        pass

    handler: Any = ConversationHandler(
        [CommandHandler("a", nothing)], {1: [MessageHandler(filters.ALL, nothing)]}, [], persistent=True, name="x"
    )
    assert handler.persistent
    handler._persistent = False
    assert not handler.persistent


def test_the_cache_of_what_buttons_carry_has_the_shape_that_ours_relies_on() -> None:
    bot: Any = ExtBot(TOKEN, arbitrary_callback_data=5)
    cache = bot._callback_data_cache
    assert isinstance(cache, CallbackDataCache)
    made = cache.process_keyboard(InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data=[1])]]))
    data = str(made.inline_keyboard[0][0].callback_data)
    assert len(data) == 64
    assert cache._keyboard_data[data[:32]].button_data == {data[32:]: [1]}
    assert cache._callback_queries == {}
