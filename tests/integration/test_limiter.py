"""The limiter against a plain model of the limits, and its promises one by one."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import pytest
import redis
import redis.asyncio

from botyard.limiter import Limiter, Permission, permission
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


def message(chat: str = PRIVATE, *, bulk: bool = False) -> Permission:
    return Permission(chat, "m", bulk)


async def granted(limiter: Limiter, wanted: Sequence[Permission], bot: int = BOT) -> list[bool]:
    return [wait == 0 for wait in await limiter.reserve(bot, wanted)]


@pytest.mark.parametrize(
    ("method", "lane", "expected"),
    [
        ("sendMessage", Lane.REPLY, Permission("5", "m", bulk=False)),
        ("sendPhoto", Lane.BULK, Permission("5", "m", bulk=True)),
        ("copyMessage", Lane.BULK, Permission("5", "m", bulk=True)),
        ("forwardMessage", Lane.SCHEDULED, Permission("5", "m", bulk=False)),
        ("editMessageText", Lane.REPLY, Permission("5", "e", bulk=False)),
        ("deleteMessage", Lane.REPLY, Permission("5", "", bulk=False)),
        ("answerCallbackQuery", Lane.URGENT, Permission("5", "", bulk=False)),
    ],
)
def test_each_call_has_its_budget(method: str, lane: Lane, expected: Permission) -> None:
    assert permission(method, "5", lane) == expected


async def test_a_private_chat_gets_three_at_once_and_then_one_a_second(limiter_with: Make) -> None:
    limiter = limiter_with()
    waits = await limiter.reserve(BOT, [message()] * 5)
    assert waits[:3] == [0, 0, 0]
    assert all(0.9 < wait <= 1.0 for wait in waits[3:])


async def test_a_group_gets_twenty_in_any_minute(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    waits = await limiter.reserve(BOT, [message(GROUP)] * 21)
    assert waits[:20] == [0] * 20
    assert 59 < waits[20] <= 60
    oldest = str(valkey.zrange(f"by:lim:{BOT}:m:{GROUP}", 0, 0)[0])
    valkey.zadd(f"by:lim:{BOT}:m:{GROUP}", {oldest: (time.time() - 61) * 1000})
    assert await granted(limiter, [message(GROUP)] * 2) == [True, False]


@pytest.mark.parametrize("chat", ["-5", "-1005", "@channel"])
async def test_groups_channels_and_names_of_channels_count_as_groups(limiter_with: Make, chat: str) -> None:
    assert await granted(limiter_with(limit_group_per_minute=1), [message(chat)] * 2) == [True, False]


async def test_bulk_messages_are_spaced_over_all_chats_and_replies_are_not(limiter_with: Make) -> None:
    limiter = limiter_with()
    bulk = await limiter.reserve(BOT, [message(str(chat), bulk=True) for chat in range(1, 6)])
    assert bulk[0] == 0
    assert all(0 < wait <= 0.034 for wait in bulk[1:])
    assert await granted(limiter, [message(str(chat)) for chat in range(10, 60)]) == [True] * 50


async def test_a_refused_send_takes_from_no_scope(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with(limit_bulk_per_second=0.01)
    await limiter.reserve(BOT, [message("1", bulk=True)])
    before = sorted(valkey.keys("by:lim:*"))
    assert await granted(limiter, [message("2", bulk=True), message("-3", bulk=True)]) == [False, False]
    assert sorted(valkey.keys("by:lim:*")) == before
    assert await granted(limiter, [message("2")] * 4) == [True, True, True, False]


async def test_a_full_chat_takes_no_bulk_permit(limiter_with: Make) -> None:
    limiter = limiter_with(limit_bulk_per_second=0.01)
    await limiter.reserve(BOT, [message("2")] * 3)
    assert await granted(limiter, [message("2", bulk=True), message("3", bulk=True)]) == [False, True]


async def test_messages_and_edits_have_a_budget_each_and_answers_none(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [message()] * 3)
    edit, free = Permission(PRIVATE, "e", bulk=False), Permission(PRIVATE, "", bulk=False)
    assert await granted(limiter, [edit, edit, edit, edit]) == [True, True, True, False]
    assert await granted(limiter, [free] * 100) == [True] * 100


async def test_two_bots_do_not_share_their_limits(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [message()] * 3)
    assert await granted(limiter, [message()], bot=BOT + 1) == [True]


async def test_a_closed_chat_lets_nothing_through_and_no_other_chat_notices(
    limiter_with: Make, valkey: "redis.Redis"
) -> None:
    limiter = limiter_with()
    await limiter.close(BOT, PRIVATE, 30)
    free = Permission(PRIVATE, "", bulk=False)
    waits = await limiter.reserve(BOT, [message(), free, message("6")])
    assert 29 < waits[0] <= 30
    assert 29 < waits[1] <= 30
    assert waits[2] == 0
    assert valkey.keys(f"by:lim:{BOT}:*:{PRIVATE}") == []
    await limiter.close(BOT, "7", 0)
    assert await granted(limiter, [message("7")]) == [True]


async def test_a_shorter_closing_does_not_open_a_chat_earlier(limiter_with: Make) -> None:
    limiter = limiter_with()
    await limiter.close(BOT, PRIVATE, 30)
    await limiter.close(BOT, PRIVATE, 1)
    assert (await limiter.reserve(BOT, [message()]))[0] > 25


async def test_nothing_stays_in_redis_longer_than_it_counts(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    await limiter.reserve(BOT, [message(), message(GROUP), message("6", bulk=True)])
    await limiter.close(BOT, PRIVATE, 30)
    keys = valkey.keys("by:lim:*") + valkey.keys("by:closed:*")
    assert len(keys) == 5
    assert all(0 < valkey.pttl(key) <= 60_000 for key in keys)


async def test_it_works_in_a_redis_that_takes_no_more(limiter_with: Make, valkey: "redis.Redis") -> None:
    limiter = limiter_with()
    valkey.config_set("maxmemory", "1mb")
    try:
        assert await granted(limiter, [message()] * 4) == [True, True, True, False]
    finally:
        valkey.config_set("maxmemory", "0")


Moment = tuple[float, float]
"""A grant happened between these two readings of the clock."""


def apart(first: Moment, later: Moment) -> float:
    return later[1] - first[0]


@dataclass
class Model:
    """What Telegram's limits allow, by the moments of the granted sends."""

    burst: int
    per_second: float
    group: int
    minute: float
    sent: dict[str, list[Moment]] = field(default_factory=lambda: defaultdict(list))
    bulk: list[Moment] = field(default_factory=list)

    def check(self, bulk_per_second: float) -> None:
        for chat, moments in self.sent.items():
            if chat.startswith("-"):
                assert all(apart(*pair) > self.minute for pair in zip(moments, moments[self.group :], strict=False))
                continue
            for start, end in combinations(range(len(moments)), 2):
                allowed = self.burst + apart(moments[start], moments[end]) * self.per_second
                assert end - start + 1 <= allowed + 0.01, f"chat {chat}: a burst of {end - start + 1}"
        assert all(apart(*pair) > 1 / bulk_per_second - 0.001 for pair in pairwise(self.bulk))


