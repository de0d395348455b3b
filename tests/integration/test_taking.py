"""How a slice takes what is ready: much of it in few steps, and no more than it may."""

import asyncio
import gc
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from botyard.mailbox.protocol import Held
from botyard.settings import Settings
from tests.factories import make_bot, message
from tests.integration.rig import Rig, rig
from tests.services import Services

KINDS = "tests.integration.kinds:"


def scripts_run(yard: Rig) -> int:
    """Commands that called scripts, so far."""
    stats: Any = yard.redis.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


async def give_chats(yard: Rig, count: int, kind: str = "echo") -> None:
    bot = make_bot(kind=KINDS + kind)
    await yard.give(bot, *[message(number, chat_id=number) for number in range(1, count + 1)])


async def test_many_chats_are_taken_in_few_trips(yard: Rig) -> None:
    await give_chats(yard, 32)
    before = scripts_run(yard)
    await yard.work(yard.tickets.sent[0])
    assert yard.services.superuser("SELECT count(*) FROM inbox") == [(32,)]
    assert scripts_run(yard) - before < 32


@pytest.mark.parametrize("limit", [{"slice_chats": 4}, {"slice_updates": 4}])
async def test_a_slice_takes_no_more_than_it_may(clean: Services, settings: Settings, limit: dict[str, int]) -> None:
    async with rig(clean, settings, **limit) as yard:
        await give_chats(yard, 20)
        at_once: list[int] = []
        take = yard.boxes.take

        async def counted(bot: int, *args: Any, **options: Any) -> list[Held]:
            found = await take(bot, *args, **options)
            at_once.append(yard.redis.hlen(f"by:own:{bot}"))
            return found

        yard.boxes.take = counted  # type: ignore[method-assign]
        await yard.work(yard.tickets.sent[0])
        assert max(at_once) <= 4
        done = yard.services.superuser("SELECT count(*) FROM inbox")[0][0]
        assert done == (4 if "slice_updates" in limit else 20)


async def test_a_slice_ends_with_the_trouble_of_chats_that_it_cannot_let_go(yard: Rig) -> None:
    await give_chats(yard, 8)
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))

    async def away(*_: Any, **__: Any) -> Any:
        raise RedisConnectionError("away")

    yard.boxes.done = away  # type: ignore[method-assign]
    with pytest.raises(RedisConnectionError):
        await yard.work(yard.tickets.sent[0])
    gc.collect()
    assert unheard == []
