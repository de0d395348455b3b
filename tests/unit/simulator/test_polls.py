from typing import Any

import pytest

from botyard.simulator.simulator import Simulator
from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape

OPTIONS = ["Red", {"text": "*Blue*", "text_parse_mode": "MarkdownV2"}, "Green"]
REGULAR: dict[str, Any] = {"question": "Which?", "options": OPTIONS}
QUIZ: dict[str, Any] = REGULAR | {
    "type": "quiz",
    "correct_option_ids": [1],
    "explanation": "_Because_",
    "explanation_parse_mode": "HTML",
}


@pytest.fixture(autouse=True)
def opened(stage: Stage) -> None:
    assert stage.private


def ask(stage: Stage, **params: Any) -> Any:
    message = stage.call("sendPoll", **({"chat_id": stage.person.id} | REGULAR | params))
    assert_shape(message, "Message")
    return message


def vote(stage: Stage, message: Any, *options: int) -> Any:
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id, "chat_id": message["chat"]["id"]}
    return order(stage, "/sim/vote", **place, message_id=message["message_id"], options=list(options))


def test_a_poll_counts_votes_and_tells_its_bot_who_voted(stage: Stage) -> None:
    message = ask(stage, is_anonymous=False)
    assert message["poll"]["options"][1]["text_entities"][0]["type"] == "bold"
    assert vote(stage, message, 1)["update_id"] in stage.bot.pending
    (poll,), (answer,) = updates(stage, "poll"), updates(stage, "poll_answer")
    assert [option["voter_count"] for option in poll["options"]] == [0, 1, 0]
    assert poll["total_voter_count"] == 1
    assert (answer["option_ids"], answer["user"]["id"]) == ([1], stage.person.id)
    assert answer["option_persistent_ids"] == [poll["options"][1]["persistent_id"]]
    vote(stage, message)
    assert updates(stage, "poll_answer")[-1]["option_ids"] == []
    assert updates(stage, "poll")[-1]["total_voter_count"] == 0


def test_an_anonymous_poll_keeps_voters_to_itself(stage: Stage) -> None:
    vote(stage, ask(stage), 0)
    assert len(updates(stage, "poll")) == 1
    assert not updates(stage, "poll_answer")


def test_several_answers_need_a_poll_that_allows_them_and_a_quiz_takes_one_vote_for_good(stage: Stage) -> None:
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id}
    one, many = ask(stage), ask(stage, allows_multiple_answers=True)
    assert "one answer only" in told(stage, "/sim/vote", **place, message_id=one["message_id"], options=[0, 1])
    vote(stage, many, 2, 0)
    quiz = ask(stage, **QUIZ)
    vote(stage, quiz, 0)
    assert "no second vote" in told(stage, "/sim/vote", **place, message_id=quiz["message_id"], options=[1])
    assert "from 0 to 2" in told(stage, "/sim/vote", **place, message_id=many["message_id"], options=[3])


def test_a_stopped_poll_is_closed_and_told_of_once(stage: Stage) -> None:
    message = ask(stage)
    vote(stage, message, 0)
    params = {"chat_id": stage.person.id, "message_id": message["message_id"]}
    stopped = stage.call("stopPoll", **params)
    assert_shape(stopped, "Poll")
    assert (stopped["is_closed"], stopped["total_voter_count"]) == (True, 1)
    assert [poll["is_closed"] for poll in updates(stage, "poll")] == [False, True]
    assert stage.refusal("stopPoll", **params) == "Bad Request: poll has already been closed"
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id}
    assert "closed" in told(stage, "/sim/vote", **place, message_id=message["message_id"], options=[0])


def test_a_poll_closes_by_itself_when_the_clock_says_so(stage: Stage) -> None:
    message = ask(stage, open_period=60)
    assert message["poll"]["close_date"] == int(stage.clock()) + 60
    order(stage, "/sim/clock", advance=59)
    assert not updates(stage, "poll")
    order(stage, "/sim/clock", advance=1)
    (poll,) = updates(stage, "poll")
    assert poll["is_closed"]


