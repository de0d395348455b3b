"""Polls and quizzes: sending them, and stopping them before their time."""

from typing import Any

from botyard.simulator import people
from botyard.simulator.entities import units
from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.formatting import formatted
from botyard.simulator.methods.markup import read_inline_markup, read_markup
from botyard.simulator.methods.posting import post_linked
from botyard.simulator.methods.sending import place_for
from botyard.simulator.model import Json, Poll
from botyard.simulator.params import Params
from botyard.simulator.polls import LONGEST, SHORTEST, show_poll

QUESTION_LIMIT = 300
OPTION_LIMIT = 100
EXPLANATION_LIMIT = 200
EXPLANATION_LINES = 2
FEWEST_OPTIONS = 1
MOST_OPTIONS = 12


@method("sendPoll")
def send_poll(call: Call) -> Json:
    """Send a poll or quiz; it may close by itself. Media, new options by voters and countries are not known here."""
    params = call.params
    shown = _question(params) | _rules(params)
    shown |= _quiz(params, shown)
    closes = _closing(params, call.world.now(), shown)
    markup = read_markup(params)
    if not shown["is_anonymous"] and place_for(call, {"poll": {}}).type == "channel":
        raise bad_request("non-anonymous polls can't be sent to channel chats")
    poll_id = str(call.world.ids.getrandbits(62))
    poll = Poll(poll_id, call.bot.id, {"id": poll_id} | shown, closes=closes)
    call.world.polls[poll_id] = poll
    try:
        message = post_linked(call, {"poll": {}}, markup, poll_id=poll_id)
    except ApiError:
        del call.world.polls[poll_id]
        raise
    people.close_in_time(call.world, poll)
    return message


@method("stopPoll")
def stop_poll(call: Call) -> Json:
    """Close a poll of the bot and return it with its final counts."""
    markup = read_inline_markup(call.params)
    chat = call.chat()
    message = chat.messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request("message with poll to stop not found")
    if not message.poll_id:
        raise bad_request("message is not a poll")
    poll = call.world.polls[message.poll_id]
    if message.sender_id != call.bot.id or poll.bot_id != call.bot.id:
        raise bad_request("poll can't be stopped")
    if poll.shown["is_closed"]:
        raise bad_request("poll has already been closed")
    message.reply_markup = markup
    people.close_poll(call.world, poll)
    call.world.touch(chat)
    return show_poll(poll, call.bot.id)


def _question(params: Params) -> Json:
    question, entities = formatted(params, "question")
    if not question.strip():
        raise bad_request("poll question must be non-empty")
    if units(question) > QUESTION_LIMIT:
        raise bad_request(f"poll question length must not exceed {QUESTION_LIMIT}")
    given = params.items("options") or []
    options = [_option(at, option) for at, option in enumerate(given)]
    if len(options) < FEWEST_OPTIONS:
        raise bad_request("poll must have at least 1 option")
    if len(options) > MOST_OPTIONS:
        raise bad_request(f"poll can't have more than {MOST_OPTIONS} options")
    shown: Json = {"question": question, "options": options}
    if entities:
        shown["question_entities"] = entities
    description, entities = formatted(params, "description")
    if description:
        shown["description"] = description
        if entities:
            shown["description_entities"] = entities
    return shown


def _option(at: int, option: Any) -> Json:
    if isinstance(option, str):
        option = {"text": option}
    if not isinstance(option, dict):
        raise bad_request("expected an option to be of type String")
    text, entities = formatted(Params(option), "text", prefix="text_")
    if not text.strip():
        raise bad_request("poll options must be non-empty")
    if units(text) > OPTION_LIMIT:
        raise bad_request(f"poll options length must not exceed {OPTION_LIMIT}")
    shown: Json = {"persistent_id": str(at), "text": text}
    if entities:
        shown["text_entities"] = entities
    return shown


def _rules(params: Params) -> Json:
    kind = params.text("type") or "regular"
    if kind not in ("regular", "quiz"):
        raise bad_request("unsupported poll type specified")
    return {
        "is_closed": params.flag("is_closed"),
        "is_anonymous": params.flag("is_anonymous", default=True),
        "type": kind,
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": params.flag("allows_revoting", default=kind != "quiz"),
        "members_only": params.flag("members_only"),
    }


def _quiz(params: Params, shown: Json) -> Json:
    """Read what a quiz has besides: its right answers, and why they are."""
    if shown["type"] != "quiz":
        return {}
    correct = params.items("correct_option_ids")
    if correct is None:
        # The parameter's older form, for one right answer, still works.
        correct = [params.integer("correct_option_id", -1)]
    for option in correct:
        if not isinstance(option, int) or isinstance(option, bool):
            raise bad_request("correct option identifier must be of type Number")
        if not 0 <= option < len(shown["options"]):
            raise bad_request("wrong correct option ID specified")
    if not correct:
        raise bad_request("QUIZ_CORRECT_ANSWERS_EMPTY")
    if len(correct) > 1 and not shown["allows_multiple_answers"]:
        raise bad_request("QUIZ_CORRECT_ANSWERS_TOO_MUCH")
    quiz: Json = {"correct_option_ids": sorted(set(correct))}
    explanation, entities = formatted(params, "explanation")
    if units(explanation) > EXPLANATION_LIMIT or explanation.count("\n") > EXPLANATION_LINES:
        raise bad_request("message caption is too long")
    if explanation:
        quiz |= {"explanation": explanation, "explanation_entities": entities}
    return quiz


def _closing(params: Params, now: float, shown: Json) -> float:
    """Return when the poll closes by itself, in epoch seconds; 0 is never. ``open_period`` goes before."""
    period = min(max(params.integer("open_period", 0), 0), LONGEST)
    date = params.integer("close_date", 0)
    if not period and not date:
        return 0.0
    seconds = period or date - int(now)
    if not SHORTEST <= seconds <= LONGEST:
        raise bad_request("POLL_CLOSE_DATE_INVALID")
    shown["open_period"] = seconds
    shown["close_date"] = int(now) + seconds
    return now + seconds if period else float(date)
