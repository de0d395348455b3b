"""What people do, a module per subject."""

from botyard.simulator.people.inline import CHAT_TYPES, START_PARAMETER, ask, choose, send_result
from botyard.simulator.people.membership import block, deactivate
from botyard.simulator.people.paying import choose_shipping, complete_payment, pay, payment_state, refund
from botyard.simulator.people.pressing import press
from botyard.simulator.people.sharing import album_contents, file_content, forwarded_content, plain_content
from botyard.simulator.people.tapping import newest_keyboard, tap
from botyard.simulator.people.voting import close_in_time, close_poll, vote
from botyard.simulator.people.writing import Sent, delete, edit, post, react, send, text_content

__all__ = [
    "CHAT_TYPES",
    "START_PARAMETER",
    "Sent",
    "album_contents",
    "ask",
    "block",
    "choose",
    "choose_shipping",
    "close_in_time",
    "close_poll",
    "complete_payment",
    "deactivate",
    "delete",
    "edit",
    "file_content",
    "forwarded_content",
    "newest_keyboard",
    "pay",
    "payment_state",
    "plain_content",
    "post",
    "press",
    "react",
    "refund",
    "send",
    "send_result",
    "tap",
    "text_content",
    "vote",
]
