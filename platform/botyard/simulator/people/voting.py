"""People vote in polls, and polls close."""

from functools import partial

from botyard.simulator.errors import ControlError
from botyard.simulator.model import Chat, Json, Person, Poll
from botyard.simulator.polls import show_poll
from botyard.simulator.updates import make_update
from botyard.simulator.world import World


def vote(world: World, person: Person, chat: Chat, *, message_id: int, options: list[int]) -> int | None:
    """Let a person vote, or take their vote back with no options.

    Args:
        world: the world it happens in.
        person: who votes.
        chat: where the poll stands.
        message_id: the poll's message.
        options: places of the chosen options, from 0.

    Returns:
        The id of the ``poll_answer`` update, or of ``poll`` when the poll is anonymous.
    """
    message = chat.messages.get(message_id)
    if message is None or not message.poll_id:
        raise ControlError(404, f"there is no poll in message {message_id}")
    poll = world.polls[message.poll_id]
    chosen = sorted(set(options))
    _check(poll, person, chosen)
    if chosen == poll.answers.get(person.id, []):
        return None
    if chosen:
        poll.answers[person.id] = chosen
    else:
        del poll.answers[person.id]
    _touch(world, poll, chat)
    made = _tell(world, poll, "poll", show_poll(poll, poll.bot_id))
    if poll.shown["is_anonymous"]:
        return made
    names = [poll.shown["options"][at]["persistent_id"] for at in chosen]
    answer: Json = {
        "poll_id": poll.id,
        "user": person.card(),
        "option_ids": chosen,
        "option_persistent_ids": names,
    }
    return _tell(world, poll, "poll_answer", answer)


def close_poll(world: World, poll: Poll) -> None:
    """Close a poll; its bot is told once."""
    if poll.shown["is_closed"]:
        return
    poll.shown["is_closed"] = True
    poll.closes = 0.0
    _touch(world, poll)
    _tell(world, poll, "poll", show_poll(poll, poll.bot_id))


def close_in_time(world: World, poll: Poll) -> None:
    """See to it that a poll closes when its time comes, if it has one."""
    if poll.closes and not poll.shown["is_closed"]:
        world.timers.at(poll.closes, partial(close_poll, world, poll))


def _check(poll: Poll, person: Person, chosen: list[int]) -> None:
    shown = poll.shown
    if shown["is_closed"]:
        raise ControlError(409, "the poll is closed")
    if not all(0 <= at < len(shown["options"]) for at in chosen):
        raise ControlError(400, f"options must be from 0 to {len(shown['options']) - 1}")
    if len(chosen) > 1 and not shown["allows_multiple_answers"]:
        raise ControlError(409, "the poll allows one answer only")
    if person.id in poll.answers and not shown["allows_revoting"]:
        raise ControlError(409, "the person has voted, and the poll allows no second vote")


def _touch(world: World, poll: Poll, *more: Chat) -> None:
    """Record that the poll looks different now, in every chat that shows it."""
    known = (world.chat(bot_id, chat_id) for bot_id, chat_id in poll.places)
    for chat in {id(chat): chat for chat in (*known, *more) if chat}.values():
        world.touch(chat)


def _tell(world: World, poll: Poll, kind: str, payload: Json) -> int | None:
    bot = world.bots.get(poll.bot_id)
    if bot is None:
        return None
    return make_update(world, bot, kind, payload, chat_id=0, user_id=0)
