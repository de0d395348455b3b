from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from botyard.telemetry import metrics


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    before = metrics.take_pending()
    yield
    metrics.take_pending()
    metrics.put_back(before)


class Shown:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def shown() -> str:
    """What has been counted, as Prometheus reads it."""
    stored = {field: str(amount).encode() for field, amount in metrics.take_pending().items()}
    registry = CollectorRegistry()
    registry.register(Shown(list(metrics.families(stored))))
    return generate_latest(registry).decode()


def test_counts_with_the_same_labels_are_added_up() -> None:
    metrics.SENT.inc(bot=1, lane="reply")
    metrics.SENT.inc(2, bot=1, lane="reply")
    metrics.SENT.inc(bot=2, lane="bulk")
    text = shown()
    assert 'bot_messages_sent_total{bot="1",lane="reply"} 3.0' in text
    assert 'bot_messages_sent_total{bot="2",lane="bulk"} 1.0' in text


def test_a_distribution_is_cumulated_and_ends_with_everything() -> None:
    for seconds in (0.005, 0.2, 0.2, 1000):
        metrics.RESPONSE_SECONDS.observe(seconds, bot=1)
    text = shown()
    name = "bot_response_time_seconds"
    assert f'{name}_bucket{{bot="1",le="0.005"}} 1.0' in text
    assert f'{name}_bucket{{bot="1",le="0.1"}} 1.0' in text
    assert f'{name}_bucket{{bot="1",le="0.25"}} 3.0' in text
    assert f'{name}_bucket{{bot="1",le="300.0"}} 3.0' in text
    assert f'{name}_bucket{{bot="1",le="+Inf"}} 4.0' in text
    assert f'{name}_count{{bot="1"}} 4.0' in text
    assert f'{name}_sum{{bot="1"}} 1000.405' in text


def test_each_bot_has_a_distribution_of_its_own() -> None:
    metrics.RESPONSE_SECONDS.observe(1, bot=1)
    metrics.RESPONSE_SECONDS.observe(1, bot=2)
    text = shown()
    assert 'bot_response_time_seconds_count{bot="1"} 1.0' in text
    assert 'bot_response_time_seconds_count{bot="2"} 1.0' in text


def test_every_family_is_shown_before_anything_was_counted() -> None:
    text = shown()
    for name in ("webhook_requests_total", "bot_messages_processed_total", "bot_response_time_seconds",
                 "bot_messages_sent_total", "bot_sends_uncertain_total"):  # fmt: skip
        assert f"# HELP {name} " in text


def test_figures_of_a_newer_version_do_not_hide_the_others() -> None:
    metrics.UNCERTAIN.inc(bot=1)
    stored = dict.fromkeys(metrics.take_pending(), b"1") | {b'["of_tomorrow_total","",{}]': b"5"}
    samples = [sample for family in metrics.families(stored) for sample in family.samples]
    assert [sample.value for sample in samples] == [1.0]


def test_what_could_not_be_written_is_counted_with_what_came_since() -> None:
    metrics.UNCERTAIN.inc(bot=1)
    taken = metrics.take_pending()
    metrics.UNCERTAIN.inc(bot=1)
    metrics.put_back(taken)
    assert sorted(metrics.take_pending().values()) == [2.0]


def test_a_label_with_quotes_and_line_breaks_does_not_break_the_page() -> None:
    metrics.SENT.inc(bot='1"\n', lane="reply")
    assert r'bot="1\"\n"' in shown()
