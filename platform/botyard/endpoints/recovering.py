"""Sending again: one message, all that was missed since some time, or a test."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from botyard.accounts.access import NotFound
from botyard.endpoints.bodies import body
from botyard.endpoints.waking import DUE
from botyard.errors import InputError
from botyard.sync import get_sync
from db.claims import took_effect
from db.engine import get_sessions
from db.models import Endpoint, EndpointMessage

TEST: Final = "endpoint.test"
"""The type of a test."""
FURTHEST: Final = timedelta(days=28)
"""Less than messages are kept: one that was delivered must not be made anew."""
_LONG_STATEMENT: Final = "60s"
_AGAIN: Final = """
UPDATE endpoint_messages SET state = 'waiting', due = now(), ended_at = NULL, sending_until = NULL,
       attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END
 WHERE id = :id RETURNING id
"""
_ALL_AGAIN: Final = """
UPDATE endpoint_messages SET state = 'waiting', due = now(), ended_at = NULL, sending_until = NULL, attempts = 0
 WHERE endpoint_id = :id AND state IN ('failed', 'discarded') AND created_at >= :since
"""
# The unique key of messages keeps what has been one already from becoming one again.
_BACK: Final = """
UPDATE endpoints e SET after_xid = v.xid, after_event = v.id - 1
  FROM (SELECT coalesce(v.xid, 0) AS xid, v.id FROM events v JOIN endpoints o ON o.customer_id = v.customer_id
         WHERE o.id = :id AND v.at >= :since ORDER BY coalesce(v.xid, 0), v.id LIMIT 1) v
 WHERE e.id = :id AND (v.xid, v.id - 1) < (e.after_xid, e.after_event)
"""


def send_test(endpoint_id: int) -> EndpointMessage:
    """Send a test, also to one that takes no such type.

    Raises:
        InputError: the endpoint is switched off.
        NotFound: it is gone.
    """
    now = datetime.now(UTC)
    with get_sessions("system").begin() as session:
        endpoint = _active(session, endpoint_id)
        told = {"endpointId": f"end_{endpoint_id}", "customerId": f"cus_{endpoint.customer_id}"}
        message = EndpointMessage(
            endpoint_id=endpoint_id, customer_id=endpoint.customer_id, type=TEST, body=body(TEST, now, told)
        )
        session.add(message)
        session.flush()
        took_effect(session, message=message.id)
        session.refresh(message)
    _tell(endpoint_id)
    return message


def resend(message_id: int) -> EndpointMessage:
    """Send a message again, under its id, whatever became of it.

    Raises:
        InputError: its endpoint is switched off.
        NotFound: it is gone.
    """
    with get_sessions("system").begin() as session:
        message = session.get(EndpointMessage, message_id)
        if message is None:
            raise NotFound
        _active(session, message.endpoint_id)
        session.execute(text(_AGAIN), {"id": message_id})
        took_effect(session, message=message_id)
        session.refresh(message)
    _tell(message.endpoint_id)
    return message


def recover(endpoint_id: int, since: datetime) -> int:
    """Send all that has not been delivered since some time: what failed, and what happened while it was switched off.

    Returns:
        how many messages are sent again; those that are made of events come on top.

    Raises:
        InputError: that time is too long ago, or the endpoint is switched off.
        NotFound: it is gone.
    """
    if since < datetime.now(UTC) - FURTHEST:
        raise InputError("since", f"is more than {FURTHEST.days} days ago.", "What is older is not kept.")
    with get_sessions("system").begin() as session:
        _active(session, endpoint_id)
        session.execute(text(f"SET LOCAL statement_timeout = '{_LONG_STATEMENT}'"))
        wanted = {"id": endpoint_id, "since": since}
        again = session.connection().execute(text(_ALL_AGAIN), wanted).rowcount
        session.execute(text(_BACK), wanted)
        took_effect(session, endpoint=endpoint_id, again=again)
    _tell(endpoint_id)
    return again


def _active(session: Session, endpoint_id: int) -> Endpoint:
    # Before its messages: whoever changes or removes it takes the locks in this order, too.
    endpoint = session.get(Endpoint, endpoint_id, with_for_update={"key_share": True})
    if endpoint is None:
        raise NotFound
    if endpoint.status != "active":
        raise InputError("status", "is disabled: nothing is sent there.", "Switch it on first.")
    return endpoint


def _tell(endpoint_id: int) -> None:
    get_sync().publish(DUE, {"id": endpoint_id})
