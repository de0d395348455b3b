"""Why a bot is silent: every answer of Telegram, and every place where something may be stuck."""

import asyncio
import socket
import time
from typing import Any

import pytest
from pydantic import SecretStr

from botyard.bots.poll_state import PollState, tell
from botyard.bots.registry import ServedBot
from botyard.checks.finding import Finding
from botyard.checks.silence import why_silent
from tests.factories import TELEGRAM_ID, TOKEN, make_bot, message
from tests.integration.fake_api import FakeApi, error
from tests.integration.outbox_tools import add_row
from tests.integration.rig import Rig
from tests.integration.test_removal import answer

PROFILE = {"id": TELEGRAM_ID, "is_bot": True, "first_name": "Test bot", "username": "test_bot"}
OURS = f"https://bots.example.org/webhook/public-{TELEGRAM_ID}"


async def asked(yard: Rig, bot: ServedBot, *checks: str) -> list[Finding]:
    """The findings of these checks, when the command asks."""
    found = await asyncio.to_thread(why_silent, str(bot.id), yard.settings)
    assert TOKEN not in repr(found)
    return [finding for finding in found if finding.check in checks]


@pytest.mark.parametrize(
    ("script", "check", "says", "remedy"),
    [
        ([error(401, "Unauthorized")], "token", "does not accept its token", "BotFather"),
        ([error(404, "Not Found")], "token", "does not accept its token", "BotFather"),
        ([error(502, "Bad Gateway")], "Telegram", "answers with an error", "Try again"),
        ([answer(PROFILE | {"id": 5, "username": "other_bot"})], "token", "belongs to another bot", "its own token"),
        ([answer(PROFILE), answer({"url": ""})], "webhook", "No webhook is set", "bot check"),
        ([answer(PROFILE), answer({"url": "https://x.org/y"})], "webhook", "go to x.org", "bot reclaim"),
        (
            [answer(PROFILE), answer({
                "url": OURS, "pending_update_count": 7, "last_error_date": int(time.time()) - 65,
                "last_error_message": "SSL error {error:0A000086:certificate verify failed}",
            })],
            "webhook", " ago: SSL error {error:0A000086:certificate verify failed}. 7 updates wait",
            "Renew the certificate",
        ),
        (
            [answer(PROFILE), answer({
                "url": OURS, "pending_update_count": 1, "last_error_date": int(time.time()),
                "last_error_message": "Connection refused",
            })],
            "webhook", "Connection refused", "Nothing listens",
        ),
    ],
)  # fmt: skip
async def test_what_telegram_says_of_a_bot_becomes_a_sentence_and_its_remedy(
    yard: Rig, api: FakeApi, script: list[Any], check: str, says: str, remedy: str
) -> None:
    bot = make_bot(api_url=api.url)
    api.script = script
    (found,) = [finding for finding in await asked(yard, bot, check) if finding.state == "trouble"]
    assert says in found.says
    assert remedy in found.remedy


