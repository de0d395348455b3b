"""Bursts, repetitions and late arrivals: each update takes effect once, and is answered in order."""

from tests.e2e.load import KIND, drained, write_in_bursts
from tests.e2e.yard import Yard, wait_until


def test_two_thousand_updates_of_fifty_chats_are_each_processed_once_and_answered_in_order(yard: Yard) -> None:
    bots = [
        yard.add_bot("4100000001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KIND, "updates"),
        yard.add_bot("4100000002:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KIND, "slow"),
    ]
    yard.simulator.post("/sim/history/reset")
    yard.simulator.post("/sim/settings", redeliver=0.1, late=0.1, late_seconds=1.0, seed=7)

    made = write_in_bursts(yard, bots, messages=2000, chats=50, seconds=10)
    verdict, history = drained(yard, made, 90)

    assert verdict.examples == []
    assert verdict.accepted == made == 2000
    repeated = [event for event in history if event["kind"] == "delivery" and event["redelivery"]]
    assert len(repeated) > 100
    assert all(event["status"] == 200 for event in repeated)
    yard.simulator.post("/sim/settings", redeliver=0, late=0)


def test_updates_are_processed_by_celery_tasks_only(yard: Yard) -> None:
    bot = yard.add_bot("4100000003:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "tests.e2e.bots:witness", "updates")
    yard.simulator.post("/sim/history/reset")

    yard.simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": 6_100_000_000, "text": "where?"}])

    def answers() -> list[str]:
        calls = [event for event in yard.simulator.history() if event["kind"] == "call" and event["bot_id"] == bot]
        return [event["params"]["text"] for event in calls if event["method"] == "sendMessage"]

    wait_until(lambda: bool(answers()), 20, "the witness answered")
    assert answers()[0].endswith(" botyard.process_updates")


def test_without_a_worker_no_update_is_processed_and_none_is_lost(yard: Yard) -> None:
    bot = yard.add_bot("4100000004:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KIND, "updates")
    yard.simulator.post("/sim/history/reset")
    with yard.stopped("worker"):
        written = [{"person_id": 6_200_000_000, "text": str(number)} for number in range(5)]
        yard.simulator.post("/sim/batch", bot_id=bot, messages=written)
        wait_until(yard.simulator.settled, 20, "the updates are acknowledged")
        assert not [event for event in yard.simulator.history() if event["kind"] == "call"]

    verdict, _ = drained(yard, 5, 40)
    assert verdict.examples == []
