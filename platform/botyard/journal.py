"""Calls that went to Telegram before their update was committed, and the answers: what runs again calls nothing twice.

See docs/bring-your-bot.md.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from db.engine import one_statement

_KNOWN: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
SELECT position, digest, answer::text FROM journal WHERE bot_id = %(bot)s AND scope = %(scope)s
"""
_NOTE: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
WITH j AS (
  INSERT INTO journal (bot_id, customer_id, scope, position, digest, answer)
  VALUES (%(bot)s, %(customer)s, %(scope)s, %(position)s, %(digest)s, %(answer)s)
  ON CONFLICT (bot_id, scope, position) DO UPDATE SET digest = excluded.digest, answer = excluded.answer RETURNING 1
), m AS (
  INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, message_id, update_id, text)
  SELECT %(bot)s, %(customer)s, z.of#>>'{chat,id}', 'out', %(method)s, (z.of->>'message_id')::bigint, %(update)s,
         coalesce(z.of->>'text', z.of->>'caption')
    FROM jsonb_array_elements(%(messages)s::jsonb) AS z(of)
)
SELECT 1 FROM j
"""


@dataclass(slots=True)
class Journal:
    """The calls of one piece of a bot's code that may run more than once.

    Args:
        scope: what it is, the same each time it runs.
        update_id: of the update that it handles, if it is one.
        known: the digests and answers of its earlier runs, by position.
    """

    scope: str
    update_id: int | None = None
    known: dict[int, tuple[str, Any]] = field(default_factory=dict)
    closed: bool = False
    """What it belongs to has ended: what is called later is not noted."""
    _last: int = 0

    def call(self, digest: str) -> "Call":
        """The call that is made now."""
        self._last += 1
        return Call(self, self._last, digest)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a journal's code.

    Args:
        journal: where it stands.
        position: its number, from 1.
        digest: of its method and parameters.
    """

    journal: Journal
    position: int
    digest: str

    @property
    def known(self) -> bool:
        """Whether it was made and answered in an earlier run."""
        return self.journal.known.get(self.position, ("", None))[0] == self.digest

    @property
    def answer(self) -> Any:
        """What it was answered then."""
        return self.journal.known[self.position][1]


def of_update(telegram_id: int, update_id: int) -> Journal:
    """The journal of an update's handlers."""
    return Journal(f"update {telegram_id} {update_id}", update_id)


class Calls:
    """One bot's journals.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
    """

    def __init__(self, bot_id: int, customer_id: int) -> None:
        self._parameters = {"tenant": str(customer_id), "customer": customer_id, "bot": bot_id}

    def known(self, scope: str) -> dict[int, tuple[str, Any]]:
        """The digests and answers that were noted of a scope, by position."""
        with one_statement() as cursor:
            cursor.execute(_KNOWN, {**self._parameters, "scope": scope})
            return {position: (digest, orjson.loads(answer)) for position, digest, answer in cursor.fetchall()}

    def note(self, call: "Call", method: str, answer: Any) -> None:
        """Note an answer, and the messages in it, before the code that asked for it goes on."""
        found = answer if isinstance(answer, list) else [answer]
        messages = (
            [one for one in found if isinstance(one, dict) and "chat" in one] if method.startswith("send") else []
        )
        with one_statement() as cursor:
            cursor.execute(_NOTE, {
                **self._parameters, "scope": call.journal.scope, "position": call.position, "digest": call.digest,
                "answer": orjson.dumps(answer).decode(), "method": method, "update": call.journal.update_id,
                "messages": orjson.dumps(messages).decode(),
            })  # fmt: skip
            cursor.fetchall()
