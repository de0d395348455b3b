"""Others who want a bot's webhook: they are named, and not fought at every check."""

import pytest

from botyard.bots.connection.connecting import connect_bot
from botyard.bots.health.verdicts import Verdict
from botyard.errors import InputError
from tests.integration.test_reconciling import BASE, THIEF, Stage, stage

__all__ = ["stage"]


async def test_another_installation_with_the_same_rows_is_a_thief_when_it_comes_again(stage: Stage) -> None:
    its_own = stage.own_url().replace(BASE, "https://staging.example")

    async def steal() -> Verdict:
        await stage.client.call("setWebhook", url=its_own)
        return await stage.check()

    assert (await steal()).says == "Its webhook led to an earlier address of ours. It was set."
    found = await steal()
    assert found.says == "Another system, staging.example, had set its webhook; it was taken back."
    assert (await stage.info())["url"] == stage.own_url()
    assert (await steal()).says.startswith("Two systems fight for its updates: staging.example has set its webhook")
    assert (await stage.info())["url"] == its_own
    assert stage.events("bot.webhook_stolen") == [{"host": "staging.example"}]


async def test_an_address_that_changes_often_is_no_theft(stage: Stage) -> None:
    for port in (10, 11, 12):
        stage.settings = stage.settings.model_copy(update={"webhook_base_url": f"http://127.0.0.1:{port}"})
        assert (await stage.check()).says == "Its webhook led to an earlier address of ours. It was set."


async def test_a_program_that_deletes_the_webhook_again_is_named_and_waited_for(stage: Stage) -> None:
    async def delete() -> Verdict:
        await stage.client.call("deleteWebhook")
        return await stage.check()

    assert (await delete()).state == "ok"
    found = await delete()
    assert (found.state, found.reason) == ("trouble", "stolen")
    assert found.says == "Another program with this token had deleted its webhook; it was set again."
    found = await delete()
    assert found.says.startswith(
        "Two systems fight for its updates: another program with this token has deleted its webhook again,"
    )
    assert (await stage.info())["url"] == ""
    assert stage.events("bot.webhook_stolen") == [{"host": "another program with this token"}]
    assert len(stage.notes()) == 1


async def test_a_webhook_that_we_took_away_ourselves_was_deleted_by_nobody_else(stage: Stage) -> None:
    for _ in range(3):
        for status in ("inactive", "active"):
            stage.sql(f"UPDATE bots SET status = '{status}' RETURNING 1")  # noqa: S608
            assert (await stage.check()).state == "ok"
    assert (await stage.info())["url"] == stage.own_url()
    assert stage.events("bot.webhook_stolen") == []


async def test_whoever_switches_a_bot_on_is_told_who_has_its_updates_and_leaves_them_there(stage: Stage) -> None:
    await stage.client.call("setWebhook", url=THIEF)
    with pytest.raises(InputError, match=r"Its updates go to another system, thief.example\..*bot reclaim"):
        await connect_bot(stage.id, stage.request, stage.settings)
    assert stage.sql("SELECT state, reason, thief_host FROM bot_health") == [("trouble", "stolen", "thief.example")]
    await stage.check()
    assert (await stage.info())["url"] == THIEF, "there is time to end it there"
    assert stage.events("bot.webhook_stolen") == [{"host": "thief.example"}]
    taking = stage.settings.model_copy(update={"take_over": True})
    await connect_bot(stage.id, stage.request, taking, proving=False)
    assert (await stage.info())["url"] == stage.own_url()
    assert stage.sql("SELECT thief_host, take_back_at FROM bot_health") == [(None, None)]


async def test_whoever_switches_a_fetched_bot_on_deletes_nobodys_webhook(stage: Stage) -> None:
    await stage.client.call("deleteWebhook")
    await stage.add(base=None)
    await stage.client.call("setWebhook", url=THIEF)
    with pytest.raises(InputError, match=r"A webhook of thief.example is set"):
        await connect_bot(stage.id, stage.request, stage.settings)
    assert (await stage.info())["url"] == THIEF
    assert stage.sql("SELECT state, reason FROM bot_health") == [("trouble", "webhook")]
    await connect_bot(stage.id, stage.request, stage.settings, take_over=True)
    assert (await stage.info())["url"] == ""
