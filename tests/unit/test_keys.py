import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from botyard.telegram.keys import chat_key, update_kind
from tests.factories import payloads

PERSON, GROUP, CHANNEL = "700000001", "-1001234567890", "-1009876543210"
BUSINESS = f"bbc-Abc_123:{PERSON}"
EXPECTED = {
    "message": PERSON,
    "edited_message": GROUP,
    "channel_post": CHANNEL,
    "edited_channel_post": CHANNEL,
    "business_connection": "0",
    "business_message": BUSINESS,
    "edited_business_message": BUSINESS,
    "deleted_business_messages": BUSINESS,
    "message_reaction": GROUP,
    "message_reaction_count": CHANNEL,
    "inline_query": PERSON,
    "chosen_inline_result": PERSON,
    "callback_query": GROUP,
    "shipping_query": PERSON,
    "pre_checkout_query": PERSON,
    "purchased_paid_media": PERSON,
    "poll": "p5000000000000000001",
    "poll_answer": PERSON,
    "my_chat_member": GROUP,
    "chat_member": GROUP,
    "chat_join_request": GROUP,
    "chat_boost": CHANNEL,
    "removed_chat_boost": CHANNEL,
    "managed_bot": PERSON,
    "guest_message": GROUP,
}
SAFE = re.compile(r"[A-Za-z0-9_:-]{1,160}")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# Names that the code looks for, filled with anything.
names = st.sampled_from(["id", "chat", "from", "user", "message", "business_connection_id", "poll"])
contents = st.recursive(
    json_values,
    lambda inner: st.dictionaries(names, inner, max_size=4) | st.dictionaries(names, json_values),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", EXPECTED)
def test_an_update_of_each_kind_goes_to_its_mailbox(kind: str) -> None:
    update = payloads()[kind]
    assert update_kind(update) == kind
    assert chat_key(update) == EXPECTED[kind]


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_payloads_are_what_python_telegram_bot_reads(kind: str) -> None:
    assert getattr(Update.de_json(payloads()[kind], None), kind) is not None


def test_every_kind_that_python_telegram_bot_knows_has_a_payload() -> None:
    assert set(EXPECTED) == set(payloads())
    assert set(Update.ALL_TYPES) <= set(EXPECTED), "a new kind: which order does it belong to?"


def test_a_callback_of_an_inline_message_belongs_to_the_person() -> None:
    update = payloads()["callback_query"]
    del update["callback_query"]["message"]
    assert chat_key(update) == PERSON


def test_a_private_chat_and_its_person_share_one_mailbox() -> None:
    found = payloads()
    assert chat_key(found["message"]) == chat_key(found["inline_query"])


def test_a_kind_of_tomorrow_goes_to_the_mailbox_of_what_cannot_be_placed() -> None:
    assert chat_key({"update_id": 1, "brand_new": {"chat": {"id": 5}}}) == "0"
    assert chat_key({"update_id": 1}) == "0"


def test_an_update_whose_id_stands_last_is_placed_too() -> None:
    assert chat_key({"message": {"chat": {"id": 5}}, "update_id": 1}) == "5"


@given(st.dictionaries(st.text(max_size=12), json_values, max_size=4))
def test_any_json_object_gets_a_short_safe_key(update: dict[str, Any]) -> None:
    assert SAFE.fullmatch(chat_key(update))


@given(st.sampled_from(sorted(EXPECTED)), contents)
def test_any_content_of_a_known_kind_gets_a_short_safe_key(kind: str, content: Any) -> None:
    # Integers of JSON are within 64 bits: what the webhook's parser lets through.
    key = chat_key({"update_id": 1, kind: content})
    assert SAFE.fullmatch(key) or key.lstrip("-").isdigit()


@given(st.text(max_size=300), st.sampled_from(["poll", "business_message"]))
def test_a_name_that_is_none_of_telegrams_gets_no_mailbox_of_its_own(name: str, kind: str) -> None:
    content = {"id": name, "business_connection_id": name, "chat": {"id": 5}}
    assert SAFE.fullmatch(chat_key({"update_id": 1, kind: content}))
