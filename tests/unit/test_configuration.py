import json
import subprocess
import sys
from typing import Any

import pytest

from botyard.bots.configuration.model import (
    UNSET,
    BotConfig,
    changed,
    check_keepable,
    checked,
    difference,
    flat,
    keep,
    stored_of,
    value_of,
)
from botyard.errors import InputError
from db.models import Bot
from tests.factories import TOKEN


def bot(settings: dict[str, Any], **columns: Any) -> Bot:
    return Bot(settings=settings, queue="slow", share=None, **columns)


def test_a_bot_that_nobody_configured_has_the_defaults() -> None:
    assert checked({}) == BotConfig()
    assert checked({}).stored == {}
    assert stored_of(bot({})) == {}


def test_what_somebody_typed_is_read_by_its_type() -> None:
    found = checked(
        {"answer_callbacks": "off", "admin_chat_id": "-100123", "share": "3", "features": {"loud": "on"}, "retry": True}
    )
    assert found.stored == {
        "answer_callbacks": False, "admin_chat_id": -100123, "share": 3, "features": {"loud": True}, "retry": True,
    }  # fmt: skip


@pytest.mark.parametrize("zero", [0, "0", None])
def test_a_share_of_zero_is_the_one_of_the_installation(zero: Any) -> None:
    assert checked({"share": zero}).stored == {}


@pytest.mark.parametrize(
    ("stored", "field", "words"),
    [
        ({"quueue": "slow"}, "quueue", "is not known here. Did you mean queue?"),
        ({"colour": 1}, "colour", "There are answer_callbacks, "),
        ({"queue": "fast"}, "queue", "'updates', 'slow' or 'auto'"),
        ({"share": 1001}, "share", "less than or equal to 1000"),
        ({"admin_chat_id": "@ann"}, "admin_chat_id", "valid integer"),
        ({"admin_chat_id": 2**60}, "admin_chat_id", "less than or equal"),
        ({"features": {"loud": "perhaps"}}, "features.loud", "valid boolean"),
        ({"features": {"a b": True}}, "features.a b.[key]", "match pattern"),
        ({"settings": {"x": object()}}, "settings.x", "JSON"),
        ({"settings": [1]}, "settings", "valid dictionary"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_possible(stored: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        checked(stored)
    assert refused.value.field == field
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [TOKEN, f"call {TOKEN} now", ["deep", {"er": TOKEN}], "postgresql://me:hunter2hunter2@db/x"],
)
def test_secrets_are_sent_to_where_they_belong_and_not_repeated(value: Any) -> None:
    with pytest.raises(InputError, match="bot secret set") as refused:
        check_keepable(checked({"settings": {"api": {"key": value}}}))
    assert refused.value.field == "settings.api.key"
    assert "AAE-" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "a\0b", "\ud800", {"a\0": 1}])
def test_what_the_database_cannot_keep_is_refused_before_it_is_asked(value: Any) -> None:
    with pytest.raises(InputError, match="cannot be kept"):
        check_keepable(checked({"settings": {"x": value}}))


def test_a_backslash_is_no_nul() -> None:
    check_keepable(checked({"settings": {"x": "\\u0000 and ä"}}))


def test_a_configuration_has_a_limit() -> None:
    with pytest.raises(InputError, match="16384"):
        check_keepable(checked({"settings": {"x": "y" * 17_000}}))


def test_a_change_touches_what_it_names_and_nothing_else() -> None:
    before = {"retry": False, "settings": {"greeting": "Hi", "menu": {"title": "Eat", "size": 3}}}
    after = changed(before, {"settings.menu.title": "Drink", "features.loud": True, "retry": UNSET})
    assert after == {"settings": {"greeting": "Hi", "menu": {"title": "Drink", "size": 3}}, "features": {"loud": True}}
    assert before["retry"] is False, "the one that was given is as it was"


def test_what_is_left_as_it_is_by_default_leaves_nothing_behind() -> None:
    assert changed({"settings": {"menu": {"title": "Eat"}}}, {"settings.menu.title": UNSET}) == {}
    assert changed({}, {"settings.menu.title": UNSET}) == {}


@pytest.mark.parametrize("name", ["", "settings.", "settings..x", "retry.x"])
def test_names_that_lead_nowhere_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        changed({"retry": True}, {name: 1})


def test_a_difference_names_what_was_and_what_is() -> None:
    before = {"retry": False, "settings": {"menu": {"title": "Eat"}, "greeting": "Hi"}}
    after = {"settings": {"menu": {"title": "Drink"}, "greeting": "Hi"}, "features": {"loud": True}}
    assert difference(before, after) == {
        "features.loud": (None, True),
        "retry": (False, None),
        "settings.menu.title": ("Eat", "Drink"),
    }
    assert difference(before, before) == {}


def test_a_flat_configuration_names_every_value() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": []}, "e": {}, "f": {"g": {}}}) == {"a.b.c": 1, "a.d": [], "f.g": {}}


def test_bookkeeping_survives_beside_the_configuration_and_is_no_part_of_it() -> None:
    row = bot({"slowed_at": 12.5, "retry": False, "queue": "updates"})
    assert stored_of(row) == {"retry": False, "queue": "updates"}
    keep(row, checked({"queue": "slow", "share": 4}))
    assert (row.settings, row.queue, row.share) == ({"slowed_at": 12.5, "queue": "slow"}, "slow", 4)
    keep(row, checked({"queue": "auto"}))
    assert (row.settings, row.queue, row.share) == ({"slowed_at": 12.5}, "slow", None), (
        "it stays until its pace says so"
    )


def test_all_settings_or_features_at_once_are_json() -> None:
    assert value_of("settings", '{"a": 1}') == {"a": 1}
    assert value_of("retry", "off") == "off"
    with pytest.raises(InputError, match="is no JSON"):
        value_of("features", "loud")


def test_configuring_loads_no_bot_and_opens_no_secret() -> None:
    room = "botyard.bots.configuration"
    code = f"import json, sys, {room}.configuring, {room}.service_secrets; print(json.dumps([*sys.modules]))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert loaded & {"botyard.vault.opening", "botyard.telegram.loading", "telegram", "bots", "tasks"} == set()
