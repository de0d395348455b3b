"""The limiter against a plain model: what was granted exceeds no limit, and nothing waits longer than it must."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from botyard.limiter import HORIZON_SECONDS, Limiter, Permission, Permit
from botyard.settings import Settings
from tests.services import Services

BURST, PER_SECOND, GROUP, WINDOW, BULK, PAID = 3, 20.0, 4, 0.4, 50.0, 400.0
SLACK = 0.002
"""Seconds by which moments may differ that are kept as milliseconds and counted in microseconds."""
_numbers = count(1000)


@dataclass
class Model:
    """Every limit as it is said in words, over the moments of all sends that were let through."""

    chats: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def earliest(self, wanted: Permission, now: float) -> float:
        """When the next send of this sort may go."""
        at = now
        sent = self.chats[wanted.chat, wanted.budget]
        if wanted.budget and wanted.chat.startswith("-"):
            at = max([at, *sent[-1:]])
            within = sent[-(GROUP - wanted.weight + 1) :] if wanted.weight <= GROUP else []
            if len(within) == GROUP - wanted.weight + 1:
                at = max(at, within[0] + WINDOW)
        elif wanted.budget:
            # A bucket of tokens, filled anew: one pass over all that was ever sent.
            tokens, last = float(BURST), 0.0
            for moment in sent:
                tokens, last = min(BURST, tokens + (moment - last) * PER_SECOND) - 1, moment
            at = max(at, last + (wanted.weight - tokens) / PER_SECOND)
        return at

    def earliest_of_rate(self, wanted: Permission, now: float) -> float:
        sent = self.rates[wanted.rate]
        return max(now, sent[-1] + 1 / (BULK if wanted.rate == "b" else PAID)) if wanted.rate and sent else now

    def take(self, permit: Permit) -> None:
        wanted = permit.wanted
        if wanted.budget:
            self.chats[wanted.chat, wanted.budget] += [permit.at] * wanted.weight
        if wanted.rate:
            spacing = 1 / (BULK if wanted.rate == "b" else PAID)
            self.rates[wanted.rate].append(permit.at + spacing * (wanted.weight - 1))

    def check(self) -> None:
        for (chat, _), sent in self.chats.items():
            most = GROUP if chat.startswith("-") else BURST
            for start, moment in enumerate(sent):
                for end in range(start + most, len(sent)):
                    span = sent[end] - moment
                    needs = WINDOW if chat.startswith("-") else (end - start + 1 - most) / PER_SECOND
                    assert span >= needs - SLACK, f"chat {chat}: {end - start + 1} in {span:.3f} s"


wishes = st.builds(
    Permission,
    st.sampled_from(["1", "2", "-3"]),
    st.sampled_from(["m", "m", "m", "e", ""]),
    st.sampled_from(["", "b", "b", "p"]),
    st.sampled_from([1, 1, 2]),
)
rounds = st.lists(st.tuples(st.lists(wishes, min_size=1, max_size=8), st.integers(0, 60)), min_size=1, max_size=12)
Play = Callable[[list[tuple[list[Permission], int]]], None]


@pytest.fixture
def play(clean: Services, settings: Settings) -> Play:
    limits = {
        "limit_private_burst": BURST,
        "limit_private_per_second": PER_SECOND,
        "limit_group_per_minute": GROUP,
        "limit_bulk_per_second": BULK,
        "limit_paid_per_second": PAID,
    }

    async def run(asked: list[tuple[list[Permission], int]]) -> None:
        bot, model = next(_numbers), Model()
        async with redis.asyncio.Redis.from_url(clean.redis_url) as client:
            limiter = Limiter(client, settings.model_copy(update=limits), WINDOW)
            answers = noting(limiter)
            for wanted, pause in asked:
                permits = await limiter.reserve(bot, wanted)
                moment, *found = answers[-1]
                # By Redis' clock, in which a busy machine is not late.
                now = int(moment) / 1e6
                for permit, micros in zip(permits, found[1::2], strict=True):
                    judge(model, replace(permit, at=now + micros / 1e6), now)
                await asyncio.sleep(pause / 1000)
        model.check()

    return lambda asked: asyncio.run(run(asked))


def noting(limiter: Limiter) -> list[list[Any]]:
    """What Redis answers this limiter, from now on."""
    answers, reserve = [], limiter._reserve

    async def noted(args: Any) -> Any:
        left, answer = await reserve(args=args)
        answers.append(answer)
        return left, answer

    limiter._reserve = noted
    return answers


def judge(model: Model, permit: Permit, now: float) -> None:
    """Hold one answer against the model: granted at the first moment that is allowed, or refused for good reason."""
    chat, rate = model.earliest(permit.wanted, now), model.earliest_of_rate(permit.wanted, now)
    allowed = max(chat, rate)
    assert permit.at >= allowed - SLACK
    if permit.granted:
        assert permit.at <= allowed + SLACK, "nothing waits longer than it must"
        assert permit.at - now <= HORIZON_SECONDS + SLACK
        model.take(permit)
    else:
        spacing = 1 / (BULK if permit.wanted.rate == "b" else PAID)
        far = allowed - now > HORIZON_SECONDS - SLACK
        assert far or (permit.wanted.rate and chat > rate + spacing - SLACK), "it could have gone"


def test_no_sequence_of_requests_exceeds_a_limit_or_waits_too_long(play: Play) -> None:
    @hypothesis_settings(max_examples=60, deadline=None)
    @given(rounds)
    def check(asked: list[tuple[list[Permission], int]]) -> None:
        play(asked)

    check()