def test_only_its_author_sees_the_answer_of_a_quiz_before_it_is_over(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id, other.id])
    message = ask(stage, **QUIZ, chat_id=group.id)
    assert message["poll"]["correct_option_ids"] == [1]
    inside = group.messages[message["message_id"]]
    assert "correct_option_ids" not in stage.world.show(group, inside, viewer=other.id)["poll"]
    assert "explanation" not in stage.world.show(group, inside, viewer=other.id)["poll"]
    stage.call("stopPoll", chat_id=group.id, message_id=message["message_id"])
    assert stage.world.show(group, inside, viewer=other.id)["poll"]["correct_option_ids"] == [1]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"question": " "}, "poll question must be non-empty"),
        ({"question": "x" * 301}, "poll question length must not exceed 300"),
        ({"options": []}, "poll must have at least 1 option"),
        ({"options": ["x"] * 13}, "poll can't have more than 12 options"),
        ({"options": ["x", ""]}, "poll options must be non-empty"),
        ({"options": ["x", "y" * 101]}, "poll options length must not exceed 100"),
        ({"options": [5, "x"]}, "expected an option to be of type String"),
        ({"type": "vote"}, "unsupported poll type specified"),
        ({"type": "quiz"}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": [3]}, "wrong correct option ID specified"),
        ({"type": "quiz", "correct_option_ids": ["1"]}, "correct option identifier must be of type Number"),
        ({"open_period": 4}, "POLL_CLOSE_DATE_INVALID"),
    ],
)
def test_a_wrong_poll_is_refused(stage: Stage, params: dict[str, Any], words: str) -> None:
    stage.write()
    assert stage.refusal("sendPoll", **({"chat_id": stage.person.id} | REGULAR | params)) == f"Bad Request: {words}"
    assert not stage.world.polls


def test_only_a_poll_of_ones_own_can_be_stopped(stage: Stage) -> None:
    text, place = stage.say(), {"chat_id": stage.person.id}
    assert stage.refusal("stopPoll", **place, message_id=text) == "Bad Request: message is not a poll"
    assert stage.refusal("stopPoll", **place, message_id=99) == "Bad Request: message with poll to stop not found"


async def test_a_poll_closes_in_time_after_a_restart(stage: Stage) -> None:
    ask(stage, open_period=60)
    world = World(stage.clock)
    restore(world, dump(stage.world))
    simulator = Simulator(world)
    simulator.start()
    world.clock.set(offset=61)
    world.timers.run()
    assert [poll.shown["is_closed"] for poll in world.polls.values()] == [True]
    simulator.stop()


def test_a_poll_looks_new_wherever_it_stands_when_somebody_votes_and_when_it_closes(stage: Stage) -> None:
    message = ask(stage, open_period=60)
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    source = {"from_chat_id": stage.person.id, "message_id": message["message_id"]}
    stage.call("forwardMessage", chat_id=group.id, **source)
    world = World(stage.clock)
    restore(world, dump(stage.world))
    assert world.polls[message["poll"]["id"]].places == [(stage.bot.id, stage.person.id), (0, group.id)]
    before = group.version
    vote(stage, message, 0)
    assert group.version == before + 1
    both = (stage.private.version, group.version)
    order(stage, "/sim/clock", advance=60)
    assert (stage.private.version, group.version) == (both[0] + 1, both[1] + 1)


def test_a_poll_is_whole_in_a_message_that_a_person_forwards_and_in_a_reply_from_elsewhere(stage: Stage) -> None:
    message = ask(stage)
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id}
    sent = order(stage, "/sim/send", **place, forward={"message_id": message["message_id"]})
    (forwarded,) = updates(stage, "message")
    assert forwarded["poll"] == message["poll"]
    order(stage, "/sim/vote", **place, message_id=sent["message_id"], options=[1])
    assert updates(stage, "poll")[-1]["total_voter_count"] == 1
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    reply = {"chat_id": stage.person.id, "message_id": message["message_id"]}
    answer = stage.call("sendMessage", chat_id=group.id, text="that one", reply_parameters=reply)
    assert answer["external_reply"]["poll"]["question"] == "Which?"
