"""Figures of all processes in one place. See docs/watching.md.

A process counts in its own memory; once a second what has come since is added up in Redis, where any web process reads
the whole. So one address shows the installation, however many machines it has, and a restart forgets nothing but the
last second of a killed process.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import orjson
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from redis import Redis

HASH: Final = "by:metrics"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_Labels = tuple[tuple[str, object], ...]

_pending: dict[tuple[str, str, _Labels] | bytes, float] = {}
_lock = threading.Lock()


def _add(name: str, part: str, labels: dict[str, object], amount: float) -> None:
    # Told in Redis' words only once it is written there: every update is counted.
    _count((name, part, tuple(labels.items())), amount)


def _count(key: tuple[str, str, _Labels] | bytes, amount: float) -> None:
    with _lock:
        _pending[key] = _pending.get(key, 0.0) + amount


def _field(name: str, part: str, labels: _Labels) -> bytes:
    return orjson.dumps([name, part, {key: str(value) for key, value in labels}])


class Counter:
    """Counts upwards.

    Args:
        name: as it is shown, ending in ``_total``.
        text: what it counts.
        labels: names of its labels; never names or ids of people.
    """

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name = name
        self.text = text
        self.labels = labels

    def inc(self, amount: float = 1, **labels: object) -> None:
        """Count."""
        _add(self.name, "", labels, amount)

    def one_of(self, **labels: object) -> Callable[[], None]:
        """Counts one with these labels whenever it is called: for what comes twenty thousand times a second."""
        return partial(_count, _field(self.name, "", tuple(labels.items())), 1)

    def family(self, found: dict[tuple[str, str], list[tuple[dict[str, str], float]]]) -> Metric:
        """The sum over all processes."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in found.get((self.name, ""), ()):
            family.add_metric([labels.get(label, "") for label in self.labels], value)
        return family


class Histogram:
    """Distributes seconds over buckets.

    Args:
        name: as it is shown, ending in ``_seconds``.
        text: what it measures.
        labels: names of its labels; never names or ids of people.
    """

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name = name
        self.text = text
        self.labels = labels

    def observe(self, seconds: float, **labels: object) -> None:
        """Note one duration."""
        place = bisect_left(_BUCKETS, seconds)
        bound = str(_BUCKETS[place]) if place < len(_BUCKETS) else "+Inf"
        _add(self.name, bound, labels, 1)
        _add(self.name, "sum", labels, seconds)

    def family(self, found: dict[tuple[str, str], list[tuple[dict[str, str], float]]]) -> Metric:
        """The sum over all processes, with cumulated buckets as Prometheus wants them."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        sums = {tuple(labels.values()): value for labels, value in found.get((self.name, "sum"), ())}
        for values, total in sums.items():
            count, buckets = 0.0, []
            for bound in (*map(str, _BUCKETS), "+Inf"):
                count += sum(n for labels, n in found.get((self.name, bound), ()) if tuple(labels.values()) == values)
                buckets.append((bound, count))
            family.add_metric(values, buckets, sum_value=total)
        return family


ACKNOWLEDGED: Final = Counter("webhook_requests_total", "Webhook requests by answer", "status")
PROCESSED: Final = Counter("bot_messages_processed_total", "Updates by outcome", "bot", "outcome")
RESPONSE_SECONDS: Final = Histogram("bot_response_time_seconds", "From an update's arrival to its answer sent", "bot")
SENT: Final = Counter("bot_messages_sent_total", "Calls that the Bot API accepted", "bot", "lane")
UNCERTAIN: Final = Counter("bot_sends_uncertain_total", "Sends whose outcome is unknown", "bot")
GIVEN_UP: Final = Counter(
    "bot_sends_given_up_total", "Sends that ended unsent: dead, expired, dropped", "bot", "lane", "state"
)
HELD_BACK: Final = Counter("bot_sends_held_back_total", "Sends that TEST_MODE kept from their chats", "bot")
SYNC_EVENTS: Final = Counter("sync_events_total", "Changes told to other processes, and heard from them", "way")
CHECKS: Final = Counter("bot_checks_total", "Health checks of bots by outcome", "state")
WEBHOOKS_SET: Final = Counter("webhooks_set_total", "Webhooks set or repaired at the Bot API, by reason", "reason")
THEFTS: Final = Counter("webhook_thefts_total", "Webhooks that another system has set")
REFUSED: Final = Counter("celery_messages_refused_total", "Messages in queues that no code of ours sent", "why")
TICKETS_LOST: Final = Counter(
    "tickets_lost_total", "Tickets that the broker did not take; the sweep sends others", "queue"
)
_ALL: Final[Iterable[Counter | Histogram]] = (
    ACKNOWLEDGED, PROCESSED, RESPONSE_SECONDS, SENT, UNCERTAIN, GIVEN_UP, HELD_BACK, SYNC_EVENTS, CHECKS,
    WEBHOOKS_SET, THEFTS, REFUSED, TICKETS_LOST,
)  # fmt: skip


def take_pending() -> dict[bytes, float]:
    """What has been counted since the last call."""
    global _pending
    with _lock:
        taken, _pending = _pending, {}
    found: defaultdict[bytes, float] = defaultdict(float)
    for key, amount in taken.items():
        found[key if isinstance(key, bytes) else _field(*key)] += amount
    return found


def put_back(taken: dict[bytes, float]) -> None:
    """Keep what could not be written."""
    with _lock:
        for field, amount in taken.items():
            _pending[field] = _pending.get(field, 0.0) + amount


def flush(redis: "Redis") -> None:
    """Add up in Redis what has come since the last flush."""
    taken = take_pending()
    if not taken:
        return
    pipe = redis.pipeline(transaction=False)
    for field, amount in taken.items():
        pipe.hincrbyfloat(HASH, field, amount)
    try:
        pipe.execute()
    except Exception:
        put_back(taken)
        raise


def families(stored: dict[bytes, bytes]) -> Iterator[Metric]:
    """Everything that was counted, as Prometheus' families."""
    found: dict[tuple[str, str], list[tuple[dict[str, str], float]]] = {}
    for field, value in stored.items():
        name, part, labels = orjson.loads(field)
        found.setdefault((name, part), []).append((labels, float(value)))
    for figure in _ALL:
        yield figure.family(found)
