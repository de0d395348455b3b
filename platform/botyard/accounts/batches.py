"""Many bots at once, for one customer: what is wanted, with its tokens sealed. Opens nothing; see docs/bots.md."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from botyard.bots.kind_names import check_kind
from botyard.bots.token_shape import check_token
from botyard.errors import InputError
from botyard.operations import Wanted
from botyard.operations.beginning import PRIVATE
from botyard.vault.sealed import SealedSecret, token_of
from botyard.vault.sealing import seal

ADD_BOTS: Final = "bots.add"
MOST: Final = 200
_NO_ROW: Final = 0
"""Sealed for no bot's row: there is none yet, and what was sealed for this one opens for no other."""


@dataclass(frozen=True, slots=True)
class BotLine:
    """One bot that is to be added.

    Args:
        token: from BotFather.
        kind: its kind; none: the demo's.
        queue: where its updates run; none: with the slow ones.
        label: what the report calls it.
    """

    token: str = field(repr=False)
    kind: str | None = None
    queue: Literal["updates", "slow"] | None = None
    label: str | None = None

    @property
    def telegram_id(self) -> int:
        """Telegram's number of the bot, with which its token begins."""
        return int(self.token.partition(":")[0])


def adding(customer_id: int, lines: Sequence[BotLine]) -> Wanted:
    """What is to be done to add these bots.

    Args:
        customer_id: who is to own them.
        lines: one for each bot.

    Raises:
        InputError: what cannot be a token or a kind, or stands there twice; which line it is.
    """
    if not 0 < len(lines) <= MOST:
        raise InputError("bots", f"are not between 1 and {MOST}.", "Send them in several requests.")
    seen: set[int] = set()
    for place, line in enumerate(lines):
        check_token(line.token, f"bots.{place}.token")
        if line.telegram_id in seen:
            raise InputError(f"bots.{place}.token", "belongs to a bot that stands here before.", "Give each bot once.")
        seen.add(line.telegram_id)
        if line.kind is not None:
            check_kind(line.kind, f"bots.{place}.kind")
    return Wanted(ADD_BOTS, customer_id, None, {PRIVATE: {"bots": [_kept(line) for line in lines]}}, len(lines))


def sealed_token(kept: dict[str, Any]) -> SealedSecret:
    """The token of a bot that waits to be added."""
    return SealedSecret(_NO_ROW, token_of(kept["telegramId"]), base64.b64decode(kept["sealed"]))


def line_of(kept: dict[str, Any], token: str) -> BotLine:
    """A bot that waits to be added, with its token."""
    return BotLine(token, kept["kind"], kept["queue"], kept["label"])


def _kept(line: BotLine) -> dict[str, Any]:
    sealed, _ = seal(_NO_ROW, token_of(line.telegram_id), line.token)
    return {
        "telegramId": line.telegram_id, "sealed": base64.b64encode(sealed).decode(), "kind": line.kind,
        "queue": line.queue, "label": line.label,
    }  # fmt: skip
