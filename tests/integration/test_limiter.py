"""The limiter's promises one by one. Against a plain model: test_limiter_model.py."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
import redis
import redis.asyncio

from botyard.limiter import HORIZON_SECONDS, Limiter, Permission, Permit
from botyard.settings import Settings
from botyard.telegram.run import Lane

BOT = 17
PRIVATE, GROUP = "5", "-1005"
Make = Callable[..., Limiter]


@pytest.fixture
def limiter_with(async_valkey: "redis.asyncio.Redis", settings: Settings) -> Make:
    def make(**limits: float) -> Limiter:
        return Limiter(async_valkey, settings.model_copy(update=limits))

    return make


def message(chat: str = PRIVATE, rate: str = "", weight: int = 1) -> Permission:
    return Permission(chat, "m", rate, weight)


def bulk(chat: str) -> Permission:
    return message(chat, "b")


async def waits(limiter: Limiter, wanted: Sequence[Permission], bot: int = BOT) -> list[float | None]:
    """Seconds until each may go; nothing where it must ask again."""
    return [permit.wait if permit.granted else None for permit in await limiter.reserve(bot, wanted)]


async def at_once(limiter: Limiter, wanted: Sequence[Permission], bot: int = BOT) -> list[bool]:
    return [permit.granted and permit.wait == 0 for permit in await limiter.reserve(bot, wanted)]


@pytest.mark.parametrize(
    ("method", "lane", "paid", "expected"),
    [
        ("sendMessage", Lane.REPLY, False, Permission("5", "m")),
        ("sendMessage", Lane.REPLY, True, Permission("5", "m")),
        ("sendPhoto", Lane.BULK, False, Permission("5", "m", "b")),
        ("sendPhoto", Lane.BULK, True, Permission("5", "m", "p")),
        ("copyMessage", Lane.BULK, False, Permission("5", "m", "b")),
        ("sendMessage", Lane.SCHEDULED, False, Permission("5", "m", "b")),
        ("forwardMessage", Lane.SCHEDULED, False, Permission("5", "m", "b", 2)),
        ("forwardMessages", Lane.BULK, False, Permission("5", "m", "b", 2)),
        ("editMessageText", Lane.REPLY, False, Permission("5", "e")),
        ("deleteMessage", Lane.REPLY, False, Permission("5", "")),
        ("sendChatAction", Lane.REPLY, False, Permission("5", "")),
        ("answerCallbackQuery", Lane.URGENT, False, Permission("", "")),
        ("answerInlineQuery", Lane.URGENT, False, Permission("", "")),
    ],
)
async def test_each_call_has_its_budget(
    limiter_with: Make, method: str, lane: Lane, paid: bool, expected: Permission
) -> None:
    assert limiter_with().permission(method, "5", lane, paid=paid) == expected


@pytest.mark.parametrize(("chat", "most"), [(GROUP, 20), (PRIVATE, 3)])
async def test_questions_that_are_asked_at_once_share_one_budget(limiter_with: Make, chat: str, most: int) -> None:
    limiter = limiter_with()
    found = await asyncio.gather(*(limiter.reserve(BOT, [message(chat)]) for _ in range(25)))
    assert sum(permit.granted for (permit,) in found) == most
    assert len({permit.name for (permit,) in found}) == len(found)


async def test_a_private_chat_gets_three_at_once_and_then_one_a_second(limiter_with: Make) -> None:
    permits = await limiter_with().reserve(BOT, [message()] * 5)
    assert [permit.granted for permit in permits] == [True, True, True, False, False]
    assert all(0.9 < permit.wait <= 1.0 for permit in permits[3:])


async def test_a_group_gets_twenty_in_any_minute(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    permits = await limiter.reserve(BOT, [message(GROUP)] * 21)
    assert [permit.granted for permit in permits] == [True] * 20 + [False]
    assert 59 < permits[20].wait <= 60
    oldest = str(valkey.zrange(f"by:lim:{BOT}:m:{GROUP}", 0, 0)[0])
    valkey.zadd(f"by:lim:{BOT}:m:{GROUP}", {oldest: (time.time() - 61) * 1000})
    assert await at_once(limiter, [message(GROUP)] * 2) == [True, False]


@pytest.mark.parametrize("chat", ["-5", "-1005", "@channel"])
async def test_groups_channels_and_names_of_channels_count_as_groups(limiter_with: Make, chat: str) -> None:
    assert await waits(limiter_with(limit_group_per_minute=1), [message(chat)] * 2) == [0, None]


async def test_a_forward_counts_twice(limiter_with: Make) -> None:
    limiter = limiter_with(limit_group_per_minute=5)
    assert await waits(limiter, [message(GROUP, weight=2)] * 3) == [0, 0, None]
    assert await waits(limiter, [message(GROUP)] * 2) == [0, None]
    assert await waits(limiter, [message(weight=2), message(), message()]) == [0, 0, None]


async def test_a_weight_larger_than_a_limit_waits_for_an_empty_budget_and_not_for_ever(limiter_with: Make) -> None:
    limiter = limiter_with(limit_group_per_minute=3, limit_private_burst=1)
    assert await waits(limiter, [message(GROUP, weight=9), message(weight=9)]) == [0, 0]


async def test_bulk_sends_are_spaced_over_all_chats_and_replies_are_not(limiter_with: Make) -> None:
    limiter = limiter_with()
    permits = await limiter.reserve(BOT, [bulk(str(chat)) for chat in range(1, 13)])
    ahead = int(HORIZON_SECONDS * 30) + 1
    assert [permit.granted for permit in permits] == [True] * ahead + [False] * (12 - ahead)
    moments = [permit.at - permits[0].at for permit in permits]
    assert moments == pytest.approx([number / 30 for number in range(12)], abs=0.002), "refused ones are spaced as well"
    assert await at_once(limiter, [message(str(chat)) for chat in range(20, 70)]) == [True] * 50


async def test_paid_bulk_has_a_rate_of_its_own(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [bulk(str(chat)) for chat in range(1, 20)])
    permits = await limiter.reserve(BOT, [message(str(chat), "p") for chat in range(20, 70)])
    assert all(permit.granted for permit in permits)
    assert permits[-1].at - permits[0].at == pytest.approx(0.049, abs=0.002)


async def test_a_refusal_says_whether_the_chat_or_the_bots_rate_is_the_reason(limiter_with: Make) -> None:
    limiter = limiter_with(limit_bulk_per_second=3.0)
    await limiter.reserve(BOT, [message("2")] * 3)
    permits = await limiter.reserve(BOT, [bulk("2"), bulk("3"), bulk("4"), message("2")])
    assert [permit.granted for permit in permits] == [False, True, False, False]
    assert [permit.crowded for permit in permits] == [False, False, True, False]


async def test_a_refused_send_is_asked_for_again_before_its_moment(limiter_with: Make) -> None:
    limiter = limiter_with(limit_bulk_per_second=1.0)
    _, refused = await limiter.reserve(BOT, [bulk("1"), bulk("2")])
    assert 0.8 < refused.ask_again < refused.wait - HORIZON_SECONDS / 4


async def test_a_refused_send_takes_from_no_scope(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with(limit_bulk_per_second=0.01)
    await limiter.reserve(BOT, [bulk("1")])
    before = sorted(valkey.keys("by:lim:*"))
    assert await waits(limiter, [bulk("2"), bulk("-3")]) == [None, None]
    assert sorted(valkey.keys("by:lim:*")) == before
    assert await waits(limiter, [message("2")] * 4) == [0, 0, 0, None]


async def test_a_full_chat_takes_no_bulk_permit(limiter_with: Make) -> None:
    limiter = limiter_with(limit_bulk_per_second=0.01)
    await limiter.reserve(BOT, [message("2")] * 3)
    assert await waits(limiter, [bulk("2"), bulk("3")]) == [None, 0]


async def test_a_chat_that_must_wait_a_little_wastes_no_bulk_permits(limiter_with: Make) -> None:
    limiter = limiter_with(limit_private_per_second=5.0)
    await limiter.reserve(BOT, [message("2")] * 3)
    found = await limiter.reserve(BOT, [bulk("2"), *(bulk(str(chat)) for chat in range(3, 8))])
    assert not found[0].granted
    assert 0.15 < found[0].wait <= 0.2
    assert found[5].wait < 5 / 30


async def test_messages_and_edits_have_a_budget_each_and_answers_none(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [message()] * 3)
    edit, free = Permission(PRIVATE, "e"), Permission(PRIVATE, "")
    assert await waits(limiter, [edit, edit, edit, edit]) == [0, 0, 0, None]
    assert await at_once(limiter, [free] * 100) == [True] * 100


async def test_two_bots_do_not_share_their_limits(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [message()] * 3)
    assert await at_once(limiter, [message()], bot=BOT + 1) == [True]


async def test_a_closed_chat_lets_only_answers_through_and_no_other_chat_notices(
    limiter_with: Make, valkey: "redis.Redis"
) -> None:
    limiter = limiter_with()
    assert await limiter.close(BOT, PRIVATE, 30) is False
    free, answer = Permission(PRIVATE, ""), Permission("", "")
    permits = await limiter.reserve(BOT, [message(), free, message("6"), answer])
    assert [permit.granted for permit in permits] == [False, False, True, True]
    assert all(29 < permit.wait <= 30 for permit in permits[:2])
    assert valkey.keys(f"by:lim:{BOT}:*:{PRIVATE}") == []


async def test_a_chat_opens_by_itself(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.close(BOT, PRIVATE, 0.1)
    permit = (await limiter.reserve(BOT, [message()]))[0]
    assert permit.granted
    assert 0.05 < permit.wait <= 0.1
    await limiter.come(BOT, permit)
    assert await at_once(limiter, [message()]) == [True]


async def test_a_shorter_closing_does_not_open_a_chat_earlier(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.close(BOT, PRIVATE, 30)
    await limiter.close(BOT, PRIVATE, 1)
    assert (await limiter.reserve(BOT, [message()]))[0].wait > 25


async def test_several_refused_chats_close_the_bot_and_no_other_bot_notices(limiter_with: Make) -> None:
    limiter = limiter_with()
    assert [await limiter.close(BOT, chat, 5) for chat in ("1", "1", "2")] == [False, False, False]
    assert await at_once(limiter, [message("9")]) == [True]
    assert await limiter.close(BOT, "3", 7) is True
    permits = await limiter.reserve(BOT, [message("9"), bulk("10"), Permission("", "")])
    assert [permit.granted for permit in permits] == [False] * 3
    assert all(6 < permit.wait <= 7 for permit in permits)
    assert await at_once(limiter, [message("9")], bot=BOT + 1) == [True]


@pytest.mark.parametrize(("careful", "granted"), [(60, int(HORIZON_SECONDS * 30) + 1), (0, 12)])
async def test_a_bot_that_was_closed_spaces_its_replies_for_a_while_and_its_answers_not(
    limiter_with: Make, careful: int, granted: int
) -> None:
    limiter = limiter_with(limit_refused_chats=1, limit_careful_seconds=careful)
    await limiter.close(BOT, "1", 0.05)
    await asyncio.sleep(0.06)
    permits = await limiter.reserve(BOT, [message(str(chat)) for chat in range(2, 14)])
    assert sum(permit.granted for permit in permits) == granted
    assert await at_once(limiter, [Permission("", "")] * 20) == [True] * 20


async def test_chats_refused_long_apart_do_not_close_the_bot(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    await limiter.close(BOT, "1", 60)
    await limiter.close(BOT, "2", 60)
    valkey.zadd(f"by:refused:{BOT}", {"1": (time.time() - 11) * 1000})
    assert await limiter.close(BOT, "3", 60) is False


async def test_a_permit_used_late_moves_what_follows(limiter_with: Make) -> None:
    limiter = limiter_with(limit_group_per_minute=1)
    wanted = [bulk("1"), message("2"), message("2"), message("2"), message(GROUP)]
    permits = await limiter.reserve(BOT, wanted)
    await asyncio.sleep(0.3)
    for permit in permits:
        await limiter.come(BOT, permit)
    late = 0.3
    after = await limiter.reserve(BOT, [bulk("3"), message("2"), message(GROUP)])
    assert after[0].at - permits[0].at >= late + 1 / 30 - 0.002
    busy = time.monotonic() - permits[0].at
    assert after[0].at - permits[0].at <= busy + 1, "late together is late once"
    assert after[1].at - permits[1].at <= busy + 2, "late together is late once"
    assert after[1].at - permits[1].at >= 1 + late
    assert after[2].at - permits[4].at >= 60 + late - 0.002


async def test_a_permit_used_in_time_moves_nothing(
    limiter_with: Make, valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine is late by more than the five milliseconds that count as in time.
    monkeypatch.setattr("botyard.limiter._LATE_SECONDS", 5.0)
    limiter = limiter_with()
    permits = await limiter.reserve(BOT, [bulk("1"), message("2"), message(GROUP)])
    before = {key: valkey.dump(key) for key in valkey.keys("by:lim:*")}
    permit: Permit
    for permit in permits:
        await limiter.come(BOT, permit)
    assert {key: valkey.dump(key) for key in valkey.keys("by:lim:*")} == before


async def test_nothing_stays_in_redis_longer_than_it_counts(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    permits = await limiter.reserve(BOT, [message(), message(GROUP), bulk("6")])
    await limiter.close(BOT, PRIVATE, 30)
    await asyncio.sleep(0.02)
    for permit in permits:
        await limiter.come(BOT, permit)
    keys = valkey.keys("by:lim:*") + valkey.keys("by:shut:*") + valkey.keys("by:refused:*")
    assert len([key for key in keys if ":late:" not in key]) == 6
    assert all(0 < valkey.pttl(key) <= 62_000 for key in keys)


async def test_it_works_in_a_redis_that_takes_no_more(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    valkey.config_set("maxmemory", 1)
    try:
        assert await waits(limiter, [message()] * 4) == [0, 0, 0, None]
        assert await limiter.close(BOT, PRIVATE, 1) is False
    finally:
        valkey.config_set("maxmemory", "0")


async def test_a_channel_has_one_budget_under_its_name_and_its_id(limiter_with: Make) -> None:
    limiter = limiter_with(limit_group_per_minute=2)
    await limiter.learn(BOT, "@News", GROUP)
    wanted = [limiter.permission("sendMessage", chat, Lane.REPLY) for chat in ("@news", GROUP, "@NEWS")]
    permits = await limiter.reserve(BOT, wanted)
    assert [permit.granted for permit in permits] == [True, True, False]
    await limiter.close(BOT, "@news", 60)
    (closed,) = await limiter.reserve(BOT, [Permission(GROUP, "")])
    assert closed.wait > 59
