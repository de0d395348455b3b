"""Polls: what a bot sees of one, and how it ends."""

from collections import Counter

from botyard.simulator.model import Chat, Json, Message, Poll

SHORTEST = 5
LONGEST = 2_628_000
"""Seconds for which a poll that closes by itself may be open (Bot API, sendPoll)."""
SECRETS = ("correct_option_ids", "explanation", "explanation_entities")
"""What a quiz tells nobody but its author until it is over."""


def show_poll(poll: Poll, viewer: int) -> Json:
    """Return a Telegram ``Poll``.

    Args:
        poll: the poll.
        viewer: the bot that sees it.
    """
    counts = Counter(option for chosen in poll.answers.values() for option in chosen)
    shown = poll.shown | {
        "options": [option | {"voter_count": counts[at]} for at, option in enumerate(poll.shown["options"])],
        "total_voter_count": len(poll.answers),
    }
    if viewer != poll.bot_id and not poll.shown["is_closed"]:
        for name in SECRETS:
            shown.pop(name, None)
    return shown


def put_poll(poll: Poll, chat: Chat, message: Message) -> None:
    """Let a message show a poll, and remember the chat: the poll looks the same wherever it stands."""
    message.poll_id = poll.id
    place = (chat.bot_id, chat.id)
    if place not in poll.places:
        poll.places.append(place)
