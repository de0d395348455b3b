"""Forgetting a person reaches what is sent by itself."""

from botyard.bots.registry import ServedBot
from tests.integration.operations.planted import OTTO
from tests.integration.operations.test_erasure import bot, erase  # noqa: F401 - a fixture
from tests.services import Services


def test_a_schedule_for_nobody_else_goes_and_no_other_is_for_everyone_because_of_that(
    clean: Services,
    bot: ServedBot,  # noqa: F811 - the fixture
) -> None:
    before = clean.superuser("SELECT max(id) FROM schedules")[0][0]
    erase(bot)
    assert clean.superuser("SELECT id, audience FROM schedules ORDER BY id") == [
        (before - 1, {"users": [OTTO]}), (before, {}),
    ]  # fmt: skip
    assert clean.superuser("SELECT recipient FROM occurrences") == [(OTTO,)]
