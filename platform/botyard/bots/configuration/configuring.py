"""Configuring bots: every change is a version, and each version can be gone back to. See docs/configuration.md.

No bot's code is loaded here, so the web process may import it: whoever can load it gives its shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from botyard.bots.configuration.model import (
    BotConfig,
    Stored,
    changed,
    check_keepable,
    checked,
    keep,
    merged,
    stored_of,
)
from botyard.bots.naming import find_bot
from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from botyard.errors import InputError, Stale
from botyard.events import BotConfigured, record
from botyard.telegram.kind_shapes import KindShape
from db.acting import actor
from db.engine import get_sessions
from db.models import Bot, BotConfiguration

_ELSEWHERE: Final = "It was changed where no versions are kept."
_MOST_NOTE: Final = 500


class ConfigurationConflict(InputError):
    """Somebody else has configured the bot since it was looked at, or has given it another kind."""


class KindNeeded(InputError):
    """Settings of the bot's kind would change, and they are checked where its code can be loaded."""

    def __init__(self) -> None:
        problem = "are checked by the bot's kind, which cannot be loaded here."
        super().__init__("settings", problem, "Use `botyard bot configure`.")
        self.args = ()


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
    name: str, changes: Mapping[str, Any], *, shape: KindShape | None = None, expected: int | None = None,
    note: str | None = None, version: int | None = None,
) -> Configured:  # fmt: skip
    """Change a bot's configuration; what is not named stays. Without a difference there is no new version.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        changes: see `botyard.bots.configuration.model.changed`.
        shape: of its kind; without it its ``settings`` cannot be changed.
        expected: the number of the configuration that is to be changed.
        note: why, for those who read its history.
        version: that of the bot's row which is to be changed.

    Raises:
        ConfigurationConflict: it has another number by now, or the bot another kind.
        Stale: the bot's row has another version by now.
        KindNeeded: its ``settings`` would change, and no shape is given.
        SettingsMisfit: its settings would not be what its kind takes.
        InputError: there is no such bot, or something that is named cannot be so.
    """
    terms = _Terms(shape, expected, note, version)
    return _change(name, lambda _, __, stored: changed(stored, changes), terms)


def replace(
    name: str, wanted: Stored, *, shape: KindShape | None = None, expected: int | None = None, note: str | None = None
) -> Configured:  # fmt: skip
    """Configure a bot as a whole: what is not named is as it is by default.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        wanted: as it is to be kept.
        shape: as for `configure`.
        expected: the same.
        note: the same.

    Raises:
        InputError: as `configure`.
    """
    return _change(name, lambda _, __, ___: dict(wanted), _Terms(shape, expected, note))


def merge(
    name: str, patch: Mapping[str, Any], *, shape: KindShape | None = None, expected: int | None = None,
    note: str | None = None,
) -> Configured:  # fmt: skip
    """Change a bot's configuration by a JSON merge patch (RFC 7396): what is null is as it is by default.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        patch: what is to be changed.
        shape: as for `configure`.
        expected: the same.
        note: the same.

    Raises:
        InputError: as `configure`.
    """
    return _change(name, lambda _, __, stored: merged(stored, patch), _Terms(shape, expected, note))


def roll_back(
    name: str, number: int, *, shape: KindShape | None = None, expected: int | None = None, note: str | None = None
) -> Configured:
    """Configure a bot as it was: a new version that is equal to an earlier one.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        number: of the earlier one; 0: everything by default.
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

    return _change(name, earlier, _Terms(shape, expected, note or f"As number {number} was."))


def history(name: str, limit: int = 100, before: int | None = None) -> list[Version]:
    """The configurations that a bot has had, the newest first.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        limit: how many at most.
        before: only those with a lower number.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        bot = find_bot(session, name)
        query = select(BotConfiguration).where(BotConfiguration.bot_id == bot.id)
        if before is not None:
            query = query.where(BotConfiguration.number < before)
        rows = session.scalars(query.order_by(BotConfiguration.number.desc()).limit(limit))
        return [Version(row.number, row.created_at, row.actor, row.note, row.configuration) for row in rows]


@dataclass(frozen=True, slots=True)
class _Terms:
    shape: KindShape | None
    expected: int | None
    note: str | None
    version: int | None = None

    def check(self, bot: Bot, number: int) -> None:
        """Whether it is still what was looked at."""
        if self.version is not None and self.version != bot.config_version:
            raise Stale(bot.config_version)
        if self.expected is not None and self.expected != number:
            problem = f"the configuration of @{bot.username} is number {number} by now, not {self.expected}."
            raise ConfigurationConflict("expected", problem, "Look at it again, then say what is to be changed.")


def _change(name: str, wanted: Callable[[Session, Bot, Stored], Stored], terms: _Terms) -> Configured:
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
        terms.check(bot, number)
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
    tell(routes)
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
        raise KindNeeded
    if shape.kind != bot.kind:
        problem = f"@{bot.username} is of the kind {bot.kind} by now, not {shape.kind}."
        raise ConfigurationConflict("settings", problem, "Look at it again, then say what is to be changed.")
    shape.read(after.settings)


def _history_of(bot: Bot) -> str:
    return f"See `botyard bot history {bot.username}`."
