"""What is explored: configurations in which nothing may break, and in which each planted bug must be caught."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Union

from tests.model import inbound_state, outbound_state
from tests.model.explorer import Result, explore
from tests.model.inbound import Inbound
from tests.model.inbound_state import Update
from tests.model.outbound import Outbound
from tests.model.outbound_state import Wanted

Setup = Union[inbound_state.Setup, outbound_state.Setup]  # noqa: UP007 - PyPy is a Python 3.9

ALL = frozenset({
    "answer-lost", "script-error", "redeliver", "crash", "stop", "pause", "ticket-lost", "ticket-doubled",
    "ticket-late", "handler-error", "commit-unknown", "outside-writer",
})  # fmt: skip
AWAY, RESTART = ALL | {"database-away"}, ALL | {"redis-restart"}
ZOMBIES = frozenset({"crash", "pause", "commit-unknown"})
SENDING = frozenset({
    "wake-lost", "crash", "pause", "ticket-lost", "ticket-doubled", "ticket-late", "record-unknown", "flood", "trouble",
    "refused", "gone", "no-answer", "no-permit", "late",
})  # fmt: skip
LOSSES = frozenset({"crash", "pause", "no-answer", "record-unknown", "flood", "trouble"})

GOOD, FAILS, KILLS, BAD = (Update(0, kind) for kind in ("ok", "fail", "kill", "bad"))
QUIET, BESIDE = Update(0, quiet=1), Update(1)
SAME, VARIES = Update(0, sends="same"), Update(0, sends="varies")
OF_A_PERSON = (Update(0, person=0), Update(1, person=0))
ONE, TWO, BOTS = (0,), (0, 0), (0, 1)
ROWS = (Wanted(0, 1), Wanted(0, 1, "leave"), Wanted(0, 2))
EDITS = (Wanted(0, 1), Wanted(0, 2, after=0), Wanted(1, 1))


def coming(updates: tuple[Update, ...], chats: tuple[int, ...], faults: int, **more: Any) -> Setup:
    """A configuration of the inbound model; all kinds of faults unless it says otherwise."""
    return inbound_state.Setup(updates, chats, faults, **{"kinds": ALL, **more})


def going(rows: tuple[Wanted, ...], faults: int, **more: Any) -> Setup:
    """A configuration of the outbound model; all kinds of faults unless it says otherwise."""
    return outbound_state.Setup(rows, faults, **{"kinds": SENDING, **more})


QUICK: dict[str, Setup] = {
    "in: nothing fails, no sweeper": coming((GOOD, GOOD, BESIDE), TWO, 0, share=2, sweeper=False),
    "in: 2 updates, 1 fault": coming((GOOD, GOOD), ONE, 1),
    "in: 2 updates, 2 faults": coming((GOOD, GOOD), ONE, 2),
    "in: failing and good, 1 fault": coming((FAILS, GOOD), ONE, 1),
    "in: killer and good, 1 fault": coming((KILLS, GOOD), ONE, 1),
    "in: refused and good, 1 fault": coming((BAD, GOOD), ONE, 1),
    "in: PostgreSQL away, 1 fault": coming((GOOD, GOOD), ONE, 1, kinds=AWAY),
    "in: Redis restarts, 1 fault": coming((GOOD, GOOD), ONE, 1, kinds=RESTART),
    "in: 1 attempt only, 2 faults": coming((GOOD,), ONE, 2, max_attempts=1),
    "in: 2 chats of a process, 1 fault": coming((GOOD, BESIDE), TWO, 1, held=2, workers=1),
    "in: 2 chats of a person, 1 fault": coming(
        OF_A_PERSON, TWO, 1, held=2, workers=1
    ),
    "in: refused beside good": coming((BAD, BESIDE), TWO, 0, held=2, workers=1),
    "in: killer beside good": coming((KILLS, BESIDE), TWO, 0, held=2),
    "in: killer beside good, 1 fault": coming((KILLS, BESIDE), TWO, 1, held=2),
    "in: no memory changes, 1 fault": coming((QUIET,), ONE, 1, share=2),
    "in: sends early, 1 fault": coming((SAME,), ONE, 1),
    "in: sends early, otherwise each time, 1 fault": coming((VARIES,), ONE, 1, share=2),
    "in: a chat twice in a process": coming((GOOD,), ONE, 1, kinds=frozenset({"pause"}), held=2, workers=1,
                                            max_attempts=1),
    "out: nothing fails, no sweeper": going(ROWS, 0, sweeper=False),
    "out: an edit, nothing fails, no sweeper": going(EDITS, 0, sweeper=False),
    "out: 2 rows, 1 fault": going(ROWS[:2], 1),
    "out: 3 rows, 1 fault": going(ROWS, 1),
    "out: an edit, 1 fault": going(EDITS[:2], 1),
}  # fmt: skip

FULL: dict[str, Setup] = {
    "in: 4 updates, nothing fails, no sweeper": coming((GOOD, GOOD, BESIDE, BESIDE), TWO, 0, share=2, sweeper=False),
    "in: 2 updates, 3 faults": coming((GOOD, GOOD), ONE, 3, max_attempts=4),
    "in: 3 updates, 2 faults": coming((GOOD, GOOD, GOOD), ONE, 2),
    "in: 2 chats, 3 updates, K=2, 1 fault": coming((GOOD, GOOD, BESIDE), TWO, 1, share=2),
    "in: 2 chats, 4 updates, K=2, 1 fault": coming((GOOD, GOOD, BESIDE, BESIDE), TWO, 1, share=2),
    "in: 2 bots, 3 updates, 2 faults": coming((GOOD, GOOD, BESIDE), BOTS, 2),
    "in: 3 workers, 2 updates, K=2, 2 faults": coming((GOOD, GOOD), ONE, 2, share=2, workers=3),
    "in: failing and good, 2 faults": coming((FAILS, GOOD), ONE, 2),
    "in: good, failing, good, 2 faults": coming((GOOD, FAILS, GOOD), ONE, 2),
    "in: killer and good, 2 faults": coming((KILLS, GOOD), ONE, 2),
    "in: killer and good, 2 chats, 2 faults": coming((KILLS, GOOD, BESIDE), TWO, 2),
    "in: PostgreSQL away, 2 faults": coming((GOOD, GOOD), ONE, 2, kinds=AWAY),
    "in: failing and good, PostgreSQL away, 2 faults": coming((FAILS, GOOD), ONE, 2, kinds=AWAY),
    "in: Redis restarts, 2 faults": coming((GOOD, GOOD), ONE, 2, kinds=RESTART),
    "in: Redis restarts, failing and good, 1 fault": coming((FAILS, GOOD), ONE, 1, kinds=RESTART),
    "in: Redis restarts, 2 chats, 3 updates, 1 fault": coming((GOOD, GOOD, BESIDE), TWO, 1, kinds=RESTART),
    "in: 1 attempt only, 2 updates, 2 faults": coming((GOOD, GOOD), ONE, 2, max_attempts=1),
    "in: 2 chats of a process, 2 faults": coming((GOOD, BESIDE), TWO, 2, held=2),
    "in: 2 chats of a process, 3 updates, 1 fault": coming((GOOD, GOOD, BESIDE), TWO, 1, held=2),
    "in: 2 chats of a person, 2 faults": coming(OF_A_PERSON, TWO, 2, held=2),
    "in: refused beside good, 1 fault": coming((BAD, BESIDE), TWO, 1, held=2),
    "in: no memory changes, 2 updates, 2 faults": coming((QUIET, QUIET), ONE, 2),
    "in: sends early, 2 updates, 2 faults": coming((SAME, GOOD), ONE, 2),
    "in: sends early, otherwise each time, 2 faults": coming((VARIES, GOOD), ONE, 2),
    "in: sends early, Redis restarts, 2 faults of 4 kinds": coming((SAME,), ONE, 2, kinds=ZOMBIES | {"redis-restart"}),
    "in: a chat twice in a process, 2 faults": coming((GOOD,), ONE, 2, held=2),
    "out: 3 rows, 2 faults": going(ROWS, 2),
    "out: 2 rows, 2 faults": going(ROWS[:2], 2),
    "out: 2 rows, 3 faults of 6 kinds": going(ROWS[:2], 3, kinds=LOSSES),
    "out: an edit, 2 faults": going(EDITS[:2], 2),
    "out: an edit, another chat, 1 fault": going(EDITS, 1),
    "out: 3 senders, 2 rows, 2 faults of 6 kinds": going(ROWS[:2], 2, kinds=LOSSES, senders=3),
    "out: Redis restarts, 3 rows, 1 fault": going(ROWS, 1, kinds=SENDING | {"redis-restart"}),
    "out: a reply to a chat that is gone, net only, 1 fault": going(
        (Wanted(0, 1), Wanted(1, 1, after=0)), 1, revives=True
    ),
    "in: 2 chats, 3 updates, K=2, 2 faults": coming((GOOD, GOOD, BESIDE), TWO, 2, share=2),
    "in: RabbitMQ, 2 updates, 2 faults": coming((GOOD, GOOD), ONE, 2, rabbitmq=True),
    "in: RabbitMQ, Redis restarts, 2 updates, 1 fault": coming((GOOD, GOOD), ONE, 1, kinds=RESTART, rabbitmq=True),
    "out: RabbitMQ, Redis restarts, 2 rows, 1 fault": going(
        ROWS[:2], 1, kinds=SENDING | {"redis-restart"}, rabbitmq=True
    ),
    "in: Redis restarts, 3 updates, 1 fault": coming((GOOD, GOOD, GOOD), ONE, 1, kinds=RESTART),
}

HUNTS: dict[str, Setup] = {
    "in: K=2, nothing fails": coming((GOOD, GOOD), ONE, 0, share=2),
    "in: 2 updates, K=2, 1 fault": coming((GOOD, GOOD), ONE, 1, share=2, kinds=ZOMBIES),
    "in: 3 updates, K=2, 1 fault": coming((GOOD, GOOD, BESIDE), TWO, 1, share=2),
    "in: killer, 2 faults": coming((KILLS,), ONE, 2),
    "in: killer beside good, several slices of a process": coming(
        (KILLS, BESIDE), TWO, 0, share=2, held=2, threads=True
    ),
    "in: a transient error": coming((GOOD, GOOD), ONE, 1, kinds=frozenset({"handler-error"})),
    "in: only PostgreSQL away": coming(
        (GOOD,), ONE, 2, kinds=frozenset({"database-away"})),
    "in: only Redis restarts": coming((GOOD, GOOD), ONE, 1, kinds=frozenset({"redis-restart"})),
    "in: only Redis restarts, 1 worker": coming(
        (GOOD,) * 4, ONE, 1, kinds=frozenset({"redis-restart"}), updates_of_slice=1, workers=1, max_attempts=2
    ),
    "out: floods": going(ROWS[:1], 2, kinds=frozenset({"flood", "trouble"}), most=2),
    "out: floods and no answer": going(ROWS[:1], 2, kinds=frozenset({"flood", "no-answer"}), most=2),
    "out: 2 rows, zombies": going(ROWS[:2], 3, kinds=frozenset({"pause", "ticket-doubled", "flood", "no-answer"})),
    "out: refused edit": going(EDITS[:2], 1, kinds=frozenset({"refused"})),
    "out: a reply to a chat that is gone": going(
        (Wanted(0, 1), Wanted(1, 1, after=0)), 1, kinds=frozenset({"gone"})
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A bug, the configuration in which it is hunted, and the invariant that must catch it."""

    bug: str
    where: str
    invariant: str
    words: str
    quick: bool = True


