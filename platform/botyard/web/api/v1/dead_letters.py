"""``/api/v1/dead-letters``: updates and sends that were given up."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from botyard.accounts.access import Actor, in_scope
from botyard.accounts.operations import operation_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.bots.dead_letters import Group, Letter, Selection
from botyard.messages import letters
from botyard.messages.letters import AT_ONCE, Act, Done, Meant
from botyard.telemetry.redaction import redact
from botyard.web.api.ids import (
    BotId,
    DeadLetterId,
    ShownBotId,
    ShownDeadLetterId,
    ShownOperationId,
    ShownSendId,
)
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import Need, SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.versions import tagged
from db.models import DeadLetter

router = APIRouter(prefix="/dead-letters", route_class=Route, tags=["dead letters"])

What = Literal["update", "send"]
OfBot = Annotated[BotId | None, Query(description="Of this bot only.")]
OfWhat = Annotated[What | None, Query(description="Updates only, or sends only.")]
OfReason = Annotated[
    str | None, Query(max_length=200, pattern="^[^\\x00]*$", description="Whose reason or cause contains this.")
]
OfCause = Annotated[
    str | None, Query(max_length=2000, pattern="^[^\\x00]*$", description="Of this cause, as groups name it.")
]
AndReplayed = Annotated[bool, Query(description="Those that were replayed, too.")]
_CHOICE: Final[dict[str, Any]] = {"botId": "bot_31", "fingerprint": "KeyError at shop.py:12"}


class LetterShown(Shown):
    """An update or a send that was given up."""

    id: ShownDeadLetterId
    bot_id: ShownBotId
    what: What
    chat_id: str
    reason: str
    fingerprint: str | None = Field(description="The same for letters of one cause.")
    attempts: int
    created_at: Time
    replayed_at: Time | None

    @classmethod
    def of(cls, row: DeadLetter) -> Self:
        """Of its row."""
        return cls(
            id=row.id, bot_id=row.bot_id, what="send" if row.what == "send" else "update", chat_id=row.chat_key,
            reason=redact(row.reason), fingerprint=None if row.fingerprint is None else redact(row.fingerprint),
            attempts=row.attempts, created_at=row.created_at, replayed_at=row.replayed_at,
        )  # fmt: skip


class LetterInFull(Shown):
    """One letter with everything that is known of it, but secrets."""

    id: ShownDeadLetterId
    bot_id: ShownBotId
    what: str
    chat_id: str
    reason: str
    detail: str = Field(description="The traceback of a handler, or the Bot API's answer.")
    attempts: int
    created_at: Time
    replayed_at: Time | None
    update_id: str | None
    send_id: ShownSendId | None
    request: Any = Field(description="The update, or the call.")

    @classmethod
    def of(cls, found: Letter, bot_id: int) -> Self:
        """Of its row."""
        return cls(
            id=found.id, bot_id=bot_id, what=found.what, chat_id=found.chat, reason=found.reason, detail=found.detail,
            attempts=found.attempts, created_at=found.at, replayed_at=found.replayed_at,
            update_id=None if found.update_id is None else str(found.update_id), send_id=found.outbox_id,
            request=found.request,
        )  # fmt: skip


class GroupShown(Shown):
    """Letters of one bot with one cause."""

    bot_id: ShownBotId
    what: str
    fingerprint: str = Field(description="The cause: what to give as `fingerprint`.")
    reason: str = Field(description="Of the latest one.")
    count: int
    first_at: Time
    last_at: Time
    newest_id: ShownDeadLetterId

    @classmethod
    def of(cls, bot_id: int, group: Group) -> Self:
        """Of what was counted."""
        return cls(
            bot_id=bot_id, what=group.what, fingerprint=group.cause, reason=group.reason, count=group.count,
            first_at=group.first, last_at=group.last, newest_id=group.newest_id,
        )  # fmt: skip


class Groups(Shown):
    """All groups, at most a thousand."""

    items: list[GroupShown]


class LettersChosen(Given):
    """Which letters: up to a hundred by their ids, or all of a bot to which everything given applies."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHOICE]})

    ids: list[DeadLetterId] = Field(default_factory=list, max_length=AT_ONCE)
    bot_id: BotId | None = None
    fingerprint: str | None = Field(None, max_length=2000, pattern="^[^\\x00]*$")
    what: What | None = None


