"""Replaying dead letters: behind what waits, once, and never lost."""

import asyncio
import json
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone
from typer import Exit

from botyard.bots import dead_letters
from botyard.bots.dead_letters import Replayer, Selection, discard, groups, letter, letter_ids
from botyard.commands import dead
from botyard.errors import InputError
from tests.factories import TOKEN, make_bot, message
from tests.integration import kinds
from tests.integration.outbox_tools import add_row
from tests.integration.rig import Rig

MISBEHAVING = "tests.integration.kinds:misbehaving"


def rows(yard: Rig, query: str) -> list[tuple[Any, ...]]:
    return yard.services.superuser(query)


def replayer(yard: Rig) -> Replayer:
    return Replayer(yard.keeper, yard.tickets)


def mend(yard: Rig) -> None:
    """The handlers' fault is found: the same updates would now succeed."""
    rows(yard, "UPDATE dead_letters SET request = replace(request::text, '\"raise\"', '\"mended\"')::json")


async def test_a_dead_update_runs_again_behind_what_waits_in_its_chat(yard: Rig) -> None:
    bot = make_bot(kind=MISBEHAVING)
    await yard.give(bot, message(1, "raise"))
    await yard.settle(sending=False)
    mend(yard)
    await yard.give(bot, message(2, "earlier"))
    (number,) = letter_ids(Selection())
    assert replayer(yard).replay(number) == "replayed"
    await yard.settle(sending=False)
    sent = [text for (text,) in rows(yard, "SELECT params->>'text' FROM outbox ORDER BY id")]
    assert sent == ["heard earlier", "heard mended"]
    assert rows(yard, "SELECT update_id < 0, state FROM inbox ORDER BY update_id") == [
        (True, "done"), (False, "dead"), (False, "done"),
    ]  # fmt: skip
    assert kinds.STARTS == [1, 1, 1, 2, 1], "the handlers see the update's own number"
    assert letter_ids(Selection()) == []
    assert letter(number).replayed_at is not None
    assert rows(yard, "SELECT type, actor FROM events WHERE entity LIKE 'dead_letter:%'") == [
        ("dead_letter.replayed", "botyard")
    ]


async def test_replaying_twice_or_from_two_places_at_once_does_not_double_an_update(yard: Rig) -> None:
    bot = make_bot(kind=MISBEHAVING)
    await yard.give(bot, message(1, "raise"))
    await yard.settle(sending=False)
    mend(yard)
    (number,) = letter_ids(Selection())
    outcomes = await asyncio.gather(*(asyncio.to_thread(replayer(yard).replay, number) for _ in range(2)))
    assert sorted(outcomes) == ["already", "replayed"]
    assert replayer(yard).replay(number) == "already"
    await yard.settle(sending=False)
    assert rows(yard, "SELECT count(*) FROM outbox") == [(1,)]


async def test_whoever_is_interrupted_before_the_mark_begins_anew_under_the_same_number(yard: Rig) -> None:
    bot = make_bot(kind=MISBEHAVING)
    await yard.give(bot, message(1, "raise"))
    await yard.settle(sending=False)
    mend(yard)
    (number,) = letter_ids(Selection())
    replayer(yard).replay(number)
    # As after a death between the mailbox and the mark, both with the update still waiting and with it done.
    for _ in range(2):
        rows(yard, "UPDATE dead_letters SET replayed_at = NULL")
        assert replayer(yard).replay(number) == "replayed"
        await yard.settle(sending=False)
    yard.redis.delete(*yard.redis.keys("by:seen:*"))  # the inbox knows it, too
    rows(yard, "UPDATE dead_letters SET replayed_at = NULL")
    replayer(yard).replay(number)
    await yard.settle(sending=False)
    assert rows(yard, "SELECT count(*) FROM outbox") == [(1,)]