async def test_a_failed_delivery_of_long_ago_is_no_trouble_once_updates_have_come(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(api_url=api.url)
    await yard.give(bot, message(1))
    await yard.settle(sending=False)
    info = {"url": OURS, "last_error_date": int(time.time()) - 7200, "last_error_message": "Connection refused"}
    api.script = [answer(PROFILE), answer(info)]
    (found,) = await asked(yard, bot, "webhook")
    assert (found.state, found.remedy) == ("ok", "")
    assert "2 hours ago" in found.says


@pytest.mark.parametrize(("age", "state"), [(1_200_000, "ok"), (60, "trouble")])
async def test_a_failed_delivery_that_left_nothing_is_trouble_only_while_it_is_fresh(
    yard: Rig, api: FakeApi, age: int, state: str
) -> None:
    bot = make_bot(api_url=api.url)
    info = {"url": OURS, "last_error_date": int(time.time()) - age, "last_error_message": "Connection refused"}
    api.script = [answer(PROFILE), answer(info)]
    (found,) = await asked(yard, bot, "webhook")
    assert (found.state, bool(found.remedy)) == (state, state == "trouble")


async def test_a_password_in_the_address_of_the_bot_api_is_not_shown(yard: Rig) -> None:
    bot = make_bot(api_url="http://me:hidden@127.0.0.1:1")
    (found,) = await asked(yard, bot, "Telegram")
    assert found.says.startswith("127.0.0.1:1 cannot be reached")


async def test_a_redis_that_hangs_hides_nothing_that_can_be_known_without_it(
    yard: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        monkeypatch.setattr("botyard.checks.silence.worker_findings", lambda _: [])
        found = await asyncio.to_thread(
            why_silent, str(bot.id), yard.settings.model_copy(update={"redis_url": address})
        )
    assert {finding.check: finding.state for finding in found} == {
        "status": "ok", "Telegram": "trouble", "last update": "warning", "health": "ok", "mailboxes": "trouble",
        "kind": "ok",
        "last send": "ok", "dead letters": "ok",
    }  # fmt: skip


async def test_a_bot_api_that_cannot_be_reached_is_a_finding_and_hides_no_other(yard: Rig) -> None:
    bot = make_bot()
    found = await asked(yard, bot, "Telegram", "mailboxes", "last update", "kind")
    assert [(finding.check, finding.state) for finding in found] == [
        ("Telegram", "trouble"), ("last update", "warning"), ("mailboxes", "ok"), ("kind", "ok"),
    ]  # fmt: skip
    assert found[0].says == "127.0.0.1:1 cannot be reached (NotSent)."


async def test_polling_is_judged_by_what_the_poller_says_and_by_a_webhook_that_forbids_it(
    yard: Rig, api: FakeApi
) -> None:
    bot = make_bot(api_url=api.url)
    yard.services.superuser("UPDATE bots SET intake = 'polling'")
    api.script = [answer(PROFILE), answer({"url": "", "pending_update_count": 3})]
    (nobody,) = await asked(yard, bot, "polling")
    assert nobody.says == "Nobody fetches its updates; 3 wait at Telegram."
    conflict = PollState("conflict", "Another program fetches its updates, too.", int(time.time() * 1000) - 90_000, 5)
    await tell(yard.host.redis, TELEGRAM_ID, conflict)
    api.script = [answer(PROFILE), answer({"url": ""})]
    (told,) = await asked(yard, bot, "polling")
    assert (told.state, told.says) == (
        "trouble", "Another program fetches its updates, too. This began 1 minute ago.",
    )  # fmt: skip
    await tell(yard.host.redis, TELEGRAM_ID, PollState("", "", int(time.time() * 1000), 0))
    api.script = [answer(PROFILE), answer({"url": ""})]
    assert [finding.state for finding in await asked(yard, bot, "polling")] == ["ok"]
    api.script = [answer(PROFILE), answer({"url": "https://x.org/y"})]
    (forbidden,) = await asked(yard, bot, "polling")
    api.script = [error(502, "Bad Gateway")]
    (unknown,) = await asked(yard, bot, "polling")
    assert unknown.says == "Its updates are fetched."
    assert "webhook of x.org" in forbidden.says


async def test_mail_that_waits_too_long_and_lanes_that_stand_still_are_trouble(yard: Rig) -> None:
    bot = make_bot()
    old = b'%d {"update_id": 1}' % (time.time() * 1000 - 300_000)
    await yard.boxes.accept(TELEGRAM_ID, "5", 1, old)
    add_row(yard.services, bot)
    add_row(yard.services, bot, lane=3, state="uncertain")
    yard.services.superuser("UPDATE outbox SET created_at = now() - interval '5 min'")
    found = {finding.check: finding for finding in await asked(yard, bot, "mailboxes", "lane reply", "lane bulk")}
    assert found["mailboxes"].state == "trouble"
    assert "the oldest for 5 minutes" in found["mailboxes"].says
    assert found["lane reply"].state == "trouble"
    assert found["lane bulk"].state == "warning"
    assert "1 sends have an unknown outcome" in found["lane bulk"].says
    await yard.limiter.close(bot.id, "5", 3700)
    (closed,) = await asked(yard, bot, "lane reply")
    assert closed.state == "warning"
    assert "closed 1 of their chats for up to 1 hour" in closed.says


async def test_what_was_given_up_and_a_kind_that_is_gone_are_named(yard: Rig) -> None:
    bot = make_bot(kind="tests.integration.no_such_module:build")
    row = add_row(yard.services, bot)
    yard.services.superuser(
        f"UPDATE outbox SET state = 'dead', error = 'Forbidden: bot was blocked', resolved_at = now() WHERE id = {row}",  # noqa: S608
        "INSERT INTO dead_letters (bot_id, what, chat_key, reason, detail, request, attempts)"
        " VALUES (1, 'send', '5', 'x', 'x', '{}', 1)",
    )
    found = {finding.check: finding for finding in await asked(yard, bot, "kind", "last send", "dead letters")}
    assert found["kind"].state == "trouble"
    assert "no_such_module" in found["kind"].says
    assert found["last send"].says.endswith("ago: Forbidden: bot was blocked.")
    assert found["dead letters"].says == "1 update or send was given up."


@pytest.mark.parametrize(("state", "words"), [("trouble", "trouble"), ("warning", "warning"), ("ok", "ok")])
async def test_what_the_last_health_check_has_found_is_said_with_its_age(yard: Rig, state: str, words: str) -> None:
    bot = make_bot()
    (never,) = await asked(yard, bot, "health")
    assert never.says.startswith("No health check has looked at it yet")
    yard.services.superuser(
        "INSERT INTO bot_health (bot_id, customer_id, state, says, since, checked_at)"  # noqa: S608
        f" VALUES ({bot.id}, 1, '{state}', 'It is so.', now() - interval '2 hours', now() - interval '3 min')"
    )
    (found,) = await asked(yard, bot, "health")
    assert found.state == words
    assert found.says.startswith("The last health check was 3 minutes ago")
    assert found.says.endswith("It is so.")
    assert ("so since 2 hours ago" in found.says) == (state != "ok")


async def test_a_bot_that_is_switched_off_is_told_from_one_that_is_being_removed(yard: Rig) -> None:
    bot = make_bot()
    yard.services.superuser("UPDATE bots SET status = 'inactive'")
    (off,) = await asked(yard, bot, "status")
    assert off.remedy == f"`botyard bot resume {bot.id}` lets it go on."
    yard.services.superuser("UPDATE bots SET removal_began = now()")
    (leaving,) = await asked(yard, bot, "status")
    assert leaving.remedy == "Finish its removal."