class LettersDone(Shown):
    """What became of letters."""

    dry_run: bool
    count: int = Field(description="How many are meant.")
    outcomes: dict[str, int] = Field(
        description="How many were `replayed` or `discarded`, or stay: `already` replayed, their bot's mailboxes are"
        " `full`, their bot is `gone`, or they are `missing`."
    )
    operation_id: ShownOperationId | None = Field(description="What goes on with them, if they are many.")


def _again(actor: Actor, operation: int | None = None, discarded: int = 0, bots: Sequence[int] = ()) -> LettersDone:
    if operation is not None:
        count = operation_for(actor, operation).total or 0
        return LettersDone(dry_run=False, count=count, outcomes={}, operation_id=operation)
    letters.check_discarded(actor, bots)
    return LettersDone(dry_run=False, count=discarded, outcomes={"discarded": discarded}, operation_id=None)


DryRun = Annotated[bool, Query(alias="dryRun", description="Only say how many that would be.")]


@router.get("")
@needs(Need.SIGNED_IN, Scope.BOTS_READ)
def list_letters(
    actor: SignedIn, asked: PageAsked, *, bot: OfBot = None, what: OfWhat = None, reason: OfReason = None,
    fingerprint: OfCause = None, replayed: AndReplayed = False,
) -> Page[LetterShown]:  # fmt: skip
    """What was given up, the latest first."""
    selection = Selection(what=what, reason=reason, fingerprint=fingerprint, replayed=replayed)
    after = asked.after(int)
    found = letters.letters_of(actor, selection, bot, after[0] if after else None, asked.limit + 1)
    shown = found[: asked.limit]
    following = (shown[-1].id,) if len(found) > len(shown) else None
    return Page.of(asked, [LetterShown.of(one) for one in shown], following)


@router.get("/groups")
@needs(Need.SIGNED_IN, Scope.BOTS_READ)
def list_groups(actor: SignedIn, *, bot: OfBot = None, what: OfWhat = None, reason: OfReason = None) -> Groups:
    """What was given up, counted by bot and cause, the latest first."""
    found = letters.groups_of(actor, Selection(what=what, reason=reason), bot)
    return Groups(items=[GroupShown.of(*one) for one in found])


@router.get("/{letter}")
@needs(Role.OPERATOR, Scope.BOTS_READ)
def show_letter(actor: SignedIn, letter: DeadLetterId, response: Response) -> LetterInFull:
    """One of them in full: with the traceback, and the update or the call.

    It is a message: an API key needs the scope `messages:read`, too.
    """
    in_scope(actor, Scope.MESSAGES_READ)
    found, bot = letters.letter_for(actor, letter, needs=Role.OPERATOR)
    version = 1 if found.replayed_at is None else 2
    return tagged(response, version, LetterInFull.of(found, bot.id))


@router.post("/replay")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
@creates(_again, status=202)
def replay_letters(
    actor: SignedIn, chosen: LettersChosen, response: Response, *, dry_run: DryRun = False
) -> LettersDone:
    """Try letters again: an update behind what waits in its chat, a send behind what waits in its lane.

    More than a hundred are replayed by an operation (202), at most twenty a second.
    """
    return _done(actor, chosen, response, "replay", dry_run=dry_run)


@router.post("/discard")
@needs(Role.MANAGER, Scope.BOTS_WRITE)
@creates(_again, status=202)
def discard_letters(
    actor: SignedIn, chosen: LettersChosen, response: Response, *, dry_run: DryRun = False
) -> LettersDone:
    """Throw letters away for good; more than a hundred by an operation (202)."""
    return _done(actor, chosen, response, "discard", dry_run=dry_run)


def _done(actor: SignedIn, chosen: LettersChosen, response: Response, act: Act, *, dry_run: bool) -> LettersDone:
    meant = Meant(tuple(chosen.ids), chosen.bot_id, chosen.fingerprint, chosen.what)
    if dry_run:
        return LettersDone(dry_run=True, count=letters.preview(actor, meant, act), outcomes={}, operation_id=None)
    done: Done = letters.do(actor, meant, act)
    if done.operation is not None:
        response.status_code = 202
        response.headers["Location"] = f"/api/v1/operations/op_{done.operation}"
    return LettersDone(dry_run=False, count=done.count, outcomes=done.outcomes, operation_id=done.operation)
