"""Calling addresses that customers name: the one client that may. See docs/endpoints.md."""

from botyard.outbound_http.client import Answer, Ask, OutboundHttp
from botyard.outbound_http.errors import Busy, OutboundError, Refused, TooLarge, Unanswered, Unreachable
from botyard.outbound_http.rules import Allowed, check_address

__all__ = [
    "Allowed",
    "Answer",
    "Ask",
    "Busy",
    "OutboundError",
    "OutboundHttp",
    "Refused",
    "TooLarge",
    "Unanswered",
    "Unreachable",
    "check_address",
]