@pytest.mark.parametrize("seed", range(3))
async def test_no_sequence_of_requests_exceeds_the_limits_or_starves(limiter_with: Make, seed: int) -> None:
    """Private 50/s after a burst of 3, bulk 200/s; each request that is refused comes back when it was told to."""
    rnd = random.Random(seed)
    limiter = limiter_with(limit_private_per_second=50.0, limit_bulk_per_second=200.0)
    model = Model(burst=3, per_second=50.0, group=20, minute=60)
    waiting = [message(rnd.choice(["1", "2", "3", "-4"]), bulk=rnd.random() < 0.4) for _ in range(130)]
    blocked, deadline = 0, time.monotonic() + 4
    while waiting and time.monotonic() < deadline:
        batch, waiting = waiting[:7], waiting[7:]
        before = time.monotonic()
        waits = await limiter.reserve(BOT, batch)
        at = (before, time.monotonic())
        for one, wait in zip(batch, waits, strict=True):
            if wait == 0:
                model.sent[one.chat].append(at)
                model.bulk.extend([at] if one.bulk else [])
            elif wait > 10:
                blocked += 1  # the group is full for this minute
            else:
                waiting.append(one)
    assert waiting == [], "what waits as long as it was told gets through"
    assert len(model.sent["-4"]) == min(20, len(model.sent["-4"]) + blocked)
    model.check(200.0)
