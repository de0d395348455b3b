import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
import pytest
import telegram
from telegram import (
    Bot,
    CallbackQuery,
    Chat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMedia,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    MessageOriginUser,
    TelegramObject,
    Update,
    User,
)
from telegram._utils.defaultvalue import DefaultValue
from telegram.constants import ChatType, ParseMode

from botyard.state.codec import Codec, provisional_ids_in
from botyard.state.memory import Memory
from botyard.state.refusal import NotKept
from tests.factories import TOKEN, payloads

BOT = Bot(TOKEN)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# Bases of which there are no objects, or that want another class's name.
ABSTRACT = {"InputMedia"}
# Optional by the signature only.
REQUIRED = {"persistent_id", "option_persistent_ids", "allows_revoting", "members_only"}


def there_and_back(value: Any) -> Any:
    codec = Codec(bot=BOT)
    row = orjson.dumps(codec.dump(Memory({"it": value}), "user_data"), option=orjson.OPT_SORT_KEYS)
    memory = codec.load(orjson.loads(row))
    assert orjson.dumps(codec.dump(memory, "user_data"), option=orjson.OPT_SORT_KEYS) == row
    return memory.data["it"]


def content(value: Any) -> Any:
    """Everything an object holds, of which ``==`` compares only its id."""
    if isinstance(value, TelegramObject):
        names = [*value._get_attrs_names(include_private=True)]
        found = {name: content(getattr(value, name, None)) for name in names if name != "_bot"}
        return type(value), found
    if isinstance(value, tuple | list):
        return type(value), [content(item) for item in value]
    if isinstance(value, dict | MappingProxyType):
        return {key: content(item) for key, item in value.items()}
    return type(value), getattr(value, "value", value) if "DefaultValue" in type(value).__name__ else value


def kinds() -> Iterator[type[TelegramObject]]:
    for name, kind in sorted(vars(telegram).items()):
        if isinstance(kind, type) and issubclass(kind, TelegramObject) and not issubclass(kind, Bot):
            assert kind.__name__ == name
            if name not in ABSTRACT:
                yield kind


def sample(annotation: str, depth: int) -> Any:
    """Something that fits an annotation, as far as Telegram's classes go."""
    if "Sequence[" in annotation:
        return (sample(annotation.replace("Sequence[", "", 1), depth),)
    for name in re.findall(r"(?<!constants\.)\b[A-Z]\w+", annotation):
        kind = vars(telegram).get(name)
        if isinstance(kind, type) and issubclass(kind, TelegramObject):
            return made(kind, depth - 1)
    if "datetime.datetime" in annotation:
        return NOW
    if "timedelta" in annotation:
        return timedelta(seconds=90)
    if "bool" in annotation:
        return True
    return 7 if "int" in annotation else 1.5 if "float" in annotation else "text"


