"""Configuring bots: every change is a version, and each version can be gone back to. See docs/configuration.md.

No bot's code is loaded here, so the web process may import it: whoever can load it gives its shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from botyard.bots.configuration.model import BotConfig, Stored, changed, check_keepable, checked, keep, stored_of
from botyard.bots.naming import find_bot
from botyard.bots.registry import routings_of
from botyard.bots.routing import publish
from botyard.errors import InputError
from botyard.events import BotConfigured, record
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.kind_shapes import KindShape
from db.acting import actor
from db.engine import get_sessions
from db.models import Bot, BotConfiguration

_ELSEWHERE: Final = "It was changed where no versions are kept."
_MOST_NOTE: Final = 500


class ConfigurationConflict(InputError):
    """Somebody else has configured the bot since it was looked at."""


@dataclass(frozen=True, slots=True)
class Configured:
    """How a bot is configured.

    Args:
        bot_id: its row.
        username: what it is called.
        kind: whose settings it has.
        number: of this configuration; 0: none of its versions is kept yet.
        configuration: all of it, with what has its default.
        queue: the pool in which it is now.
    """

    bot_id: int
    username: str
    kind: str
    number: int
    configuration: BotConfig
    queue: str


@dataclass(frozen=True, slots=True)
class Version:
    """One configuration that a bot has had.

    Args:
        number: which; they are counted from 1.
        at: since when.
        actor: who set it.
        note: why, if it was said.
        configuration: what was chosen, without what had its default.
    """

    number: int
    at: datetime
    actor: str
    note: str | None
    configuration: Stored


def configuration_of(name: str) -> Configured:
    """How a bot is configured now.

    Args:
        name: any of its names: see `botyard.bots.naming`.

    Raises:
        InputError: there is no such bot, or what stands in its row is wrong.
    """
    with get_sessions("system")() as session:
        bot = find_bot(session, name)
        return _configured(bot, _newest(session, bot))


def configure(
    name: str, changes: Mapping[str, Any], settings: Settings, *, shape: KindShape | None = None,
    expected: int | None = None, note: str | None = None,
) -> Configured:  # fmt: skip
    """Change a bot's configuration; what is not named stays. Without a difference there is no new version.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        changes: see `botyard.bots.configuration.model.changed`.
        settings: where its mailboxes are.
        shape: of its kind; without it its ``settings`` cannot be changed.
        expected: the number of the configuration that is to be changed.
        note: why, for those who read its history.

    Raises:
        ConfigurationConflict: it has another number by now, or the bot another kind.
        SettingsMisfit: its settings would not be what its kind takes.
        InputError: there is no such bot, or something that is named cannot be so.
    """
    return _change(name, lambda _, __, stored: changed(stored, changes), settings, _Terms(shape, expected, note))


def roll_back(
    name: str, number: int, settings: Settings, *, shape: KindShape | None = None, expected: int | None = None,
    note: str | None = None,
) -> Configured:  # fmt: skip
    """Configure a bot as it was: a new version that is equal to an earlier one.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        number: of the earlier one; 0: everything by default.
        settings: where its mailboxes are.
        shape: of its kind; without it its ``settings`` cannot be changed.
        expected: the number of the configuration that is to be left.
        note: why, for those who read its history.

    Raises:
        ConfigurationConflict: it has another number by now, or the bot another kind.
        SettingsMisfit: its kind does not take the settings of that time any more.
        InputError: there is no such bot or version, or what stands there is not possible any more.
    """

    def earlier(session: Session, bot: Bot, _: Stored) -> Stored:
        if number == 0:
            return {}
        row = session.get(BotConfiguration, (bot.id, number))
        if row is None:
            raise InputError("number", f"there is no configuration {number} of @{bot.username}.", _history_of(bot))
        return dict(row.configuration)

    return _change(name, earlier, settings, _Terms(shape, expected, note or f"As number {number} was."))


def history(name: str, limit: int = 100) -> list[Version]:
    """The configurations that a bot has had, the newest first.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        limit: how many at most.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        bot = find_bot(session, name)
        query = select(BotConfiguration).where(BotConfiguration.bot_id == bot.id)
        rows = session.scalars(query.order_by(BotConfiguration.number.desc()).limit(limit))
        return [Version(row.number, row.created_at, row.actor, row.note, row.configuration) for row in rows]


@dataclass(frozen=True, slots=True)
class _Terms:
    shape: KindShape | None
    expected: int | None
    note: str | None


def _change(
    name: str, wanted: Callable[[Session, Bot, Stored], Stored], settings: Settings, terms: _Terms
) -> Configured:  # fmt: skip
    if terms.note is not None and len(terms.note) > _MOST_NOTE:
        raise InputError("note", f"is longer than {_MOST_NOTE} characters.", "Write a shorter one.")
    with get_sessions("system").begin() as session:
        bot = find_bot(session, name)
        session.refresh(bot, with_for_update=True)
        if bot.removal_began is not None:
            raise InputError("bot", f"@{bot.username} is being removed.", "`botyard bot remove` finishes that.")
        before = stored_of(bot)
        newest = _newest(session, bot)
        number = newest.number if newest else 0
        if terms.expected is not None and terms.expected != number:
            problem = f"the configuration of @{bot.username} is number {number} by now, not {terms.expected}."
            raise ConfigurationConflict("expected", problem, "Look at it again, then say what is to be changed.")
        after = checked(wanted(session, bot, before))
        if after.stored == before:
            return _configured(bot, newest)
        check_keepable(after)
        _check_settings(bot, before, after, terms.shape)
        if before != (newest.configuration if newest else {}):
            # Older code, `bot add --queue`, or a hand in the database: to be gone back to like all others.
            number += 1
            _write(session, bot, number, before, "botyard", _ELSEWHERE)
        keep(bot, after)
        bot.config_version += 1
        newest = _write(session, bot, number + 1, after.stored, actor(), terms.note)
        record(session, bot, BotConfigured(newest.number))
        found, routes = _configured(bot, newest), routings_of(session, [bot])
    with redis_of(settings) as redis:
        publish(redis, *routes)
    return found


def _newest(session: Session, bot: Bot) -> BotConfiguration | None:
    query = select(BotConfiguration).where(BotConfiguration.bot_id == bot.id)
    return session.scalars(query.order_by(BotConfiguration.number.desc()).limit(1)).first()


def _write(
    session: Session, bot: Bot, number: int, stored: Stored, who: str, note: str | None
) -> BotConfiguration:  # fmt: skip
    row = BotConfiguration(
        bot_id=bot.id, number=number, customer_id=bot.customer_id, configuration=stored, actor=who, note=note
    )
    session.add(row)
    return row


def _configured(bot: Bot, newest: BotConfiguration | None) -> Configured:
    number = newest.number if newest else 0
    return Configured(bot.id, bot.username, bot.kind, number, checked(stored_of(bot)), bot.queue)


def _check_settings(bot: Bot, before: Stored, after: BotConfig, shape: KindShape | None) -> None:
    """What its kind would refuse later is refused now; what nobody touches is left to whoever builds the bot."""
    if after.settings == before.get("settings", {}):
        return
    if shape is None:
        raise InputError(
            "settings", "are checked by the bot's kind, which cannot be loaded here.", "Use `botyard bot configure`."
        )
    if shape.kind != bot.kind:
        problem = f"@{bot.username} is of the kind {bot.kind} by now, not {shape.kind}."
        raise ConfigurationConflict("settings", problem, "Look at it again, then say what is to be changed.")
    shape.read(after.settings)


def _history_of(bot: Bot) -> str:
    return f"See `botyard bot history {bot.username}`."
