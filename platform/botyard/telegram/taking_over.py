"""An application that its author builds and runs as always is built for the yard, and taken over instead of running.

While a bot's code is being loaded, `ApplicationBuilder.build` gives it an application of ours with a bot of ours, and
whatever would start it hands it to us. Everybody else's builders and applications are as python-telegram-bot made them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from telegram import Bot
from telegram._utils.defaultvalue import DefaultValue
from telegram.ext import ApplicationBuilder

from botyard.errors import InputError
from botyard.telegram.application import HandOver, YardApplication, loading, yarded
from botyard.telegram.job_queue import DurableJobQueue
from botyard.telegram.outbox_bot import BotOptions, OutboxBot

LIVES_ELSEWHERE: Final = "Let Application.builder() make it, and end in run_polling()."


MakeBot = Callable[[BotOptions], OutboxBot]


_ASKED: Final = ("defaults", "arbitrary_callback_data", "token")


class TakeOver:
    """The loading of one bot's code.

    Args:
        make_bot: makes the bot of its application.
    """

    def __init__(self, make_bot: MakeBot) -> None:
        self._make_bot = make_bot
        self.built: list[YardApplication] = []

    def build(self, builder: "ApplicationBuilder[Any, Any, Any, Any, Any, Any]") -> YardApplication:
        """What `ApplicationBuilder.build` does while the code is loaded.

        Raises:
            InputError: the code brings a bot, an updater or a web server of its own.
        """
        # Private in python-telegram-bot 22.8; a contract test holds them to this shape.
        asked: Any = builder
        for part in ("bot", "updater"):
            if not isinstance(getattr(asked, f"_{part}"), DefaultValue | None):
                raise InputError("kind", f"it builds a {part.capitalize()} of its own.", LIVES_ELSEWHERE)
        if asked._updater is None:  # noqa: SLF001
            problem = "it asks for no updater, so it has a web server of its own, which nobody would run here."
            raise InputError("kind", problem, "End in application.run_polling(): the yard takes the updates in.")
        return self.finish(asked)

    def finish(self, asked: Any) -> YardApplication:
        """Build an application of ours from what a builder was told."""
        asked._bot = self._make_bot(  # noqa: SLF001
            BotOptions(*(DefaultValue.get_value(getattr(asked, f"_{name}")) for name in _ASKED))
        )
        asked._updater = None  # noqa: SLF001
        # Memory is kept by the platform, and so are jobs, unless their author wants none.
        asked._persistence = None  # noqa: SLF001
        if asked._job_queue is not None:  # noqa: SLF001
            asked._job_queue = DurableJobQueue()  # noqa: SLF001
        asked._application_class = yarded(DefaultValue.get_value(asked._application_class))  # noqa: SLF001
        application = cast("YardApplication", _build(asked))
        self.built.append(application)
        return application


_taking: ContextVar[TakeOver | None] = ContextVar("taking_over", default=None)
_build = ApplicationBuilder.build
_initialize_bot = Bot.initialize


@contextmanager
def taking_over(make_bot: MakeBot, hand: HandOver) -> Iterator[TakeOver]:
    """Within this block, and in this context only, applications that are built become ours.

    Args:
        make_bot: makes their bots.
        hand: to whom the one is given that is run.
    """
    taking = TakeOver(make_bot)
    token, loads = _taking.set(taking), loading.set(hand)
    try:
        yield taking
    finally:
        _taking.reset(token)
        loading.reset(loads)


def _build_or_take(self: Any) -> Any:
    taking = _taking.get()
    return _build(self) if taking is None else taking.build(self)


async def _initialize_no_other(self: Bot) -> None:
    if _taking.get() is not None and not isinstance(self, OutboxBot):
        raise InputError("kind", "it works with a Bot of its own, beside or without an application.", LIVES_ELSEWHERE)
    await _initialize_bot(self)


ApplicationBuilder.build = _build_or_take  # type: ignore[method-assign]
Bot.initialize = _initialize_no_other  # type: ignore[method-assign]
