"""Watching a bot: its calls become acts of the transcript, in the order in which Telegram got them."""

import hashlib
from typing import Any

from botyard.dialogues import calls
from botyard.dialogues.cast import BOT, Cast
from botyard.dialogues.control import Control, Json
from botyard.dialogues.errors import OrderRefused
from botyard.dialogues.texts import Texts
from botyard.dialogues.transcript import ACCOUNT, ANSWERS, Act, Transcript

QUERIES = ("callback_query_id", "inline_query_id", "pre_checkout_query_id", "shipping_query_id")
SHOWN_FILES = ("animation", "photo", "audio", "document", "video", "voice", "video_note", "sticker")
PEOPLE = ("user_id", "sender_chat_id")
DIGITS = 12


class Watcher:
    """Takes down what one bot does from now on.

    Args:
        control: the simulator.
        cast: who is there.
    """

    def __init__(self, control: Control, cast: Cast) -> None:
        self._control = control
        self._cast = cast
        self._texts = Texts(control)
        self._asked: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._after = control.events(0)[1]
        self.transcript = Transcript()
        self.refused: list[str] = []

    def asked(self, what: str, query_id: str) -> str:
        """Take note of a question, and return its name, such as ``press 2``."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self._asked[query_id] = f"{what} {self._counts[what]}"
        return self._asked[query_id]

    def last(self, what: str) -> str:
        """Return the name of the last question of a kind."""
        return f"{what} {self._counts.get(what, 0)}"

    def look(self) -> bool:
        """Take down what is new; tell whether the bot did or tried anything."""
        events, self._after = self._control.events(self._after)
        own = [event for event in events if event["kind"] == "call" and event["bot_id"] == self._cast.bot_id]
        before = len(self.transcript.story), len(self.refused)
        for event in own:
            kind = calls.kind_of(event["method"])
            if kind and not event["ok"]:
                self.refused.append(f"{event['method']}: {event['description']}")
                self.transcript.story.append(f"(refused: {self.refused[-1]})")
            elif kind:
                act = self._act(kind, event, calls.decoded(event["params"]))
                if act:
                    self.transcript.add(act)
        return before != (len(self.transcript.story), len(self.refused))

    def _act(self, kind: str, event: Json, params: Json) -> Act | None:
        if kind == "answer":
            return self._answer(params)
        if "chat_id" not in params:
            if "inline_message_id" in params:
                return Act(kind, ANSWERS, "inline message", self._said(event["method"], params))
            said = self._names(calls.details(params))
            scope = " ".join(str(params[name]) for name in ("scope", "language_code") if params.get(name))
            return Act("call", ACCOUNT, f"{event['method']} {scope}".strip(), said)
        place = self._cast.place(params["chat_id"])
        if kind == "message":
            return self._message(place, event, params)
        label = self._cast.label(place, params["message_id"]) if "message_id" in params else ""
        if kind == "edit":
            files = self._files(place, [params["message_id"]]) if "media" in params else {}
            return Act(kind, place, label, self._said(event["method"], params) | files)
        if kind == "delete":
            labels = [self._cast.label(place, one) for one in params.get("message_ids", [])]
            return Act(kind, place, label or ", ".join(labels), {})
        said = self._names(calls.details(params))
        if kind == "call" or event["method"].lower() != "pinchatmessage":
            said["method"] = event["method"]
        return Act(kind, place, label, said)

    def _message(self, place: str, event: Json, params: Json) -> Act:
        said = self._said(event["method"], params)
        ids = [event["message_id"]] if event["message_id"] else self._unnamed(place, params)
        if any(name in params or name in event["params"] for name in calls.FILES):
            said |= self._files(place, ids)
        labels = [self._cast.note(place, message_id, BOT, str(said.get("text", ""))) for message_id in ids]
        reply = params.get("reply_parameters") or {}
        answered: tuple[str, ...] = ()
        if reply_to := reply.get("message_id") or params.get("reply_to_message_id"):
            label = said["reply_to"] = self._cast.label(place, reply_to)
            answered = (label, self._cast.text(place, label))
        if reply.get("quote"):
            said["quote"] = reply["quote"]
        if "from_chat_id" in params:
            source = self._cast.place(params["from_chat_id"])
            numbers = params.get("message_ids") or [params.get("message_id")]
            said["source"] = [f"{source}: {self._cast.label(source, number)}" for number in numbers]
        return Act("message", place, ", ".join(labels), said, answered)

    def _said(self, method: str, params: Json) -> Json:
        said: Json = {"what": calls.what_of(method)} | self._names(calls.details(params))
        media = params.get("media")
        worded = [params, *(media if isinstance(media, list) else [media] if isinstance(media, dict) else [])]
        read = [self._read(item) for item in worded]
        if texts := [text for text, _ in read if text]:
            said["text"] = "\n".join(texts)
        if entities := [entity for _, found in read for entity in found]:
            said["entities"] = entities
        for name in ("question", "explanation"):
            if name in params:
                said[name] = self._texts.read(params[name], params.get(f"{name}_parse_mode", ""), None)[0]
        if "question" in params:
            said["text"] = said.pop("question")
            said["options"] = [one if isinstance(one, str) else one["text"] for one in params["options"]]
        elif "title" in params and "text" not in said:
            said["text"] = params["title"]
        return said | calls.keyboard(params.get("reply_markup"))

    def _read(self, item: Json) -> tuple[str, list[Json]]:
        text = item.get("text") or item.get("caption") or ""
        marks = item.get("entities") or item.get("caption_entities")
        return self._texts.read(str(text), str(item.get("parse_mode") or ""), marks)

    def _answer(self, params: Json) -> Act | None:
        query_id = next((str(params[name]) for name in QUERIES if name in params), "")
        question = self._asked.get(query_id, "a question from elsewhere")
        said = self._names(calls.details(params)) | ({"text": params["text"]} if params.get("text") else {})
        if "results" in params:
            said["results"] = calls.results(params["results"])
        known = self.transcript.acts.get(ANSWERS, [])
        # Only the first answer to a press is shown, and one that shows nothing may as well be the host's.
        if "callback_query_id" in params and (not said or any(act.subject == question for act in known)):
            return None
        return Act("answer", ANSWERS, question, said)

    def _names(self, said: Json) -> Json:
        return {name: self._cast.place(value) if name in PEOPLE else value for name, value in said.items()}

    def _unnamed(self, place: str, params: Json) -> list[int]:
        """Return the messages that came of a call whose result names none: an album, or copies."""
        count = len(params.get("media") or params.get("message_ids") or [])
        found = [
            message["message_id"] for message in reversed(self._cast.newest(place)) if self._is_new(place, message)
        ]
        return found[:count]

    def _is_new(self, place: str, message: Json) -> bool:
        own = message.get("from", {}).get("id") == self._cast.bot_id or "sender_chat" in message
        return own and not self._cast.knows(place, message["message_id"])

    def _files(self, place: str, ids: list[Any]) -> Json:
        shown = {message["message_id"]: message for message in self._cast.newest(place)}
        return {"files": [self._file(shown.get(int(one), {})) for one in ids]}

    def _file(self, message: Json) -> Json:
        kind = next((kind for kind in SHOWN_FILES if kind in message), "")
        if not kind:
            return {"kind": "gone", "name": ""}
        file = message[kind][-1] if kind == "photo" else message[kind]
        try:
            content = hashlib.sha256(self._control.file(file["file_unique_id"])).hexdigest()[:DIGITS]
        except OrderRefused:
            content = "not kept"
        return {"kind": kind, "name": file.get("file_name", ""), "content": content}
