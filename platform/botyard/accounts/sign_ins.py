"""Signing in with a password, and staying so: sign-ins and their refresh tokens. See docs/access.md.

Each refresh token is good for one use, and the answer to it has the next one. Whoever shows an earlier one has it from
somebody else, or somebody else has theirs: the whole sign-in ends. The next token is made of the one that is shown, by
a key that only we have. So who repeats a request whose answer was lost, or sends two at once, gets the same next token
each time, and nothing forks.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from botyard.accounts import passwords
from botyard.accounts.access import NotFound, NotSignedIn
from botyard.accounts.bearer import Refresh, digest_of, fresh_family, fresh_part, is_same, parse_refresh
from botyard.accounts.signed_tokens import Claims, signed_tokens
from botyard.accounts.tries import one_try
from botyard.vault.keys import Key, keyring
from db.engine import get_sessions, storable
from db.models import Person, SignIn

LASTS: Final = timedelta(days=30)
_ANSWER_LOST: Final = timedelta(seconds=10)
"""For so long a refresh token may be shown again."""
_PURPOSE: Final = "refresh tokens"
_LONGEST_DEVICE: Final = 200
_DIGEST_BYTES: Final = 32

log = structlog.get_logger(__name__)


class WrongPassword(NotSignedIn):
    """There is nobody of that name with that password: which of these is wrong is not told."""

    def __str__(self) -> str:
        return "The name or the password is wrong."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What somebody is given who has signed in; it is nowhere else.

    Args:
        person_id: who.
        sign_in_id: the sign-in.
        access: their access token.
        refresh: their refresh token.
        expires_at: when they must sign in anew, whatever they do.
    """

    person_id: int
    sign_in_id: int
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime


def sign_in(name: str, password: str, *, address: str, device: str | None) -> SignedIn:
    """Sign somebody in.

    Args:
        name: what they call themselves.
        password: what they give as their password.
        address: from where.
        device: what their browser or program calls itself.

    Raises:
        WrongPassword: there is nobody of that name with that password.
        TooManyTries: it was tried too often; nothing was compared.
        Busy: too many people sign in at this moment.
    """
    called = storable(name).strip()
    with one_try(called, address) as tried:
        with get_sessions("system")() as session:
            person = session.scalars(select(Person).where(Person.name == called)).first()
        stored = None if person is None else person.password_hash
        if not passwords.is_password(stored, password) or person is None or stored is None:
            tried.wrong = True
            log.warning("sign_in_refused", address=address)
            raise WrongPassword
        fresh = passwords.hash_password(passwords.written(password)) if passwords.is_outdated(stored) else None
        with get_sessions("system").begin() as session:
            begun = _begin(session, person.id, stored, fresh, device)
        tried.right = True
    log.info("signed_in", person=begun.person_id, sign_in=begun.sign_in_id)
    return begun


def begin_sign_in(session: Session, person_id: int, device: str | None) -> SignedIn:
    """Sign somebody in, in the caller's transaction: they have proved in another way who they are."""
    now = datetime.now(UTC)
    family, part = fresh_family(), fresh_part()
    row = SignIn(
        person_id=person_id, digest=_digests(family, part), expires_at=now + LASTS, device=_device(device),
        refreshed_at=now,
    )  # fmt: skip
    session.execute(delete(SignIn).where(SignIn.person_id == person_id, SignIn.expires_at < now))
    session.add(row)
    session.flush()
    return _given(row, Refresh(row.id, family, part))


def refresh(token: str) -> SignedIn:
    """The next tokens of a sign-in, for its last refresh token.

    Raises:
        NotSignedIn: it is none, or the sign-in is over. If it is an earlier one, the sign-in ends with this.
    """
    shown = parse_refresh(token)
    if shown is None:
        raise NotSignedIn
    with get_sessions("system").begin() as session:
        row = session.get(SignIn, shown.sign_in_id, with_for_update=True)
        now = session.scalars(select(func.clock_timestamp())).one()
        if row is None or row.revoked_at is not None or row.expires_at <= now or not _is_family(row, shown.family):
            raise NotSignedIn
        following = _following(row, shown, now)
        if following is not None:
            return _given(row, following)
        row.revoked_at, row.revoked_reason = now, "an earlier refresh token was used again"
        log.warning("refresh_token_used_again", person=row.person_id, sign_in=row.id)
    raise NotSignedIn


