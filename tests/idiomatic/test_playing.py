"""Playing: what is waited for, what fails and in which words, and what two runs have in common."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from botyard.dialogues import Act, Control, DialogueError, DialogueFailed, Player, Transcript, read_dialogue
from botyard.dialogues.errors import OrderRefused

ANN = 900_000_001
Calls = list[tuple[str, dict[str, Any]]]
Answer = Callable[[dict[str, Any]], Iterable[tuple[str, dict[str, Any]]]]


def echo(update: dict[str, Any]) -> Calls:
    if "callback_query" in update:
        return [("answerCallbackQuery", {"callback_query_id": update["callback_query"]["id"], "text": "Pressed"})]
    if "message" not in update:
        return []
    message = update["message"]
    said = {"chat_id": message["chat"]["id"], "text": f"*{message['text']}*", "parse_mode": "Markdown"}
    markup = {"inline_keyboard": [[{"text": "Go", "callback_data": "x"}, {"text": "Home", "url": "https://e.org/"}]]}
    return [("sendMessage", said | {"reply_markup": markup})]


class Place:
    """A simulator, and a bot of a few lines in it, which answers by the Bot API without any library."""

    def __init__(self, control: Control, folder: Path, number: int) -> None:
        self.control = control
        self.path = folder / "mybot.yml"
        self.bot = 4_300_000_900 + number
        self.token = f"{self.bot}:AAAA-plays-in-tests"

    def play(
        self,
        steps: str,
        answer: Answer = echo,
        restart: Callable[[], None] = lambda: None,
        seconds: int = 10,
        patience: float = 1.0,
    ) -> Transcript:
        self.path.write_text(f"seconds: {seconds}\nsteps:\n{steps}", encoding="utf-8")
        player = Player(read_dialogue(self.path), self.control, self.token, patience=patience)
        player.prepare()
        stopping = threading.Event()
        thread = threading.Thread(target=self._answer, args=(answer, stopping))
        thread.start()
        try:
            return player.play(restart)
        finally:
            stopping.set()
            thread.join()

    def failure(self, steps: str, answer: Answer = echo) -> DialogueFailed:
        with pytest.raises(DialogueFailed) as caught:
            # What does not come is waited for in vain.
            self.play(steps, answer, seconds=3)
        return caught.value

    def _answer(self, answer: Answer, stopping: threading.Event) -> None:
        offset = 0
        with Control(self.control.url) as own:
            while not stopping.is_set():
                for update in own.call(self.token, "getUpdates", offset=offset, timeout=0):
                    offset = update["update_id"] + 1
                    # Confirmed before it is answered, as by python-telegram-bot.
                    own.call(self.token, "getUpdates", offset=offset, timeout=0)
                    for method, params in answer(update):
                        own.call(self.token, method, **params)
                stopping.wait(0.02)


_numbers = itertools.count()


@pytest.fixture
def place(control: Control, tmp_path: Path) -> Place:
    """A bot that has never been talked to."""
    return Place(control, tmp_path, next(_numbers))


def test_a_transcript_has_what_people_see_and_no_ids_or_moments(place: Place) -> None:
    transcript = place.play("  - say: hi\n  - expect: hi\n")
    assert [str(act) for act in transcript.acts["Ann"]] == [
        (
            'message bot 1 buttons=[[{"text": "Go"}, {"text": "Home", "url": "https://e.org/"}]] '
            'entities=[{"length": 2, "offset": 0, "type": "bold"}] text="hi" what="text"'
        )
    ]


def test_a_failing_step_says_where_what_was_expected_what_came_and_what_was_before(
    place: Place,
) -> None:
    error = place.failure("  - say: hi\n  - expect: hello\n")
    assert error.where == f"{place.path}:4: step 2"
    assert error.expected == "a message: text 'hello'"
    assert error.came.endswith("(the text is another)")
    assert "3: say: hi" in error.story
    assert "Ann < message bot 1" in str(error)


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("{pattern: h.*o}", "the pattern does not fit"),
        ("{contains: [h, x]}", "the text has no 'x'"),
        ("{bold: h}", "bold is ['hi']"),
        ("{buttons: [Go]}", "the buttons are [['Go', 'Home']]"),
        ("{keyboard: removed}", "the keyboard is []"),
        ("{kind: photo}", "it is a text"),
        ("{file: a.txt}", "the files are []"),
        ("{options: [a]}", "the options are []"),
        ("{reply_to: hi}", "it answers another message, or none"),
    ],
)
def test_each_field_of_a_message_is_looked_at(place: Place, expected: str, problem: str) -> None:
    assert problem in place.failure(f"  - say: hi\n  - expect: {expected}\n").came


def test_a_message_that_does_not_come_fails_at_its_deadline(place: Place) -> None:
    error = place.failure("  - say: hi\n  - expect: hi\n  - expect: more\n    within: 0.2\n")
    assert (error.came, error.step) == ("nothing in time", "expect: {'text': 'more'}, within: 0.2")


def test_what_telegram_refuses_is_named_when_nothing_comes(place: Place) -> None:
    def wrong(_: dict[str, Any]) -> Calls:
        with Control(place.control.url) as own, pytest.raises(OrderRefused):
            own.call(place.token, "sendMessage", chat_id=12345, text="hi")
        return []

    error = place.failure("  - say: hi\n  - expect: hi\n", wrong)
    assert error.came == "nothing in time; Telegram refused sendMessage: Bad Request: chat not found"


def test_silence_is_broken_by_a_message(place: Place) -> None:
    error = place.failure("  - say: hi\n  - silence: 5\n")
    assert error.expected == "nothing in Ann for 5 s"


def test_a_message_that_no_step_expects_fails_the_dialogue_at_its_end(place: Place) -> None:
    assert place.failure("  - say: hi\n").expected == "nothing more in Ann"


def test_an_answer_is_that_of_the_last_press(place: Place) -> None:
    steps = "  - say: hi\n  - expect: hi\n  - press: Go\n  - expect_answer: {}\n"
    transcript = place.play(steps.format("Pressed"))
    assert [str(act) for act in transcript.acts["answers"]] == ['answer press 1 text="Pressed"']
    assert "text is 'Pressed'" in place.failure(steps.replace("{}", "Other")).came


def test_a_button_that_is_not_there_cannot_be_pressed(place: Place) -> None:
    error = place.failure("  - say: hi\n  - expect: hi\n  - press: Stop\n")
    assert error.expected == "a message with the button 'Stop'"


def test_a_button_with_an_address_asks_the_bot_nothing(place: Place) -> None:
    error = place.failure("  - say: hi\n  - expect: hi\n  - press: Home\n")
    assert "asks the bot nothing" in error.came


def test_what_the_simulator_refuses_people_to_do_fails_with_its_words(place: Place) -> None:
    error = place.failure("  - say: hi\n  - expect: hi\n  - block: true\n  - say: hi\n")
    assert "unblock it first" in error.came


def test_a_restart_is_made_where_it_is_written_and_after_the_bot_has_come_to_rest(
    place: Place,
) -> None:
    seen: list[int] = []
    messages = partial(place.control.messages, place.bot, ANN, ANN)
    place.play("  - say: hi\n  - restart:\n  - expect: hi\n", restart=lambda: seen.append(len(messages())))
    assert seen == [2]


def test_a_bot_that_goes_on_sending_has_not_come_to_rest(place: Place) -> None:
    def slowly(update: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for _ in range(9):
            time.sleep(0.15)  # the bot's own pace
            yield from echo(update)

    seen: list[int] = []
    messages = partial(place.control.messages, place.bot, ANN, ANN)
    steps = "  - say: hi\n  - restart:\n" + "  - expect: hi\n" * 9
    place.play(steps, slowly, restart=lambda: seen.append(len(messages())), patience=4)
    assert seen == [10]


def test_the_seconds_that_are_waited_follow_the_patience(place: Place) -> None:
    began = time.monotonic()
    place.play("  - wait: 20\n", patience=0.05)
    assert 1 <= time.monotonic() - began < 20


def test_a_simulator_that_is_not_there_is_named() -> None:
    with Control("http://127.0.0.1:9") as control, pytest.raises(DialogueError, match="cannot be reached"):
        control.get("bots")


def test_transcripts_differ_in_what_the_bot_did_and_not_in_what_was_said_about_it() -> None:
    one, other = Transcript(story=["a"]), Transcript(story=["b"])
    for transcript in (one, other):
        transcript.add(Act("message", "Ann", "bot 1", {"text": "hi"}))
    assert one == other
    other.add(Act("delete", "Ann", "bot 1", {}))
    assert one != other
    assert "+  delete bot 1" in one.difference(other)


def test_answers_are_compared_by_their_question_and_settings_by_their_last_value() -> None:
    one, other = Transcript(), Transcript()
    acts = [
        Act("answer", "answers", "press 2", {"text": "b"}),
        Act("answer", "answers", "press 10", {"text": "a"}),
        Act("call", "account", "setMyName", {"name": "new"}),
    ]
    for act in acts:
        one.add(act)
    for act in (Act("call", "account", "setMyName", {"name": "old"}), *reversed(acts)):
        other.add(act)
    assert one == other
