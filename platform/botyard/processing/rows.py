"""What an update's run left, as the row of a batch: see the statement that writes it in `botyard.processing.store`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from botyard.chats.reach import reach_told_by
from botyard.jobs.stored import KEY
from botyard.mailbox.protocol import Held
from botyard.processing.store import Loaded, MemoryKey, Resolution
from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.telegram.keys import update_kind
from botyard.telegram.run import Lane, Send, UpdateRun, of_provisional_id
from botyard.telemetry.redaction import redact
from db.engine import storable

BOT_DATA: Final[MemoryKey] = ("bot", "")
# How long a send is of use, in seconds. Answers count from the update's arrival: what Telegram says of it (a
# pre-checkout query), or for how long its server keeps the query.
_USEFUL_SECONDS: Final = {Lane.URGENT: 150, Lane.REPLY: 900, Lane.SCHEDULED: 86_400}
_ANSWER_SECONDS: Final = {"answerPreCheckoutQuery": 10, "answerInlineQuery": 30}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the webhook put into the mailbox: when it came, and the update's own JSON."""

    received_at: datetime
    text: str
    content: dict[str, Any]


def read_entry(body: bytes) -> Entry:
    """Split an entry of a mailbox, ``<milliseconds> <JSON>``."""
    stamp, _, text = body.partition(b" ")
    return Entry(datetime.fromtimestamp(int(stamp) / 1000, UTC), text.decode(), orjson.loads(text))


def grave(held: Held, entry: Entry, dead: dict[str, Any]) -> Resolution:
    """What is written of an update that is given up unread or unrun: its body, and the dead letter."""
    row = row_of(held, entry, held.chat, [], []) | {"messages": [], "dead": dead}
    return Resolution.of(held.update_id, (), row)


def entry_or_bytes(held: Held) -> Entry:
    """What the mailbox holds; its plain bytes if that is not what the webhook puts there."""
    try:
        return read_entry(held.body)
    except ValueError:
        return bytes_only(held)


def bytes_only(held: Held) -> Entry:
    """A body that cannot be read or stored as it came, kept as hexadecimal digits."""
    return Entry(datetime.now(UTC), orjson.dumps({"unreadable": held.body.hex()}).decode(), {})


def epitaph(reason: str, detail: str, attempts: int, fingerprint: str) -> dict[str, Any]:
    """What a dead letter says of its update, without secrets."""
    said = {"reason": reason, "detail": detail, "fingerprint": fingerprint}
    return {name: storable(redact(words)) for name, words in said.items()} | {"attempts": attempts}


def memories(run: UpdateRun) -> list[tuple[MemoryKey, Memory]]:
    """The memory rows that a run may change, with what stands in them now."""
    found: list[tuple[MemoryKey, Memory]] = [(("chat", run.chat_key), run.chat), (BOT_DATA, run.bot)]
    if run.user_id is not None:
        found.append((("user", str(run.user_id)), run.user))
    return found


def guards_of(run: UpdateRun, loaded: Loaded, codec: Codec) -> list[dict[str, Any]]:
    """The memory rows to write, and the chat's own in any case: its version fences the update.

    Raises:
        NotKept: something in the memory cannot be kept.
    """
    guards = []
    provisional = run.provisional()
    for (scope, key), memory in memories(run):
        stored, version = loaded.states.get((scope, key), (b"{}", 0))
        # The column keeps it as it is written, with the order of its keys.
        state = orjson.dumps(codec.dump(memory, f"{scope}_data", provisional))
        changed = state != stored
        if changed or scope == "chat":
            kept = state.decode() if changed else None
            guards.append({"scope": scope, "key": key, "version": version, "state": kept})
    return guards


def row_of(
    held: Held,
    entry: Entry,
    chat: str,
    guards: list[dict[str, Any]],
    sends: list[dict[str, Any]],
    started_at: datetime | None = None,
    jobs: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """One update's part of a batch: see `botyard.processing.store`.

    Args:
        held: what its mailbox says of it.
        entry: its content.
        chat: where it belongs; not its mailbox' chat if that moved.
        guards: the memory rows it writes, see `guards_of`.
        sends: its outbox rows.
        started_at: when its handlers began.
        jobs: what they did with jobs, see `botyard.jobs.changes`.
    """
    kind = update_kind(entry.content)
    row = {
        "u": held.update_id,
        "k": chat,
        "kind": storable(kind[:64]),
        "body": entry.text,
        "at": entry.received_at,
        "started": started_at,
        "attempt": held.attempt,
        "guards": guards,
        "sends": sends,
        "messages": _messages_of(entry.content.get(kind)),
        # What a replay tells is old news.
        "reach": reach_told_by(entry.content, kind) if held.update_id >= 0 else None,
    }
    # Only a job's firing ends one; of other replays no job has the number.
    return row | {"fired": held.update_id < 0, "jobs": jobs or []} if jobs or held.update_id < 0 else row


def is_firing(held: Held, entry: Entry) -> bool:
    """Whether it is a job whose moment has come, and no update. Only we give negative numbers."""
    return held.update_id < 0 and KEY in entry.content


def send_row(send: Send) -> dict[str, Any]:
    """One send of an update, as the batch holds it."""
    update_id, n = (None, None) if send.after is None else of_provisional_id(send.after)
    return {
        "method": send.method,
        "n": send.n,
        "params": send.params,
        "chat": send.chat_key,
        "lane": int(send.lane),
        "seconds": _ANSWER_SECONDS.get(send.method, _USEFUL_SECONDS.get(send.lane)),
        "after_update": update_id,
        "after_n": n,
    }


def _messages_of(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, dict) or not isinstance(content.get("message_id"), int):
        return []
    text = content.get("text") or content.get("caption")
    # The body keeps it as it came.
    return [{"id": content["message_id"], "text": storable(text) if isinstance(text, str) else None}]