def sign_ins_of(person_id: int) -> list[SignIn]:
    """Where somebody is signed in, the latest first."""
    now = datetime.now(UTC)
    query = select(SignIn).where(
        SignIn.person_id == person_id, SignIn.revoked_at.is_(None), SignIn.expires_at > now
    ).order_by(SignIn.id.desc())  # fmt: skip
    with get_sessions("system")() as session:
        return list(session.scalars(query))


def end_sign_in(person_id: int, sign_in_id: int) -> None:
    """Sign somebody out; one that is over already stays so.

    Raises:
        NotFound: there is no such sign-in of theirs.
    """
    with get_sessions("system").begin() as session:
        row = session.get(SignIn, sign_in_id, with_for_update=True)
        if row is None or row.person_id != person_id:
            raise NotFound
        _end(row, "signed out")


def end_all(session: Session, person_id: int, reason: str) -> None:
    """Sign somebody out everywhere, in the caller's transaction.

    Args:
        session: of the system role.
        person_id: whom; the caller has locked their row, so that they cannot sign in meanwhile.
        reason: why, in a few words.
    """
    query = select(SignIn).where(SignIn.person_id == person_id, SignIn.revoked_at.is_(None)).with_for_update()
    for row in session.scalars(query):
        _end(row, reason)


def _begin(session: Session, person_id: int, stored: str, fresh: str | None, device: str | None) -> SignedIn:
    # Locked: whoever changes the password at this moment ends all sign-ins, and must not miss this one.
    person = session.get(Person, person_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None or not is_same(person.password_hash or "", stored):
        raise WrongPassword
    if fresh is not None:
        person.password_hash = fresh
    return begin_sign_in(session, person_id, device)


def _end(row: SignIn, reason: str) -> None:
    if row.revoked_at is None:
        row.revoked_at, row.revoked_reason = datetime.now(UTC), reason


def _following(row: SignIn, shown: Refresh, now: datetime) -> Refresh | None:
    """The token behind the one that is shown; none if that was used already, and not just now."""
    digest = digest_of(shown.part)
    if is_same(row.digest[_DIGEST_BYTES:], digest):
        following = _next(keyring().at_hand()[0], shown)
        row.previous_digest, row.digest, row.refreshed_at = digest, _digests(shown.family, following.part), now
        return following
    if row.previous_digest is None or not is_same(row.previous_digest, digest):
        return None
    if now - row.refreshed_at > _ANSWER_LOST:
        return None
    given = (_next(key, shown) for key in keyring().at_hand())
    return next((one for one in given if is_same(row.digest, _digests(one.family, one.part))), None)


def _next(key: Key, shown: Refresh) -> Refresh:
    made = hmac.digest(key.derived(_PURPOSE), str(shown).encode(), "sha256")
    return Refresh(shown.sign_in_id, shown.family, urlsafe_b64encode(made).rstrip(b"=").decode())


def _digests(family: str, part: str) -> bytes:
    """What is kept of a token: of what it shares with the others, then of what it has for itself."""
    return digest_of(family) + digest_of(part)


def _is_family(row: SignIn, family: str) -> bool:
    return is_same(row.digest[:_DIGEST_BYTES], digest_of(family))


def _given(row: SignIn, following: Refresh) -> SignedIn:
    access = signed_tokens().issue(Claims(row.person_id, row.id))
    return SignedIn(row.person_id, row.id, access, str(following), row.expires_at)


def _device(device: str | None) -> str | None:
    return storable(device)[:_LONGEST_DEVICE] if device else None
