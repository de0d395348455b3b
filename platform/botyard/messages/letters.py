"""What was given up, for those whose it is: looking at it, trying it again, throwing it away."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

from botyard.accounts.access import Actor, bot_for, tenant_session
from botyard.accounts.roles import Role
from botyard.bots import dead_letters
from botyard.bots.dead_letters import Group, Letter, Replayer, Selection, What
from botyard.errors import InputError
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import times_of
from botyard.mailbox.server import redis_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.operations import Wanted, Work, begin
from botyard.operations.beginning import PRIVATE, without_private
from botyard.settings import Settings, get_settings
from db.models import Bot, DeadLetter

REPLAY: Final = "dead_letters.replay"
DISCARD: Final = "dead_letters.discard"
AT_ONCE: Final = 100
"""So many are replayed or discarded while somebody waits for the answer."""
_PER_SECOND: Final = 20.0
_NONE: Final = 0
"""No bot has this number."""

Act = Literal["replay", "discard"]


@dataclass(frozen=True, slots=True)
class Meant:
    """Which letters somebody means: some by their numbers, or all of a bot to which everything given applies.

    Args:
        ids: their numbers.
        bot: the bot's row.
        fingerprint: the cause, as groups name it.
        what: updates or sends only.
    """

    ids: tuple[int, ...] = ()
    bot: int | None = None
    fingerprint: str | None = None
    what: What | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of letters.

    Args:
        count: how many were meant.
        outcomes: how many ended how.
        operation: what goes on with them, if they are many.
    """

    count: int
    outcomes: dict[str, int]
    operation: int | None = None


def letters_of(actor: Actor, selection: Selection, bot: int | None, before: int | None, limit: int) -> list[DeadLetter]:
    """The letters that somebody may see, without their details, the latest first.

    Raises:
        AccessError: the bot is not theirs.
    """
    chosen, customers = _places(actor, selection, bot)
    if customers is None:
        return dead_letters.part(chosen, before, limit)
    found: list[DeadLetter] = []
    for customer_id in customers:
        with tenant_session(customer_id) as session:
            found += dead_letters.part(chosen, before, limit, session)
    return sorted(found, key=lambda one: one.id, reverse=True)[:limit]


def groups_of(actor: Actor, selection: Selection, bot: int | None) -> list[tuple[int, Group]]:
    """The same counted by bot and cause, each with its bot's row; the latest first.

    Raises:
        AccessError: the bot is not theirs.
    """
    chosen, customers = _places(actor, selection, bot)
    if customers is None:
        return dead_letters.groups_of_bots(chosen)
    found: list[tuple[int, Group]] = []
    for customer_id in customers:
        with tenant_session(customer_id) as session:
            found += dead_letters.groups_of_bots(chosen, session)
    return sorted(found, key=lambda one: one[1].newest_id, reverse=True)


def letter_for(actor: Actor, number: int, *, needs: Role) -> tuple[Letter, Bot]:
    """One letter in full, without secrets, and its bot; for somebody who may do that much for it.

    Raises:
        AccessError: there is none, or it is not theirs, or their role does not suffice.
    """
    bot = bot_for(actor, _bots_of(actor, [number]).get(number, _NONE), needs=needs)
    return dead_letters.letter(number), bot


def preview(actor: Actor, meant: Meant, act: Act) -> int:
    """How many letters that would be.

    Raises:
        AccessError: one of them is not theirs, or their role does not suffice.
        InputError: it is not said which.
    """
    if meant.ids:
        return len(_own(actor, meant.ids, act))
    return dead_letters.count(_of_bot(_bot(actor, meant, act), meant))[0]


def do(actor: Actor, meant: Meant, act: Act) -> Done:
    """Replay letters, or throw them away: now if they are few, else a worker does it.

    Raises:
        AccessError: one of them is not theirs, or their role does not suffice.
        InputError: it is not said which.
    """
    if meant.ids:
        ids = _own(actor, meant.ids, act)
        return Done(len(ids), _now(ids, act))
    bot = _bot(actor, meant, act)
    selection = _of_bot(bot, meant)
    # What is given up from now on was not meant.
    total, last = dead_letters.count(selection)
    if total <= AT_ONCE:
        return Done(total, _now(dead_letters.letter_ids(replace(selection, upto=last)), act))
    request = {"fingerprint": meant.fingerprint, "what": meant.what, "last": last}
    kind = REPLAY if act == "replay" else DISCARD
    return Done(total, {}, begin(Wanted(kind, bot.customer_id, bot.id, request, total)))


