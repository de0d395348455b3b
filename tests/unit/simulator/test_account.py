from typing import Any

import pytest

from botyard.simulator.methods.call import Described
from tests.unit.simulator.conftest import Stage

HOOK = "http://127.0.0.1:9/hook"


def test_a_method_that_does_not_exist_differs_from_one_that_is_missing_here(stage: Stage) -> None:
    assert stage.refusal("makeCoffee") == "Not Found"
    assert stage.refusal("postStory") == "Not Found: the simulator does not have this method yet"


def test_method_names_are_read_in_any_case(stage: Stage) -> None:
    assert stage.call("GETME")["username"] == "demo_bot"


def test_commands_are_kept_by_scope_and_language(stage: Stage) -> None:
    commands = [{"command": "help", "description": "Helps"}]
    assert stage.call("setMyCommands", commands=commands) is True
    assert stage.call("getMyCommands") == commands
    assert stage.call("getMyCommands", language_code="de") == []
    assert stage.call("deleteMyCommands") is True
    assert stage.call("getMyCommands") == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"command": "Help", "description": "Helps"}, "BOT_COMMAND_INVALID"),
        ({"command": "x" * 33, "description": "Helps"}, "BOT_COMMAND_INVALID"),
        ({"command": "help", "description": ""}, "BOT_COMMAND_DESCRIPTION_INVALID"),
        ("help", "can't parse BotCommand: expected an Object"),
    ],
)
def test_a_wrong_command_is_refused(stage: Stage, command: Any, words: str) -> None:
    assert stage.refusal("setMyCommands", commands=[command]) == f"Bad Request: {words}"


def test_a_chat_is_described_in_full(stage: Stage) -> None:
    stage.write()
    shown = stage.call("getChat", chat_id=stage.person.id)
    assert shown["type"] == "private"
    assert shown["first_name"] == "Ann"
    assert {"accent_color_id", "max_reaction_count", "accepted_gift_types"} <= set(shown)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/hook", "bad webhook: An HTTPS URL must be provided for webhook"),
        ("ftp://example.org/", "bad webhook: invalid webhook URL specified"),
        ("https://", "bad webhook: invalid webhook URL specified"),
        ("https://example.org:99999/", "bad webhook: invalid webhook URL specified"),
    ],
)
def test_a_wrong_webhook_is_refused(stage: Stage, url: str, words: str) -> None:
    assert stage.refusal("setWebhook", url=url) == f"Bad Request: {words}"


def test_a_secret_has_only_simple_characters(stage: Stage) -> None:
    words = stage.refusal("setWebhook", url="https://example.org/", secret_token="with space")
    assert words == "Bad Request: secret token contains unallowed characters"


def test_deleting_a_webhook_that_is_not_set_changes_nothing(stage: Stage) -> None:
    answer = stage.call("deleteWebhook")
    assert isinstance(answer, Described)
    assert (answer.result, answer.description) == (True, "Webhook is already deleted")


def test_pending_updates_are_counted_and_dropped_on_request(stage: Stage) -> None:
    stage.write()
    stage.write()
    assert stage.call("getWebhookInfo")["pending_update_count"] == 2
    stage.call("deleteWebhook", drop_pending_updates=True)
    assert stage.call("getWebhookInfo")["pending_update_count"] == 0


async def test_a_webhook_that_changes_nothing_is_already_set(stage: Stage) -> None:
    assert stage.call("setWebhook", url=HOOK, max_connections=5).description == "Webhook was set"
    assert stage.call("setWebhook", url=HOOK, max_connections=5).description == "Webhook is already set"
    assert stage.call("setWebhook", url=HOOK, max_connections=6).description == "Webhook was set"
    assert stage.call("getWebhookInfo")["max_connections"] == 6
    stage.simulator.stop()
