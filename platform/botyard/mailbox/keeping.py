"""The mailboxes as plain threads use them: renewing leases, waking senders, sweeping. See docs/mailbox.md."""

from typing import Any

from redis import Redis

from botyard.mailbox import scripts
from botyard.mailbox.inbound import Accepted, accepted_of, taking_in
from botyard.mailbox.protocol import DELIVER, PROCESS_UPDATES, TaskName, Ticket, Times, fresh_id, parse_ticket
from botyard.mailbox.trips import by_itself

_SWEPT: dict[bytes, TaskName] = {b"updates": PROCESS_UPDATES, b"sends": DELIVER}


class Keeper:
    """The protocol's steps that must not depend on an event loop.

    Args:
        redis: a client that does not decode responses.
        times: leases, deadlines and caps.
        horizon: milliseconds; no place may lie further in the future than the longest backoff.
    """

    def __init__(self, redis: "Redis", times: Times, horizon: int = 60_000) -> None:
        self._times = times
        self._horizon = horizon
        names = ("renew", "send_renew", "wake", "sweep")
        self._call: dict[str, Any] = {name: redis.register_script(scripts.source(name)) for name in names}
        self._accept = by_itself(redis, scripts.source("accept"), taking_in(times))

    def accept(self, bot: int, chat: str, update_id: int, body: bytes) -> Accepted:
        """Take in what is no update of Telegram's: as `Mailboxes.accept`, for whom that waits."""
        return accepted_of(bot, self._accept(args=(bot, chat, update_id, body)))

    def renew(self, bot: int, chat: str, token: str, ticket: str) -> bool:
        """Keep a chat's lease and its ticket; false when the lease was lost."""
        t = self._times
        return bool(self._call["renew"](args=(bot, chat, token, t.lease, ticket, t.running)))

    def send_renew(self, bot: int, token: str, ticket: str) -> bool:
        """Keep the lease of a bot's outbox; false when it was lost."""
        t = self._times
        return bool(self._call["send_renew"](args=(bot, token, t.lease, ticket, t.running)))

    def wake(self, bot: int) -> Ticket | None:
        """Rows of this bot were committed: its sender has work. Idempotent."""
        return parse_ticket(DELIVER, bot, self._call["wake"](args=(bot, self._times.queued, fresh_id())))

    def sweep(self, limit: int = 200) -> list[Ticket]:
        """Tickets for everything that is due and has none; to be sent. Any number of sweepers is harmless."""
        t = self._times
        found = self._call["sweep"](args=(t.share, t.queued, fresh_id(), limit, self._horizon))
        tickets = (parse_ticket(_SWEPT[what], int(bot), ticket) for what, bot, *ticket in found)
        return [ticket for ticket in tickets if ticket is not None]