def check_discarded(actor: Actor, bots: Sequence[int]) -> None:
    """Go on only if somebody may throw letters of all of these bots away.

    Raises:
        AccessError: one of them is not theirs, or their role does not suffice.
    """
    for bot in bots:
        bot_for(actor, bot, needs=_needed("discard"))


def replay_all(work: Work) -> dict[str, Any]:
    """The operation `REPLAY`: letters of a bot one after the other, so many a second that others are not kept waiting.

    An interrupted one goes on with the rest: also with what comes after those that could not be replayed.
    """
    outcomes: Counter[str] = Counter(without_private(work.report))
    with redis_of(get_settings()) as redis:
        replayer = _replayer(get_settings(), redis)
        for number in _rest(work):
            outcomes[replayer.replay(number)] += 1
            work.report = {**outcomes, PRIVATE: {"after": number}}
            work.advance(work.done + 1)
            time.sleep(1 / _PER_SECOND)
    return dict(outcomes)


def discard_all(work: Work) -> dict[str, Any]:
    """The operation `DISCARD`."""
    ids = _rest(work)
    for first in range(0, len(ids), AT_ONCE):
        dead_letters.discard(ids[first : first + AT_ONCE])
        work.advance(work.done + len(ids[first : first + AT_ONCE]))
    return {"discarded": work.done}


def _rest(work: Work) -> list[int]:
    asked = work.request
    selection = Selection(
        what=asked["what"], bots=frozenset([work.bot_id or 0]), fingerprint=asked["fingerprint"], upto=asked["last"],
        after=work.report.get(PRIVATE, {}).get("after"),
    )  # fmt: skip
    return dead_letters.letter_ids(selection)


def _now(ids: Sequence[int], act: Act) -> dict[str, int]:
    if act == "discard":
        return {"discarded": dead_letters.discard(ids)}
    settings = get_settings()
    with redis_of(settings) as redis:
        replayer = _replayer(settings, redis)
        return dict(Counter[str](replayer.replay(number) for number in ids))


def _replayer(settings: Settings, redis: Any) -> Replayer:
    return Replayer(Keeper(redis, times_of(settings)), _tickets())


@lru_cache(maxsize=1)
def _tickets() -> CeleryTickets:
    return CeleryTickets(celery_producer())


def _places(actor: Actor, selection: Selection, bot: int | None) -> tuple[Selection, list[int] | None]:
    """What is chosen, and of which customers: none for a superadmin, who sees all."""
    if bot is not None:
        owner = bot_for(actor, bot, needs=Role.VIEWER).customer_id
        return replace(selection, bots=frozenset([bot])), [owner]
    return replace(selection, bots=actor.bots), None if actor.superadmin else actor.customers


def _bots_of(actor: Actor, ids: Sequence[int]) -> dict[int, int]:
    """The bots of letters by the letters' numbers, looked for where somebody may look."""
    chosen = Selection(ids=tuple(ids), replayed=True)
    if actor.superadmin:
        return {one.id: one.bot_id for one in dead_letters.part(chosen, None, len(ids))}
    found: dict[int, int] = {}
    for customer_id in sorted(actor.roles):
        with tenant_session(customer_id) as session:
            found |= {one.id: one.bot_id for one in dead_letters.part(chosen, None, len(ids), session)}
    return found


def _own(actor: Actor, ids: Sequence[int], act: Act) -> list[int]:
    bots = _bots_of(actor, ids)
    for bot in {bots.get(number, _NONE) for number in ids}:
        bot_for(actor, bot, needs=_needed(act))
    return sorted(bots)


def _bot(actor: Actor, meant: Meant, act: Act) -> Bot:
    if meant.bot is None:
        raise InputError("ids", "neither letters nor a bot are named.", "Give ids, or bot and perhaps fingerprint.")
    return bot_for(actor, meant.bot, needs=_needed(act))


def _needed(act: Act) -> Role:
    # What is thrown away is gone.
    return Role.OPERATOR if act == "replay" else Role.MANAGER


def _of_bot(bot: Bot, meant: Meant) -> Selection:
    return Selection(what=meant.what, bots=frozenset([bot.id]), fingerprint=meant.fingerprint)