PLANTED = (
    Planted("pop-at-take", "in: 2 updates, 1 fault", "LOST", "mailbox popped when taken"),
    Planted("ack-before-commit", "in: 2 updates, 1 fault", "LOST", "removed before the commit"),
    Planted("remove-by-count", "in: 2 updates, K=2, 1 fault", "REMOVE", "removed by count, owner unchecked"),
    Planted("no-owner-check", "in: 2 updates, K=2, 1 fault", "EXCLUSIVE", "scripts without owner check"),
    Planted("no-inbox-key", "in: no memory changes, 1 fault", "ONCE", "no unique inbox key"),
    Planted("dead-elsewhere", "in: 1 attempt only, 2 faults", "ONCE", "dead letter without the inbox' key"),
    Planted("no-version-check", "in: 2 updates, 1 fault", "STATE", "no version check"),
    Planted("redis-fence", "in: 2 updates, 1 fault", "STATE", "number from Redis for a version, another writer"),
    Planted("redis-fence", "in: only Redis restarts", "STATE", "the same, Redis restarts, 2 workers"),
    Planted(
        "redis-fence", "in: only Redis restarts, 1 worker", "HEALTHY", "the same, Redis restarts, 1 worker", quick=False
    ),
    Planted("unknown-is-done", "in: 2 updates, 1 fault", "REMOVE", "lost commit answer taken for success"),
    Planted("seen-bit-first", "in: 2 updates, 1 fault", "LOST", "seen bit first, script fails"),
    Planted("accept-without-nx", "in: nothing fails, no sweeper", "EXCLUSIVE", "accept readies a leased chat"),
    Planted("release-in-two-steps", "in: nothing fails, no sweeper", "PLACE", "looks at the mailbox, lets go later"),
    Planted("retire-not-atomic", "in: nothing fails, no sweeper", "LIVE", "ticket retired after the look"),
    Planted("sweep-live-lease", "in: K=2, nothing fails", "EXCLUSIVE", "sweep readies a live lease"),
    Planted("ticket-counter", "in: 2 updates, 1 fault", "LIVE", "ticket counter instead of deadlines"),
    Planted("uncapped-issue", "in: 3 updates, K=2, 1 fault", "SHARE", "issue ignores the share"),
    Planted("count-after-run", "in: killer, 2 faults", "ATTEMPTS", "start counted after the run"),
    Planted("skip-failed", "in: a transient error", "ORDER", "failed update goes behind the next"),
    Planted("outage-counts", "in: only PostgreSQL away", "HEALTHY", "database's absence counts as a start"),
    Planted("no-solitude", "in: killer beside good", "HEALTHY", "a suspect runs beside others"),
    Planted("", "in: killer beside good, several slices of a process", "HEALTHY", "suspects wait beside each other"),
    Planted("memory-twice", "in: 2 chats of a person, 1 fault", "STATE", "a memory twice in one statement"),
    Planted("one-verdict", "in: 2 chats of a process, 1 fault", "REMOVE", "one verdict for a whole statement"),
    Planted("refused-together", "in: refused beside good", "HEALTHY", "a refused row fails its neighbours"),
    Planted("update-twice", "in: a chat twice in a process", "ONCE", "an update twice in one statement"),
    Planted("early-numbered-anew", "in: sends early, 1 fault", "REPEATED", "next run numbers behind, blindly"),
    Planted("early-unfenced", "in: sends early, otherwise each time, 1 fault", "LATE", "early write without a look"),
    Planted("conflict-ignored", "in: sends early, otherwise each time, 1 fault", "SENDS", "number taken: ignored"),
    Planted("no-adoption", "out: 2 rows, 1 fault", "LIVE", "rows of a dead sender not adopted"),
    Planted("adopt-silently", "out: 2 rows, 1 fault", "TWICE", "adopted without the uncertain mark"),
    Planted("record-unfenced", "out: 2 rows, zombies", "ORDER", "recorded without attempt number"),
    Planted("overtake-retry", "out: 2 rows, 1 fault", "ORDER", "row overtakes one that waits for a retry"),
    Planted("sent-before-call", "out: 2 rows, 1 fault", "SENT", "sent recorded before the call"),
    Planted("no-bell", "out: nothing fails, no sweeper", "LIVE", "no bell"),
    Planted("no-outbox-sweep", "out: 2 rows, 1 fault", "LIVE", "wake-up lost, outbox not swept"),
    Planted("next-not-let", "out: nothing fails, no sweeper", "LIVE", "what was put off is not let go"),
    Planted("after-not-waited", "out: an edit, nothing fails, no sweeper", "PATIENCE", "an edit does not wait"),
    Planted("edit-anyway", "out: refused edit", "AFTER", "an edit of what was never sent is sent"),
    Planted("attempts-are-failures", "out: floods", "PATIENCE", "a 429 counts as a failure"),
    Planted("attempts-are-repeats", "out: floods and no answer", "REPEAT", "a 429 counts as an uncertain outcome"),
    Planted("", "out: a reply to a chat that is gone", "LIVE", "no net under rows that were put off"),
)


def setup_of(where: str, bug: str = "") -> Setup:
    """A configuration by its name, with a planted bug."""
    setup = {**FULL, **QUICK, **HUNTS}[where]
    return replace(setup, bugs=frozenset({bug} - {""}))


def run(setup: Setup) -> Result:
    """Explore a configuration."""
    if isinstance(setup, outbound_state.Setup):
        return explore(Outbound(setup))
    return explore(Inbound(setup))
