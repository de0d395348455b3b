"""Bots' code: found by name, and made an application. See docs/bring-your-bot.md and docs/configuration.md."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Final, cast

from telegram.ext import ApplicationBuilder

from botyard.errors import InputError
from botyard.telegram.application import YardApplication
from botyard.telegram.kind_errors import unusable
from botyard.telegram.kind_shapes import Given, KindShape, arguments, masked, shape_of
from botyard.telegram.outbox_bot import BotOptions, OutboxBot
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.scripts import NO_TOKEN, Script, is_script
from botyard.telegram.taking_over import MakeBot, TakeOver

Kind = Callable[..., None]
"""A kind of bot: a function that adds handlers to an application, and may take what `kind_shapes` tells."""

_NOTHING: Final = Given()
_NOBODY: Final = {"id": 1, "is_bot": True, "first_name": "nobody", "username": "nobody_bot"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What there is to see of a bot's code.

    Args:
        application: as its author built it.
        tokens: that its code names.
    """

    application: YardApplication
    tokens: list[str]


def build(
    kind: Kind | Script, make_bot: MakeBot, token: str = NO_TOKEN, given: Given = _NOTHING
) -> YardApplication:  # fmt: skip
    """An application of this kind; initialise it in the loop that will use it.

    Args:
        kind: what `find_kind` found.
        make_bot: makes its bot, from what its author asks of it.
        token: what a script finds where it looks for its token.
        given: what the bot's configuration gives to its kind; a script takes nothing of it.

    Raises:
        SettingsMisfit: the bot's settings are not what its kind takes.
        InputError: the kind's code raises, ends the program, or cannot run here; the place in the code is named.
    """
    application = kind.run(make_bot, token) if isinstance(kind, Script) else _built_by(kind, make_bot, given)
    application.remember()
    return application


def lasting_name(kind: str) -> str:
    """A kind by a name that means the same in every process: a script by its whole path."""
    return str(Path(kind).absolute()) if is_script(kind) else kind


def look_at(kind: str, given: Given = _NOTHING) -> Looked:
    """Load a bot's code to see what it needs; nobody's updates reach what it builds.

    Args:
        kind: as `find_kind` takes it.
        given: what the bot's configuration gives to its kind; else it finds its settings' defaults.

    Raises:
        SettingsMisfit: these settings are not what it takes, or it has settings without defaults.
        InputError: there is no such kind, or it cannot run here; the place in the code is named.
    """
    tokens: list[str] = []

    def make_bot(options: BotOptions) -> OutboxBot:
        if options.token:
            tokens.append(options.token)
        return OutboxBot(NO_TOKEN, "http://127.0.0.1:9/bot", AiohttpRequest(1), _NOBODY, options=options)

    application = build(find_kind(kind), make_bot, given=given)
    application.retire()
    return Looked(application, tokens)


def find_shape(kind: str) -> KindShape:
    """What a kind wants to be given: its settings' schema, above all. Loads its code.

    Args:
        kind: as `find_kind` takes it.

    Raises:
        InputError: there is no such kind, it cannot be loaded, or it takes what nobody gives.
    """
    found = find_kind(kind)
    if isinstance(found, Script):
        return KindShape(kind, remedy="A script has no function that could take them: it reads its environment.")
    return shape_of(kind, found)


def _built_by(kind: Kind, make_bot: MakeBot, given: Given) -> YardApplication:
    found = arguments(shape_of(_name_of(kind), kind), given)
    application = TakeOver(make_bot).finish(ApplicationBuilder())
    try:
        kind(application, **found)
    except (Exception, SystemExit) as error:
        raise masked(unusable(f"{_name_of(kind)} cannot be built", error), found) from error
    return application


def installed_kinds() -> list[str]:
    """The names of the kinds that are installed."""
    return sorted(_installed().names)


@cache
def _installed() -> EntryPoints:
    """Read once: it is looked for in the files of all packages, and a running process takes none that comes later."""
    return entry_points(group="botyard.bots")


def find_kind(name: str) -> Kind | Script:
    """A kind by its entry point in the group ``botyard.bots``, by ``package.module:function``, or by a script's path.

    Raises:
        InputError: there is no such kind, or its code raises, or ends the program; the place in the code is named.
    """
    try:
        if name in _installed().names:
            return cast("Kind", _installed()[name].load())
        if is_script(name):
            return Script(Path(name))
        module, colon, function = name.partition(":")
        if colon:
            return cast("Kind", getattr(import_module(module), function))
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        # SystemExit too: one bot that misses its key must not end the process in which others live.
        raise unusable(f"{name} cannot be loaded", error) from error
    known = ", ".join(installed_kinds())
    remedy = f"Known: {known}; or write package.module:function, or the path of a script."
    raise InputError("kind", f"there is no kind {name!r}.", remedy)


def _name_of(kind: Kind) -> str:
    return f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', repr(kind))}"
