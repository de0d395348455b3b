"""How objects of python-telegram-bot are kept: what their constructors take, each value with its own type.

``to_dict`` and ``de_json`` would lose what Telegram does not know: the data of a button that is an object, fractions of
a second, the class of an answer that the bot made itself.
"""

import inspect
from typing import TYPE_CHECKING, Any

import telegram
from telegram import Bot, TelegramObject
from telegram._utils.defaultvalue import DefaultValue

from botyard.state.refusal import Refused
from botyard.state.values import BY_TAG

if TYPE_CHECKING:
    from botyard.state.codec import Decoder, Encoder

_EXTRA = "api_kwargs"


def is_bot(kind: type) -> bool:
    """Whether its objects are bots."""
    return issubclass(kind, Bot)


def is_telegram(kind: type) -> bool:
    """Whether it is one of python-telegram-bot's own classes for what the Bot API sends and takes."""
    return issubclass(kind, TelegramObject) and vars(telegram).get(kind.__name__) is kind


def dump_bot(to: "Encoder", value: Any, _: int) -> dict[str, Any]:
    """The bot is whoever reads.

    Raises:
        Refused: it is another one.
    """
    if to.codec.bot is not None and value is not to.codec.bot:
        raise Refused(value, "another one than this bot", "Keep its id.")
    return to.tag("bot")


class TelegramShape:
    """The objects of one class of python-telegram-bot.

    Args:
        kind: the class.
    """

    def __init__(self, kind: type) -> None:
        self._kind: Any = kind
        self._tag = f"telegram:{kind.__name__}"
        slots = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
        # Periods of time, credentials: what has no attribute of its name stands in a private one, here in 22.8.
        self._attributes = [
            (name, name if name in slots else f"_{name}", parameter.default)
            for name, parameter in inspect.signature(kind).parameters.items()
            if name != _EXTRA
        ]
        self._known = {name for name, _, _ in self._attributes}

    def dump(self, to: "Encoder", value: Any, depth: int) -> dict[str, Any]:
        """What its constructor is to be given; what it would take by default is left out."""
        content = {}
        for name, attribute, default in self._attributes:
            item = getattr(value, attribute, default)
            required = default is inspect.Parameter.empty
            if not required and (item is default or item == ()):
                continue
            if item is inspect.Parameter.empty:
                raise Refused(value, f"without the {name} that its class asks for", "Use the class for its kind.")
            plain = item.get_value(item) if isinstance(item, DefaultValue) else item
            content[name] = to.part(plain, depth + 2, value, "", f".{name}")
        if value.api_kwargs:
            content[_EXTRA] = to.part(dict(value.api_kwargs), depth + 1, value, "", f".{_EXTRA}")
        return to.tag(self._tag, **content)

    def load(self, of: "Decoder", stored: dict[str, Any]) -> Any:
        """The object, with its bot. What its class does not know any more is in its ``api_kwargs``."""
        content = of.attributes(stored)
        extra = dict(content.pop(_EXTRA, {}))
        extra |= {name: content.pop(name) for name in content.keys() - self._known}
        made = self._kind(**content, **({_EXTRA: extra} if extra else {}))
        made.set_bot(of.codec.bot)
        return made


BY_TAG["bot"] = lambda of, _: of.codec.bot
