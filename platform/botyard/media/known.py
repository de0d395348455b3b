"""Telegram's ids of files that a bot has uploaded: the table ``media``. See docs/delivery.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from botyard.media.attached import Attached
from db.engine import one_statement

_TENANT: Final = "SELECT set_config('app.tenant', %(tenant)s, true);"
_WANTED: Final = "unnest(%(contents)s::text[], %(kinds)s::text[]) AS w(sha256, kind)"

# Its time is written once an hour: one picture may go to thousands of people.
_FIND: Final = f"""{_TENANT}
WITH f AS MATERIALIZED (
  SELECT m.* FROM media m JOIN {_WANTED} USING (sha256, kind) WHERE m.bot_id = %(bot)s
), u AS (
  UPDATE media m SET used_at = now() FROM f
   WHERE m.bot_id = f.bot_id AND m.sha256 = f.sha256 AND m.kind = f.kind AND f.used_at < now() - interval '1 hour'
)
SELECT sha256, kind, file_id FROM f
"""  # noqa: S608 - joined from constants

_REMEMBER: Final = f"""{_TENANT}
INSERT INTO media AS m (bot_id, customer_id, sha256, kind, file_id, size)
SELECT DISTINCT ON (w.sha256, w.kind) %(bot)s, %(customer)s, w.sha256, w.kind, w.file_id, w.size
  FROM unnest(%(contents)s::text[], %(kinds)s::text[], %(ids)s::text[], %(sizes)s::bigint[])
       AS w(sha256, kind, file_id, size)
 WHERE EXISTS (SELECT 1 FROM bots WHERE id = %(bot)s)
 ORDER BY w.sha256, w.kind
ON CONFLICT (bot_id, sha256, kind) DO UPDATE SET file_id = excluded.file_id, used_at = now() RETURNING 1
"""  # noqa: S608 - joined from constants

_FORGET: Final = f"""{_TENANT}
DELETE FROM media m USING {_WANTED} WHERE m.bot_id = %(bot)s AND m.sha256 = w.sha256 AND m.kind = w.kind
RETURNING 1
"""  # noqa: S608 - joined from constants


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """What Telegram has of one bot: every bot has ids of its own.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
    """

    bot_id: int
    customer_id: int

    def find(self, files: Sequence[Attached]) -> dict[str, str]:
        """The ids of those that Telegram has, by field; they count as used now."""
        found = {(content, kind): file_id for content, kind, file_id in self._execute(_FIND, files)}
        return {
            one.field: found[one.content, one.kind] for one in files if one.kind and (one.content, one.kind) in found
        }

    def remember(self, files: Sequence[tuple[Attached, str]]) -> bool:
        """Keep the ids that an answer told. Always true."""
        more: dict[str, list[str] | list[int]] = {
            "ids": [file_id for _, file_id in files],
            "sizes": [one.size for one, _ in files],
        }
        self._execute(_REMEMBER, [one for one, _ in files], more)
        return True

    def forget(self, files: Sequence[Attached]) -> bool:
        """Telegram refused their ids: they are to be uploaded again. Always true."""
        self._execute(_FORGET, files)
        return True

    def _execute(
        self, statement: str, files: Sequence[Attached], more: dict[str, list[str] | list[int]] | None = None
    ) -> list[tuple[str, ...]]:
        parameters = {
            "tenant": str(self.customer_id),
            "customer": self.customer_id,
            "bot": self.bot_id,
            "contents": [one.content for one in files],
            "kinds": [one.kind for one in files],
        }
        with one_statement() as cursor:
            cursor.execute(statement, parameters | (more or {}))
            return list(cursor.fetchall())
