"""What people do in a dialogue: each verb of a step becomes an order to the simulator."""

import base64
from collections.abc import Callable
from typing import Any

from botyard.dialogues.cast import Cast
from botyard.dialogues.control import Control, Json
from botyard.dialogues.errors import DialogueError
from botyard.dialogues.script import File, Sending, Step
from botyard.dialogues.watching import Watcher

Until = Callable[[Callable[[], Any], str], Any]
"""Waits until something is found, and fails with the given words when it is not found in time."""


class People:
    """Lets the people of a dialogue act.

    Args:
        control: the simulator.
        cast: who is there.
        watcher: is told what was asked.
        until: waits for what people must see before they can act on it.
    """

    def __init__(self, control: Control, cast: Cast, watcher: Watcher, until: Until) -> None:
        self._control = control
        self._cast = cast
        self._watcher = watcher
        self._until = until
        self._query = ""

    def act(self, step: Step) -> str:
        """Do what a step says, and return the place where it was done.

        Raises:
            OrderRefused: the simulator does not let them.
            DialogueError: they do not see what they should act on.
        """
        place = step.place or step.by or self._cast.first
        where: Json = {"bot_id": self._cast.bot_id, "person_id": self._cast.person(step.by)}
        where["chat_id"] = self._cast.chat(place)
        order = getattr(self, f"_{step.verb}")
        order(step, place, where)
        return place

    def _say(self, step: Step, place: str, where: Json) -> None:
        self._sent(step, place, self._control.post("send", text=step.say, **self._reply(step, place), **where))

    def _send(self, step: Step, place: str, where: Json) -> None:
        given: Sending = step.given
        what = given.model_dump(exclude_unset=True)
        if given.file:
            what = file_order(given.file)
        elif given.album:
            what = {"items": [file_order(file) for file in given.album]}
        self._sent(step, place, self._control.post("send", **what, **self._reply(step, place), **where))

    def _tap(self, step: Step, place: str, where: Json) -> None:
        self._sent(step, place, self._control.post("tap", **step.given.model_dump(exclude_unset=True), **where))

    def _press(self, step: Step, place: str, where: Json) -> None:
        def find() -> tuple[Json, Json] | None:
            seen = (message for message in self._cast.newest(place) if step.on in words(message))
            pairs = ((message, button) for message in seen for button in buttons(message))
            return next((pair for pair in pairs if pair[1]["text"] == step.press), None)

        message, button = self._until(find, f"a message with the button {step.press!r}")
        if "callback_data" not in button and "callback_game" not in button:
            raise DialogueError(f"the button {step.press!r} asks the bot nothing: {button}")
        data = button.get("callback_data", "")
        made = self._control.post("press", message_id=message["message_id"], data=data, **where)
        self._watcher.asked("press", made["callback_query_id"])

    def _edit(self, step: Step, place: str, where: Json) -> None:
        message = self._own(step, place, where)
        self._control.post("edit", message_id=message["message_id"], text=step.edit, **where)

    def _delete(self, step: Step, place: str, where: Json) -> None:
        text = step.delete or ""
        message = self._find(place, lambda one: text in words(one), f"a message with {text!r}")
        self._control.post("delete", message_id=message["message_id"], **where)

    def _vote(self, step: Step, place: str, where: Json) -> None:
        message = self._find(place, lambda one: "poll" in one and step.on in one["poll"]["question"], "a poll")
        texts = [option["text"] for option in message["poll"]["options"]]
        missing = [label for label in step.given if label not in texts]
        if missing:
            raise DialogueError(f"the poll has no option {missing[0]!r}: it has {texts}")
        chosen = [texts.index(label) for label in step.given]
        self._control.post("vote", message_id=message["message_id"], options=chosen, **where)

    def _react(self, step: Step, place: str, where: Json) -> None:
        message = self._find(place, lambda one: self._of_bot(one) and step.on in words(one), "a message of the bot")
        self._control.post("react", message_id=message["message_id"], emoji=step.react, **where)

    def _pay(self, step: Step, place: str, where: Json) -> None:
        message = self._find(place, lambda one: "invoice" in one and step.on in one["invoice"]["title"], "an invoice")
        order = {"order_info": step.given.order, "tip": step.given.tip}
        made = self._control.post("pay", message_id=message["message_id"], **order, **where)
        self._ask("payment", made)

    def _ship(self, step: Step, place: str, where: Json) -> None:  # noqa: ARG002 - every verb is given the same
        self._until(lambda: self._state() == "offered", "ways of delivery")
        self._ask("payment", self._control.post("pay/ship", query_id=self._query, option_id=step.ship))

    def _inline(self, step: Step, place: str, where: Json) -> None:
        kind = "sender" if self._cast.chat(place) > 0 else "supergroup"
        self._ask("inline query", self._control.post("inline", query=step.inline, chat_type=kind, **where))

    def _choose(self, step: Step, place: str, where: Json) -> None:
        self._until(lambda: self._state() == "answered", "results")
        results = self._control.get("query", query_id=self._query)["answer"]["results"]
        found = next((result["id"] for result in results if result.get("title") == step.choose), None)
        if found is None:
            raise DialogueError(f"there is no result {step.choose!r}: {[one.get('title') for one in results]}")
        made = self._control.post("inline/choose", query_id=self._query, result_id=found, **where)
        self._cast.note(place, made["message_id"], step.by or self._cast.first, step.given)

    def _join(self, step: Step, place: str, where: Json) -> None:  # noqa: ARG002 - every verb is given the same
        self._control.post("join", person_id=where["person_id"], chat_id=self._cast.chat(step.given))

    def _leave(self, step: Step, place: str, where: Json) -> None:  # noqa: ARG002 - every verb is given the same
        self._control.post("leave", person_id=where["person_id"], chat_id=self._cast.chat(step.given))

    def _add(self, step: Step, place: str, where: Json) -> None:  # noqa: ARG002 - every verb is given the same
        self._control.post(step.verb, user_id=self._cast.anybody(step.given), **where)

    _remove = _promote = _add

    def _block(self, step: Step, place: str, where: Json) -> None:  # noqa: ARG002 - every verb is given the same
        self._control.post("block", blocked=step.block, **where)

    def _sent(self, step: Step, place: str, made: Json) -> None:
        who = step.by or self._cast.first
        for message_id in made.get("message_ids", [made["message_id"]]):
            self._cast.note(place, message_id, who, step.say or "")

    def _reply(self, step: Step, place: str) -> Json:
        if step.reply_to is None:
            return {}
        text = step.reply_to
        message = self._find(place, lambda one: text in words(one), f"a message with {text!r}")
        return {"reply_to": message["message_id"]}

    def _own(self, step: Step, place: str, where: Json) -> Json:
        who = where["person_id"]
        return self._find(place, lambda one: one["from"]["id"] == who and step.on in words(one), "a message of theirs")

    def _find(self, place: str, fits: Callable[[Json], bool], what: str) -> Json:
        found: Json = self._until(lambda: next(filter(fits, self._cast.newest(place)), None), what)
        return found

    def _of_bot(self, message: Json) -> bool:
        return bool(message.get("from", {}).get("id") == self._cast.bot_id)

    def _ask(self, what: str, made: Json) -> None:
        self._query = made["query_id"]
        self._watcher.asked(what, self._query)

    def _state(self) -> str:
        return str(self._control.get("query", query_id=self._query)["state"])


def file_order(file: File) -> Json:
    """Return a file as the simulator takes it."""
    inner = {name: value for name, value in (("name", file.name), ("mime_type", file.mime_type)) if value}
    if file.content:
        inner["base64"] = base64.b64encode(file.content.encode()).decode()
    return {"kind": file.kind, "file": inner, "caption": file.caption}


def buttons(message: Json) -> list[Json]:
    """Return the inline buttons of a message."""
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [button for row in rows for button in row]


def words(message: Json) -> str:
    """Return the text or caption of a message."""
    return str(message.get("text") or message.get("caption") or "")
