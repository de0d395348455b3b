"""The scripts of ``botyard/mailbox/lua``, each one atomic: what each makes of Redis."""

from __future__ import annotations

from tests.model.explorer import Violation, fresh, put
from tests.model.inbound_state import (
    ABSENT,
    LEASED,
    NEW,
    PARKED,
    READY,
    START,
    Holding,
    Redis,
    Setup,
    State,
    Worker,
)

WHOLE = 4
"""All writes of `accept`: place, mail, seen bit, ticket."""


class Mailbox:
    """The scripts, with the planted bugs of a configuration."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._bugs = setup.bugs

    def issue(self, state: State, redis: Redis, bot: int) -> Redis:
        """The only birth of a ticket; whoever called the script sends it, or dies and it is lost."""
        ready = any(place == READY and self._setup.chats[chat] == bot for chat, place in enumerate(redis.place))
        live = redis.tickets[bot]
        if not ready or (len(live) >= self._setup.share and "uncapped-issue" not in self._bugs):
            return redis
        used = {*live, *(ticket for of, ticket in redis.queue if of == bot)}
        used |= {worker.ticket for worker in state.workers if worker.at and worker.bot == bot}
        if state.synced is not None:
            used |= {*state.synced.tickets[bot], *(ticket for of, ticket in state.synced.queue if of == bot)}
        ticket = fresh(used)
        return redis._replace(
            tickets=put(redis.tickets, bot, tuple(sorted((*live, ticket)))),
            queue=tuple(sorted((*redis.queue, (bot, ticket)))),
        )

    def accept(self, state: State, redis: Redis, number: int, writes: int = WHOLE, *, again: bool = False) -> Redis:
        """Take an update in.

        Args:
            state: everything else.
            redis: what it changes.
            number: which update.
            writes: after how many of its writes the script fails.
            again: its seen bit has expired.
        """
        chat = self._setup.updates[number].chat
        if redis.seen[number] and not again:
            return redis
        if "seen-bit-first" in self._bugs and writes < WHOLE:
            return redis._replace(seen=put(redis.seen, number, 1))
        was_absent = redis.place[chat] == ABSENT or "accept-without-nx" in self._bugs
        if was_absent:
            redis = redis._replace(place=put(redis.place, chat, READY))
        if writes >= 2:
            redis = redis._replace(mailbox=put(redis.mailbox, chat, (*redis.mailbox[chat], number)))
            if number not in redis.arrived[chat]:
                redis = redis._replace(arrived=put(redis.arrived, chat, (*redis.arrived[chat], number)))
        if writes >= 3:
            redis = redis._replace(seen=put(redis.seen, number, 1))
        return self.issue(state, redis, self._setup.chats[chat]) if writes >= WHOLE and was_absent else redis

    def take(self, state: State, redis: Redis, chat: int) -> tuple[Redis, Holding]:
        """Lease a chat with mail, and hand out its head."""
        used = {*redis.owner, *(holding.token for worker in state.workers for holding in worker.holdings)}
        if state.synced is not None:
            used.update(state.synced.owner)
        token = fresh(used)
        redis = redis._replace(place=put(redis.place, chat, LEASED), owner=put(redis.owner, chat, token))
        fence = 0
        if "redis-fence" in self._bugs:
            fence = redis.fence[chat] + 1
            redis = redis._replace(fence=put(redis.fence, chat, fence))
        return self._hand(redis, Holding(START, chat, token, -1, 0, 0, 1, fence=fence))

    def _hand(self, redis: Redis, holding: Holding) -> tuple[Redis, Holding]:
        """Give the head of a chat to its owner and count the start, before it is made."""
        chat = holding.chat
        number = redis.mailbox[chat][0]
        if "pop-at-take" in self._bugs:
            redis = redis._replace(mailbox=put(redis.mailbox, chat, redis.mailbox[chat][1:]))
        before, suspect = redis.tries[number], 0
        attempt = before if "count-after-run" in self._bugs else min(before + 1, self._setup.max_attempts + 1)
        redis = redis._replace(tries=put(redis.tries, number, attempt))
        if self._setup.held > 1:
            # Alone in its process nobody need be kept from it.
            suspect = int(before > 0 and not redis.came_back[number])
            redis = redis._replace(came_back=put(redis.came_back, number, 0))
        redis = redis._replace(place=put(redis.place, chat, LEASED))
        return redis, holding._replace(at=START, update=number, attempt=attempt, suspect=suspect, versions=(), sends=())

    def retire(self, redis: Redis, worker: Worker) -> Redis:
        """The ticket of a slice that found nothing is no more."""
        rest = tuple(ticket for ticket in redis.tickets[worker.bot] if ticket != worker.ticket)
        return redis._replace(tickets=put(redis.tickets, worker.bot, rest))

    def finish(self, state: State, redis: Redis, worker: Worker) -> Redis:
        """The slice is over: a successor is born if work is left."""
        return self.issue(state, self.retire(redis, worker), worker.bot)

    def remove(self, state: State, redis: Redis, holding: Holding) -> tuple[Redis, bool]:
        """The first half of ``done``: drop the head if it is this update; whether the lease is the caller's."""
        chat, number = holding.chat, holding.update
        is_owner = redis.owner[chat] == holding.token or "no-owner-check" in self._bugs
        by_count = "remove-by-count" in self._bugs
        if "pop-at-take" in self._bugs or (not is_owner and not by_count):
            return redis, is_owner
        box = redis.mailbox[chat]
        if box and (box[0] == number or by_count):
            if state.database.inbox[box[0]] == NEW and not self._bugs & {"ack-before-commit", "dead-elsewhere"}:
                raise Violation(f"REMOVE: update {box[0]} is removed unprocessed")
            redis = redis._replace(
                mailbox=put(redis.mailbox, chat, box[1:]),
                tries=put(redis.tries, box[0], 0),
                came_back=put(redis.came_back, box[0], 0),
            )
        return redis, is_owner

    def done(self, state: State, redis: Redis, holding: Holding, *, more: bool) -> tuple[Redis, Holding | None]:
        """Drop the update, and hand out the chat's next one or let the chat go."""
        redis, is_owner = self.remove(state, redis, holding)
        if not is_owner:
            return redis, None
        if redis.mailbox[holding.chat] and more:
            return self._hand(redis, holding)
        return self.free(redis, holding.chat, READY if redis.mailbox[holding.chat] else ABSENT), None

    def free(self, redis: Redis, chat: int, place: int) -> Redis:
        """Let a chat go."""
        return redis._replace(place=put(redis.place, chat, place), owner=put(redis.owner, chat, 0))

    def fail(self, redis: Redis, holding: Holding, *, counted: bool) -> Redis:
        """Park a chat; uncounted: the trouble was not the update's own."""
        chat, number = holding.chat, holding.update
        if redis.owner[chat] != holding.token and "no-owner-check" not in self._bugs:
            return redis
        if "skip-failed" in self._bugs and len(redis.mailbox[chat]) > 1:
            box = redis.mailbox[chat]
            redis = redis._replace(mailbox=put(redis.mailbox, chat, (*box[1:], box[0])))
            return self.free(redis, chat, READY)
        tries, came_back = redis.tries[number], redis.came_back[number]
        if "count-after-run" in self._bugs:
            tries += 1
        tries = max(tries - (0 if counted else 1), 0)
        if self._setup.held > 1:
            came_back = 0 if not tries else 1 if counted or not holding.suspect else came_back
        redis = redis._replace(
            tries=put(redis.tries, number, min(tries, self._setup.max_attempts + 1)),
            came_back=put(redis.came_back, number, came_back),
        )
        return self.free(redis, chat, PARKED)

    def renew(self, redis: Redis, holding: Holding) -> Redis:
        """A lease that has passed is its owner's again, if nobody took the chat meanwhile."""
        return redis._replace(place=put(redis.place, holding.chat, LEASED))
