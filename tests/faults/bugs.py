"""Known bugs, planted into a process of the campaign: a campaign that catches none of them would prove nothing.

Each is one of those that the model of the protocol catches too (tests/model), where it shows in what people see.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

import psycopg2

from botyard.delivery import outbox
from botyard.mailbox import scripts
from botyard.mailbox.inbound import Accepted, Mailboxes
from botyard.processing import statements, store
from botyard.processing.slice import Slice
from botyard.processing.store import Decided, Verdict
from db.prepared import Prepared


def plant(name: str) -> None:
    """Let this process have the bug.

    Raises:
        KeyError: there is no such bug.
    """
    BUGS[name]()


def _in_script(script: str, right: str, wrong: str) -> None:
    source = scripts.source

    def with_bug(name: str) -> str:
        return _changed(source(name), right, wrong) if name == script else source(name)

    scripts.source = with_bug  # type: ignore[assignment]


def _in_commit(right: str, wrong: str) -> None:
    for parts, statement in statements.COMMITS.items():
        statements.COMMITS[parts] = _changed_statement(statement, right, wrong)


def _in_outbox(statement: str, right: str, wrong: str) -> None:
    setattr(outbox, statement, _changed_statement(getattr(outbox, statement), right, wrong))


def _changed_statement(statement: Prepared, right: str, wrong: str) -> Prepared:
    return Prepared(_changed(statement.sql, right, wrong), **statement.types)


def _changed(text: str, right: str, wrong: str) -> str:
    if right not in text:
        raise LookupError(f"the bug no longer fits: {right!r} is not there")
    return text.replace(right, wrong)


def popped_when_taken() -> None:
    """An update leaves its mailbox when a worker takes it."""
    _in_script("take", "redis.call('LINDEX', 'by:box:' .. bot .. ':' .. chat, 0)", "redis.call('LPOP', 'by:box:' .. bot .. ':' .. chat)")  # fmt: skip  # noqa: E501


def answered_first() -> None:
    """Telegram hears 200 before Redis has the update."""
    accept = Mailboxes.accept
    kept = set()

    async def soon(*args: Any, **kwargs: Any) -> Accepted:
        task = asyncio.ensure_future(accept(*args, **kwargs))
        kept.add(task)
        task.add_done_callback(kept.discard)
        return Accepted("accepted")

    Mailboxes.accept = soon  # type: ignore[method-assign]


def lost_answer_is_success() -> None:
    """A commit whose answer was lost is taken for one that happened."""
    commit = store.commit

    async def hopeful(database: Any, bot: Any, telegram_id: int, batch: Any) -> list[Decided]:
        try:
            return await commit(database, bot, telegram_id, batch)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return [Decided(Verdict.WRITTEN)] * len(batch)

    store.commit = hopeful


def no_inbox_key() -> None:
    """Neither the seen bit nor the inbox' key keeps a repetition from taking effect."""
    _in_script("accept", "return 'known'", "local repeated = true")
    _in_commit("ON CONFLICT DO NOTHING RETURNING update_id", "ON CONFLICT (telegram_id, update_id) DO UPDATE SET attempt = excluded.attempt RETURNING update_id")  # fmt: skip  # noqa: E501
    asked = "AND update_id = ANY(%(updates)s)"
    statements.LOAD = _changed_statement(statements.LOAD, asked, f"{asked} AND false")  # type: ignore[misc]


def outage_counts() -> None:
    """While the database is away updates use up their attempts."""
    park = Slice._park

    async def counted(self: Slice, holding: Any, delay: float, **_: Any) -> None:
        await park(self, holding, min(delay, 1.0), counted=True)

    Slice._park = counted  # type: ignore[method-assign]


def failed_goes_behind() -> None:
    """What failed goes behind what came after it."""
    _in_script("fail", "local tries =", "local box = 'by:box:' .. bot .. ':' .. chat\nif delay ~= '0' then redis.call('RPUSH', box, redis.call('LPOP', box)) end\nlocal tries =")  # fmt: skip  # noqa: E501


def adopted_silently() -> None:
    """What a dead sender had in hand goes out again and is not counted as uncertain."""
    _in_outbox("_ADOPT", "uncertain_count = uncertain_count + 1, ", "")


def never_adopted() -> None:
    """What a dead sender had in hand stays in its hand."""
    _in_outbox("_ADOPT", "owner <> %(owner)s", "owner <> %(owner)s AND false")


def sent_before_the_call() -> None:
    """A row is called sent when it is claimed."""
    _in_outbox("_CLAIM", "SET state = 'sending',", "SET state = 'sent', resolved_at = now(),")


def overtaking_a_retry() -> None:
    """A row goes out while an earlier one of its chat waits to be tried again."""
    _in_outbox("_CLAIM", "AND e.state IN ('queued', 'retry', 'sending') LIMIT 1)", "AND e.state = 'sending' LIMIT 1)")


def no_limits() -> None:
    """Sends are paced by limits that are not Telegram's."""
    for name in ("PRIVATE_PER_SECOND", "PRIVATE_BURST", "BULK_PER_SECOND", "GROUP_PER_MINUTE"):
        os.environ[f"LIMIT_{name}"] = "1000"


BUGS: Final[dict[str, Callable[[], None]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        popped_when_taken, answered_first, lost_answer_is_success, no_inbox_key, outage_counts, failed_goes_behind,
        adopted_silently, never_adopted, sent_before_the_call, overtaking_a_retry, no_limits,
    )
}  # fmt: skip
