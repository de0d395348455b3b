"""Each answer of the Bot API, met by the whole system: what people see, and what is kept of it."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.commands import botyard
from tests.e2e.load import KIND
from tests.e2e.yard import Yard, wait_until

TOKEN = "4150000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
pytestmark = pytest.mark.timeout(120)
_people = count(6_300_000_000)


class Chats:
    """One bot, people who write to it, and what it answers them."""

    def __init__(self, yard: Yard, bot: int) -> None:
        self.yard, self.simulator, self.bot = yard, yard.simulator, bot

    def person(self) -> int:
        return next(_people)

    def write(self, person: int, text: str) -> None:
        self.simulator.post("/sim/batch", bot_id=self.bot, messages=[{"person_id": person, "text": text}])

    def fault(self, fault: str, **what: Any) -> None:
        self.simulator.post("/sim/faults", fault=fault, bot_id=self.bot, **what)

    def calls(self, method: str = "sendMessage") -> list[dict[str, Any]]:
        events = self.simulator.history()
        return [
            one for one in events if one["kind"] == "call" and one["method"] == method and one["bot_id"] == self.bot
        ]

    def heard(self, chat: int) -> list[str]:
        """The texts that arrived in a chat, in their order."""
        return [one["params"]["text"] for one in self.calls() if one["ok"] and int(one["params"]["chat_id"]) == chat]

    def wait_for(self, chat: int, *texts: str, seconds: float = 30) -> None:
        wait_until(lambda: self.heard(chat) == list(texts), seconds, f"{texts} arrive; there is {self.heard(chat)}")

    def command(self, *words: str) -> Any:
        return json.loads(botyard(self.yard.environment, *words, "--json").stdout)


@pytest.fixture(scope="module")
def counting(yard: Yard) -> Chats:
    return Chats(yard, yard.add_bot(TOKEN, KIND, "updates", "answers_bot"))


def test_a_429_holds_its_chat_and_no_other(counting: Chats) -> None:
    refused, other = counting.person(), counting.person()
    counting.fault("429", chat_id=refused, retry_after=20, hold=True, count=1)
    counting.write(refused, "first")
    wait_until(lambda: any(one["error_code"] == 429 for one in counting.calls()), 30, "it is refused")
    counting.write(refused, "second")
    counting.write(other, "hello")
    counting.wait_for(other, "1 hello", seconds=6)
    assert counting.heard(refused) == []
    closed = counting.command("lanes", "answers_bot")["closed"]
    assert [one["chat"] for one in closed] == [str(refused)]
    counting.wait_for(refused, "1 first", "2 second", seconds=60)


def test_who_blocked_the_bot_is_left_alone_until_they_come_back(counting: Chats) -> None:
    person = counting.person()
    counting.write(person, "one")
    counting.wait_for(person, "1 one")
    counting.fault("block", chat_id=person)
    counting.write(person, "two")
    wait_until(lambda: any(one["error_code"] == 403 for one in counting.calls()), 30, "it is refused")
    counting.simulator.post("/sim/block", bot_id=counting.bot, person_id=person, blocked=False)
    counting.write(person, "three")
    counting.wait_for(person, "1 one", "3 three")


def test_a_group_that_becomes_a_supergroup_goes_on_where_it_was(counting: Chats) -> None:
    anna = counting.simulator.post("/sim/people", first_name="Anna")["id"]
    group = counting.simulator.post("/sim/groups", title="G", type="group", creator_id=anna, bot_ids=[counting.bot])[
        "id"
    ]

    def write(chat: int, text: str) -> None:
        counting.simulator.post("/sim/send", bot_id=counting.bot, person_id=anna, chat_id=chat, text=text)

    before = len(counting.heard(group))
    write(group, "/one")
    wait_until(
        lambda: any(text.endswith(" /one") for text in counting.heard(group)[before:]), 30, "the group is answered"
    )
    counting.fault("migrate", chat_id=group)
    write(group, "/two")
    moved = [one for one in counting.calls() if not one["ok"] and int(one["params"]["chat_id"]) == group]

    def everywhere() -> list[tuple[int, str]]:
        return [(int(one["params"]["chat_id"]), one["params"]["text"]) for one in counting.calls() if one["ok"]]

    wait_until(lambda: any(text.endswith(" /two") for _, text in everywhere()), 30, f"the send goes on: {moved}")
    (supergroup,) = {chat for chat, text in everywhere() if text.endswith(" /two")}
    assert supergroup != group
    (last,) = [int(text.split()[0]) for chat, text in everywhere() if text.endswith(" /two")]
    write(supergroup, "/three")
    wait_until(lambda: any(text.endswith(" /three") for text in counting.heard(supergroup)), 30, "it is answered")
    (after,) = [int(text.split()[0]) for text in counting.heard(supergroup) if text.endswith(" /three")]
    assert after > last, "what the bot remembers came along"


@pytest.mark.parametrize("fault", ["500", "html", "reset"])
def test_an_outage_delays_and_loses_nothing_and_nothing_is_given_up(counting: Chats, fault: str) -> None:
    person = counting.person()
    counting.fault(fault, seconds=4)
    for number in range(3):
        counting.write(person, f"m{number}")
    counting.wait_for(person, "1 m0", "2 m1", "3 m2", seconds=60)
    assert counting.command("dead", "list", "--bot", "answers_bot") == []


def test_a_connection_that_breaks_after_the_call_repeats_at_most_what_was_under_way(counting: Chats) -> None:
    person = counting.person()
    counting.fault("cut", chat_id=person, methods=["sendMessage"], count=1)
    counting.write(person, "hello")
    wait_until(lambda: len(counting.heard(person)) == 2, 30, "it is sent again")
    assert counting.heard(person) == ["1 hello"] * 2
    assert counting.yard.metric("bot_sends_uncertain_total") >= 1


def test_the_way_of_an_answer_can_be_told(counting: Chats) -> None:
    person = counting.person()
    counting.write(person, "trace me")
    counting.wait_for(person, "1 trace me")
    (call,) = [one for one in counting.calls() if one["params"]["text"] == "1 trace me"]

    def told() -> list[str]:
        found = counting.command("trace", str(call["message_id"]), "--bot", "answers_bot")
        return [step["what"] for one in found for step in one["steps"] if one["chat"] == str(person)]

    wait_until(lambda: "sendMessage (reply): sent" in told(), 10, "the whole way is known")
    assert told()[0] == "taken in"


def test_a_press_that_its_bot_forgets_is_answered(yard: Yard) -> None:
    bot = yard.add_bot(
        "4150000002:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM", "tests.e2e.bots:forgetful", "updates", "forgetful_bot"
    )
    chats, person = Chats(yard, bot), next(_people)
    chats.write(person, "hi")
    chats.wait_for(person, "Well?")
    (asked,) = chats.calls()
    chats.simulator.post("/sim/press", bot_id=bot, person_id=person, message_id=asked["message_id"], data="x")
    wait_until(lambda: [one["ok"] for one in chats.calls("answerCallbackQuery")] == [True], 10, "the press is answered")


def _revoke(chats: Chats, token: str) -> Callable[[], bool]:
    chats.simulator.post("/sim/bots", token=token, username="answers_bot", name="answers_bot")
    return lambda: bool(chats.command("bot", "show", "answers_bot")["status"] == "error")


def test_a_revoked_token_stops_the_bot_and_a_new_one_lets_it_go_on(counting: Chats) -> None:
    person = counting.person()
    fresh = TOKEN.replace("AAE", "AAF")
    stopped = _revoke(counting, fresh)
    counting.write(person, "hello")
    wait_until(stopped, 40, "the bot is stopped")
    assert "401" in counting.command("bot", "show", "answers_bot")["status_reason"]
    assert counting.heard(person) == []
    counting.yard.add_bot(fresh, KIND, "updates", "answers_bot")
    counting.wait_for(person, "1 hello")
