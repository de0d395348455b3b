"""Groups and channels for tests, and a look at what bots were told."""

from typing import Any

import orjson

from botyard.simulator.groups import bring_in, found
from botyard.simulator.model import Bot, Chat, Person
from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape


def gather(stage: Stage, kind: str = "supergroup", *, lead: bool = True, rights: dict[str, bool] | None = None) -> Chat:
    """Return a chat that the stage's person has created, with its bot in it, an administrator if it shall lead."""
    chat = found(stage.world, kind, "Friends", stage.person.id)
    bring_in(stage.world, chat, stage.bot.id, stage.person.id)
    if lead:
        membership.promote(stage.world, stage.person, chat, stage.bot.id, rights=rights, title="")
    stage.bot.pending.clear()
    return chat


def guest(stage: Stage, chat: Chat, name: str = "Bob") -> Person:
    """Return a person who has just come into the chat by themselves."""
    person = stage.world.add_person(Person(0, name))
    membership.join(stage.world, person, chat)
    stage.bot.pending.clear()
    return person


def told(bot: Bot, kind: str) -> list[dict[str, Any]]:
    """Return what a bot was told of one kind, each with Telegram's exact shape, and forget it."""
    found_here = [orjson.loads(update.body) for update in bot.pending.values() if update.kind == kind]
    bot.pending = {key: update for key, update in bot.pending.items() if update.kind != kind}
    for update in found_here:
        assert_shape(update, "Update")
    return [update[kind] for update in found_here]