async def test_a_letter_whose_mailbox_cannot_take_it_stays_a_letter(yard: Rig, monkeypatch: Any) -> None:
    bot = make_bot(kind=MISBEHAVING)
    await yard.give(bot, message(1, "raise"))
    await yard.settle(sending=False)
    (number,) = letter_ids(Selection())
    yard.redis.hset(f"by:bot:{bot.telegram_id}", "held", yard.settings.mailbox_cap)
    assert replayer(yard).replay(number) == "full"
    assert letter_ids(Selection()) == [number]

    def away(*_: Any, **__: Any) -> None:
        raise RedisGone

    monkeypatch.setattr(yard.keeper, "accept", away)
    with pytest.raises(RedisGone):
        replayer(yard).replay(number)
    assert letter_ids(Selection()) == [number]


async def test_an_update_that_dies_again_is_a_new_letter(yard: Rig) -> None:
    bot = make_bot(kind=MISBEHAVING)
    await yard.give(bot, message(1, "raise"))
    await yard.settle(sending=False)
    (first,) = letter_ids(Selection())
    replayer(yard).replay(first)
    await yard.settle(sending=False)
    (second,) = letter_ids(Selection())
    assert second != first
    assert letter_ids(Selection(replayed=True)) == [first, second]
    assert replayer(yard).replay(second) == "replayed"


async def test_an_update_that_could_not_be_read_goes_back_as_the_bytes_that_came(yard: Rig) -> None:
    bot = make_bot(kind=MISBEHAVING)
    accepted = await yard.boxes.accept(bot.telegram_id, "5", 1, b'77 {"update_id": "\xff"}')
    yard.tickets.send_soon(accepted.ticket)
    await yard.settle(sending=False)
    (number,) = letter_ids(Selection())
    assert "unreadable" in letter(number).request
    replayer(yard).replay(number)
    entry: Any = yard.redis.lindex(f"by:box:{bot.telegram_id}:5", 0)
    assert entry.partition(b" ")[2] == b'77 {"update_id": "\xff"}'


def bury_send(yard: Rig, bot_id: int, row: int, error: str = "Forbidden: bot was blocked by the user") -> None:
    rows(yard, f"UPDATE outbox SET state = 'dead', error = $x${error}$x$, resolved_at = now() WHERE id = {row}")  # noqa: S608
    rows(
        yard,
        "INSERT INTO dead_letters (bot_id, what, outbox_id, chat_key, reason, detail, request, attempts)"  # noqa: S608
        " SELECT bot_id, 'send', id, chat_key, error, error,"
        f" json_build_object('method', method, 'params', params), 1 FROM outbox WHERE id = {row} AND bot_id = {bot_id}",
    )


async def test_a_dead_send_becomes_a_new_row_of_its_lane_and_wakes_the_sender(yard: Rig) -> None:
    bot = make_bot()
    bury_send(yard, bot.id, add_row(yard.services, bot, "again", lane=3, repeat_policy="leave"))
    (number,) = letter_ids(Selection(what="send"))
    outcomes = await asyncio.gather(*(asyncio.to_thread(replayer(yard).replay, number) for _ in range(3)))
    assert sorted(outcomes) == ["already", "already", "replayed"]
    assert rows(yard, "SELECT lane, repeat_policy, params->>'text' FROM outbox WHERE state = 'queued'") == [
        (3, "leave", "again")
    ]
    assert [ticket.task for ticket in yard.tickets.sent] == ["botyard.deliver"]
    assert rows(yard, "SELECT d.replay_id = o.id FROM dead_letters d, outbox o WHERE o.state = 'queued'") == [(True,)]


async def test_a_letter_that_is_gone_or_whose_bot_is_gone_is_said_to_be_and_harms_no_other(yard: Rig) -> None:
    removed, other = make_bot(kind=MISBEHAVING), make_bot(4_200_000_002)
    await yard.give(removed, message(1, "raise"))
    await yard.settle(sending=False)
    bury_send(yard, removed.id, add_row(yard.services, removed))
    bury_send(yard, other.id, add_row(yard.services, other))
    rows(yard, f"UPDATE bots SET removal_began = now() WHERE id = {removed.id}")  # noqa: S608
    yard.redis.hset(f"by:bot:{removed.telegram_id}", "gone", 1)
    ids = [*letter_ids(Selection()), 99]
    assert [replayer(yard).replay(number) for number in ids] == ["gone", "gone", "replayed", "missing"]
    assert letter_ids(Selection()) == ids[:2]


