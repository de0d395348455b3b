"""What the mailboxes must know of each bot, written into Redis beside them. See docs/mailbox.md."""

from redis import Redis

from botyard.bots.registry import Routing, routings


def publish(redis: "Redis", routing: Routing) -> None:
    """Say how one bot's updates are routed; counts and aliases beside it stay."""
    key = f"by:bot:{routing.telegram_id}"
    pipe = redis.pipeline(transaction=True)
    pipe.hset(key, mapping={"queue": routing.queue, "paused": int(routing.paused)})
    if routing.share is None:
        pipe.hdel(key, "share")
    else:
        pipe.hset(key, "share", routing.share)
    if not routing.paused:
        # A bot that was removed and is here again.
        pipe.hdel(key, "gone")
        pipe.persist(key)
    pipe.execute()


def publish_all(redis: "Redis") -> int:
    """Say it of every bot; how many there are."""
    found = routings()
    for routing in found:
        publish(redis, routing)
    return len(found)