def made(kind: Any, depth: int) -> Any:
    """An object of a class: with everything that it takes, to some depth."""
    arguments, required = {}, {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name == "api_kwargs" or "depr" in name:
            continue
        if parameter.default is inspect.Parameter.empty or name in REQUIRED:
            required[name] = sample(str(parameter.annotation), depth)
        elif depth > 0:
            arguments[name] = sample(str(parameter.annotation), depth)
    try:
        return kind(**required, **arguments)
    except (ValueError, TypeError, AttributeError):
        # Some arguments exclude each other.
        return kind(**required)


@pytest.mark.parametrize("kind", [*kinds()], ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore")
def test_every_class_of_telegrams_objects_comes_back_with_everything_it_holds(kind: Any) -> None:
    value = made(kind, 2)
    assert content(there_and_back(value)) == content(value)


@pytest.mark.parametrize("kind", sorted(payloads()))
def test_every_kind_of_update_comes_back_equal_and_with_its_bot(kind: str) -> None:
    update = Update.de_json(payloads()[kind], BOT)
    back = there_and_back(update)
    assert back == update
    assert back.to_dict() == update.to_dict()
    assert back.get_bot() is BOT
    if update.effective_message is not None:
        assert back.effective_message.get_bot() is BOT
        assert back.effective_message.chat.get_bot() is BOT


def test_what_telegram_does_not_know_of_its_objects_comes_back_too() -> None:
    data = ("buy", {1, 2})
    button = InlineKeyboardButton("Buy", callback_data=data)
    assert there_and_back(InlineKeyboardMarkup([[button]])).inline_keyboard[0][0].callback_data == data
    exact = NOW + timedelta(microseconds=7)
    assert there_and_back(Message(1, exact, Chat(1, "private"))).date == exact
    assert there_and_back(LinkPreviewOptions()) == LinkPreviewOptions()
    assert there_and_back(LinkPreviewOptions(is_disabled=DefaultValue(True))).is_disabled is True
    assert there_and_back(MessageOriginUser(NOW, User(1, "A", False))).sender_user.id == 1


def test_a_photo_to_be_sent_comes_back_with_its_content() -> None:
    back = there_and_back(InputMediaPhoto(InputFile(b"\x00content", filename="a.jpg"), caption="c"))
    assert (back.media.input_file_content, back.media.filename, back.caption) == (b"\x00content", "a.jpg", "c")


def test_what_is_new_at_telegram_stays_with_its_object() -> None:
    user = User.de_json({"id": 1, "first_name": "A", "is_bot": False, "shoe_size": [{"!": 43}]}, BOT)
    assert there_and_back(user).api_kwargs == {"shoe_size": [{"!": 43}]}


def test_what_a_class_does_not_know_any_more_is_in_its_api_kwargs() -> None:
    row = {"data": {"it": {"!": "telegram:User", "id": 1, "first_name": "A", "is_bot": False, "was": 1}}, "format": 1}
    user = Codec(bot=BOT).load(row).data["it"]
    assert (user.id, user.api_kwargs) == (1, {"was": 1})


def test_objects_may_be_keys_and_stand_in_sets() -> None:
    users = {User(1, "A", False), User(2, "B", False)}
    assert there_and_back(users) == users
    assert there_and_back({User(1, "A", False): 1}) == {User(1, "A", False): 1}


def test_constants_come_back_as_what_they_are() -> None:
    assert there_and_back([ParseMode.HTML, ChatType.GROUP]) == [ParseMode.HTML, ChatType.GROUP]
    assert there_and_back(ChatType.GROUP) is ChatType.GROUP


def test_the_bot_itself_is_the_bot_of_whoever_loads() -> None:
    assert there_and_back({"bot": BOT})["bot"] is BOT
    with pytest.raises(NotKept, match=r"user_data\['it'\] is a Bot, another one than this bot"):
        Codec(bot=BOT).dump(Memory({"it": Bot("1:x")}), "user_data")


def test_a_message_that_has_no_id_yet_gets_it_when_it_is_loaded() -> None:
    chat = Chat(5, "private")
    message = Message(-4_097, NOW, chat, reply_to_message=Message(-4_098, NOW, chat))
    codec = Codec(bot=BOT)
    query = CallbackQuery("1", User(1, "A", False), "x", message=message)
    row = orjson.loads(orjson.dumps(codec.dump(Memory({"it": query}), "u", {-4_097, -4_098})))
    assert provisional_ids_in(row) == {-4_097, -4_098}
    back = codec.load(row, {-4_097: 11, -4_098: 10}).data["it"].message
    assert (back.message_id, back.reply_to_message.message_id) == (11, 10)
    assert back == Message(11, NOW, chat)


def test_an_object_of_a_base_class_that_cannot_be_made_again_is_refused_when_it_is_saved() -> None:
    with pytest.raises(NotKept, match="without the media_type that its class asks for"):
        Codec(bot=BOT).dump(Memory({"it": InputMedia("photo", "file-id")}), "user_data")


class Renamed(User):
    """A subclass of a bot's own."""

    __slots__ = ("note",)


def test_a_subclass_of_the_bots_own_comes_back_with_its_bot() -> None:
    user = Renamed(1, "A", False)
    with user._unfrozen():
        user.note = (1,)
    user.set_bot(BOT)
    back = there_and_back(user)
    assert (back, back.note, back.get_bot(), type(back)) == (user, (1,), BOT, Renamed)
