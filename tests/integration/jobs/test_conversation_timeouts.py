"""``conversation_timeout``, over several workers."""

import pytest

from tests.factories import CHAT, make_bot, message
from tests.integration.jobs.tools import KINDS, come, jobs, rows, sends, sweep
from tests.integration.rig import Rig


@pytest.fixture
def yard(yard: Rig) -> Rig:
    yard.bot = make_bot(kind=KINDS + "talking")  # type: ignore[attr-defined]
    yard.count = 0  # type: ignore[attr-defined]
    return yard


async def say(yard: Rig, text: str, chat: int = CHAT) -> None:
    """Let a worker that knows nothing of what was before handle a message."""
    yard.count += 1  # type: ignore[attr-defined]
    yard.host._applications.clear()
    await yard.give(yard.bot, message(yard.count, text, chat))  # type: ignore[attr-defined]
    await yard.settle(sending=False)


def states(yard: Rig) -> list[object]:
    return [state for (state,) in rows(yard, "SELECT state->'talks' FROM conversations WHERE scope = 'chat'")]


async def test_a_conversation_ends_by_itself_though_its_worker_is_gone(yard: Rig) -> None:
    await say(yard, "/begin")
    assert rows(yard, "SELECT abs(extract(epoch FROM due - now()) - 30) < 5, chat_key FROM jobs") == [(True, str(CHAT))]
    assert "talk" in str(states(yard))
    yard.host._applications.clear()
    come(yard)
    assert sweep(yard) == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["your name?", "too late after /begin"]
    assert "talk" not in str(states(yard))
    assert jobs(yard) == []
    assert rows(yard, "SELECT scope, state->'data' FROM conversations ORDER BY scope") == [
        ("chat", {"timed_out": "/begin"}), ("user", {"timed_out": True}),
    ]  # fmt: skip


async def test_the_next_update_puts_the_timeout_off_and_it_is_that_updates_then(yard: Rig) -> None:
    await say(yard, "/begin")
    yard.services.superuser("UPDATE jobs SET next_run = now() + interval '1 s', due = now() + interval '1 s'")
    await say(yard, "Ann")
    assert rows(yard, "SELECT due > now() + interval '20 s' FROM jobs") == [(True,)]
    come(yard)
    sweep(yard)
    await yard.settle(sending=False)
    assert sends(yard)[-1] == "too late after Ann"


async def test_a_timeout_that_waits_behind_the_next_update_does_not_fire(yard: Rig) -> None:
    await say(yard, "/begin")
    # The update comes first, and the timeout's moment comes before it was handled.
    yard.count += 1  # type: ignore[attr-defined]
    await yard.give(yard.bot, message(yard.count, "Ann"))  # type: ignore[attr-defined]
    come(yard)
    assert sweep(yard) == 1
    await yard.settle(sending=False)
    assert sends(yard) == ["your name?", "again?"]
    assert len(jobs(yard)) == 1


async def test_a_conversation_that_ended_has_no_timeout(yard: Rig) -> None:
    await say(yard, "/begin")
    await say(yard, "/end")
    assert jobs(yard) == []


async def test_conversations_of_different_chats_have_a_timeout_each(yard: Rig) -> None:
    await say(yard, "/begin")
    await say(yard, "/begin", CHAT + 1)
    assert sorted(jobs(yard, "chat_key")) == [str(CHAT), str(CHAT + 1)]
    await say(yard, "/end", CHAT + 1)
    assert jobs(yard, "chat_key") == [str(CHAT)]