@pytest.mark.parametrize(("outcome", "code"), [("full", 1), ("gone", 1), ("missing", 1), ("already", 0)])
async def test_the_command_says_what_it_did_and_what_it_could_not_do(
    yard: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: str, code: int
) -> None:
    bot = make_bot()
    for text in ("a", "b", "c"):
        bury_send(yard, bot.id, add_row(yard.services, bot, text))
    outcomes = iter(["replayed", outcome, "replayed"])

    def replayed(*_: Any) -> str:
        return next(outcomes)

    monkeypatch.setattr(Replayer, "replay", replayed)
    monkeypatch.setattr(dead, "attached", lambda: yard.settings)
    ended = 0
    try:
        await asyncio.to_thread(dead.replay, every=True, pace=1000.0, as_json=True)
    except Exit as error:
        ended = error.exit_code
    said = capsys.readouterr()
    assert (ended, json.loads(said.out)) == (code, [{"chosen": 3, "replayed": 2, "already": 1 - code}])
    assert ("1 were not replayed" in said.err) == bool(code)


async def test_the_command_says_what_was_done_when_a_server_goes_away_in_the_middle(
    yard: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = make_bot()
    for text in ("a", "b"):
        bury_send(yard, bot.id, add_row(yard.services, bot, text))

    def replayed(_: Replayer, number: int) -> str:
        if number > 1:
            raise RedisGone
        return "replayed"

    monkeypatch.setattr(Replayer, "replay", replayed)
    monkeypatch.setattr(dead, "attached", lambda: yard.settings)
    with pytest.raises(RedisGone):
        await asyncio.to_thread(dead.replay, every=True, pace=1000.0, as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"chosen": 2, "replayed": 1, "already": 0}]


async def test_very_many_letters_are_thrown_away_in_parts(yard: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = make_bot()
    for text in ("a", "b", "c"):
        bury_send(yard, bot.id, add_row(yard.services, bot, text))
    monkeypatch.setattr(dead_letters, "_DISCARDED_AT_ONCE", 2)
    assert discard([1, 2, 3]) == 3
    counts = rows(yard, "SELECT data->>'count' FROM events WHERE type = 'dead_letters.discarded' ORDER BY id")
    assert counts == [("2",), ("1",)]


async def test_letters_are_counted_by_bot_and_reason_and_chosen_by_what_is_given(yard: Rig) -> None:
    one, other = make_bot(), make_bot(4_200_000_002)
    for text in ("a", "b"):
        bury_send(yard, one.id, add_row(yard.services, one, text))
    bury_send(yard, other.id, add_row(yard.services, other, "c"), "BadRequest: Chat not found")
    counted = [(group.what, group.reason, group.count) for group in groups(Selection())]
    assert counted == [
        ("send", "BadRequest: Chat not found", 1), ("send", "Forbidden: bot was blocked by the user", 2),
    ]  # fmt: skip
    assert letter_ids(Selection(bot=str(other.telegram_id))) == [3]
    assert letter_ids(Selection(reason="BLOCKED")) == [1, 2]
    assert letter_ids(Selection(reason="%")) == []
    assert letter_ids(Selection(what="update")) == []
    with pytest.raises(InputError, match="no number 9"):
        letter_ids(Selection(ids=(1, 9)))
    assert discard([1, 3]) == 2
    assert letter_ids(Selection()) == [2]
    assert rows(yard, "SELECT data FROM events WHERE type = 'dead_letters.discarded' ORDER BY bot_id") == [
        ({"count": 1},), ({"count": 1},),
    ]  # fmt: skip


async def test_a_letter_is_shown_without_the_secrets_that_its_bot_put_into_it(yard: Rig) -> None:
    bot = make_bot()
    row = add_row(yard.services, bot, f"my token is {TOKEN}")
    bury_send(yard, bot.id, row, f"NetworkError: https://api.telegram.org/bot{TOKEN}/sendMessage")
    shown = repr(letter(1)) + repr(groups(Selection()))
    assert TOKEN not in shown
    assert ":***" in shown
