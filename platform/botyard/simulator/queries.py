"""Questions that wait for a bot's answer: how long, and where they are kept."""

from botyard.simulator.errors import bad_request
from botyard.simulator.model import Bot, Json, Person, Query
from botyard.simulator.world import World

LIVES = {
    "callback": 150,
    "inline": 30,
    "shipping": 150,
    "pre_checkout": 10,
    "web_app": 24 * 3600,
    "prepared": 24 * 3600,
}
"""Seconds for which each kind can be answered; a prepared message can be sent."""
KEPT = 150
"""Seconds for which a question is kept at least: how a payment ended is read later than its ten seconds."""
SWEEP_SECONDS = 60


def open_query(
    world: World, bot: Bot, person: Person, kind: str, *, chat_id: int = 0, data: Json | None = None
) -> Query:
    """Put a question to a bot."""
    _sweep(world)
    query = Query(str(world.ids.getrandbits(62)), bot.id, chat_id, person.id, world.now(), kind, data or {})
    world.queries[query.id] = query
    return query


def waiting_query(world: World, bot: Bot, kind: str, query_id: str) -> Query:
    """Return a question that a bot answers in time.

    Raises:
        ApiError: there is none, it is another bot's or of another kind, or it is too late.
    """
    query = world.queries.get(query_id)
    if query is None or query.bot_id != bot.id or query.kind != kind or expired(world, query):
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    return query


def expired(world: World, query: Query) -> bool:
    """Tell whether it is too late for an answer."""
    return query.date + LIVES[query.kind] < world.now()


def _sweep(world: World) -> None:
    """Forget what is over, once in a while: a look at all of them must not be paid by every question."""
    now = world.now()
    if world.sweep_queries_at <= now:
        world.sweep_queries_at = now + SWEEP_SECONDS
        for query in [query for query in world.queries.values() if query.date + max(LIVES[query.kind], KEPT) < now]:
            del world.queries[query.id]
