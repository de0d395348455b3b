"""Playing a dialogue: people act, the bot is watched, and whatever it does must be what is expected."""

import time
from collections.abc import Callable
from typing import Any, Final

from botyard.dialogues.acting import People
from botyard.dialogues.cast import Cast
from botyard.dialogues.control import Control
from botyard.dialogues.errors import DialogueError, DialogueFailed
from botyard.dialogues.script import Dialogue, Step
from botyard.dialogues.transcript import ANSWERS, Act, Transcript
from botyard.dialogues.watching import Watcher

QUIET: Final = 0.3
"""Seconds without a call after which a bot that has fetched everything is taken to be done."""
FIRST_LOOK: Final = 0.01
LONGEST_LOOK: Final = 0.08


class Player:
    """Plays one dialogue with one bot. First :meth:`prepare`, then the bot is started, then :meth:`play`.

    Args:
        dialogue: what to play.
        control: the simulator.
        token: the bot's token.
        patience: a factor on the seconds of the file, for slow machines.
    """

    def __init__(self, dialogue: Dialogue, control: Control, token: str, *, patience: float = 1.0) -> None:
        self._dialogue = dialogue
        self._control = control
        self._token = token
        self._patience = patience
        self._cast = Cast(control, dialogue, int(token.partition(":")[0]))
        self._seen: dict[str, int] = {}
        self._place = self._cast.first
        self._step = dialogue.steps[0]

    def prepare(self) -> None:
        """Make the bot known to the simulator, let everybody be there, and begin to watch.

        Raises:
            DialogueError: the simulator refuses something.
        """
        bot = self._dialogue.bot
        self._control.post("bots", token=self._token, username=bot.username, name=bot.name)
        self._control.post("settings", bot_id=self._cast.bot_id, flood=False)
        self._watcher = Watcher(self._control, self._cast)
        self._people = People(self._control, self._cast, self._watcher, self._until)
        self._cast.enter()

    def play(self, restart: Callable[[], None]) -> Transcript:
        """Play all steps.

        Args:
            restart: restarts whatever runs the bot.

        Returns:
            What the bot did.

        Raises:
            DialogueFailed: the bot did something else than what is expected.
            DialogueError: a person could not do what is written.
        """
        for step in self._dialogue.steps:
            self._step = step
            self._watcher.transcript.story.append(f"{step.line}: {step}")
            try:
                self._play(step, restart)
            except DialogueFailed:
                raise
            except DialogueError as error:
                raise self._failure(str(step), str(error)) from error
        self._settle()
        self._check_nothing_is_left()
        return self._watcher.transcript

    def _play(self, step: Step, restart: Callable[[], None]) -> None:
        if step.verb == "restart":
            self._settle()
            restart()
        elif step.verb == "wait":
            self._watch_for(step.given * self._patience)
        elif step.verb == "advance":
            self._control.post("clock", advance=step.given)
        elif step.verb == "silence":
            self._expect_silence(step)
        elif step.verb.startswith("expect"):
            self._place = step.place or self._place
            getattr(self, f"_{step.verb}")(step)
        else:
            self._place = self._people.act(step)

    def _expect(self, step: Step) -> None:
        self._judge("message", step, step.given.lacks, f"a message: {step.given}")

    def _expect_edit(self, step: Step) -> None:
        self._judge("edit", step, step.given.lacks, f"an edited message: {step.given}")

    def _expect_delete(self, step: Step) -> None:
        self._judge("delete", step, self._about(step.given), f"that it deletes {step.given or 'a message'}")

    def _expect_pin(self, step: Step) -> None:
        self._judge("pin", step, self._about(step.given), f"that it pins {step.given or 'a message'}")

    def _expect_reaction(self, step: Step) -> None:
        def lacks(act: Act) -> str:
            emoji = [one.get("emoji") for one in act.fields.get("reaction", [])]
            return "" if step.given in {"", *emoji} else f"the reaction is {emoji}"

        self._judge("reaction", step, lacks, f"a reaction {step.given}")

    def _expect_call(self, step: Step) -> None:
        def lacks(act: Act) -> str:
            fields = {name: str(value) for name, value in act.fields.items()}
            wrong = {name: fields.get(name) for name, value in step.given.items() if fields.get(name) != str(value)}
            return ", ".join(f"{name} is {value!r}" for name, value in wrong.items())

        self._judge("call", step, lacks, f"a call: {step.given}")

    def _expect_answer(self, step: Step) -> None:
        expected = f"an answer to the last press: {step.given.model_dump(exclude_none=True)}"
        self._judge_answer("press", step.given.lacks, expected)

    def _expect_results(self, step: Step) -> None:
        def lacks(said: dict[str, Any]) -> str:
            titles = [result.get("title") for result in said["results"]]
            return "" if titles == step.given else f"the results are {titles}"

        self._judge_answer("inline query", lacks, f"the results {step.given}")

    def _expect_payment(self, step: Step) -> None:
        def lacks(said: dict[str, Any]) -> str:
            came = "accepted" if said.get("ok") else said.get("error_message", "")
            return "" if step.given == came else f"it is {came!r}"

        self._judge_answer("payment", lacks, f"that the payment is {step.given!r}")

    def _expect_commands(self, step: Step) -> None:
        def shown() -> list[str]:
            query = {"bot_id": self._cast.bot_id, "person_id": self._cast.watcher(self._place)}
            menu = self._control.get("menu", chat_id=self._cast.chat(self._place), **query)
            return [one["command"] for one in menu["commands"]]

        self._until(lambda: shown() == step.given, f"the commands {step.given}")

    def _expect_silence(self, step: Step) -> None:
        place = step.place or self._place
        self._watch_for(step.given)
        if act := self._next(place):
            raise self._failure(f"nothing in {place} for {step.given:g} s", str(act))

    def _about(self, text: str) -> Callable[[Act], str]:
        """Return a judge of what an act is about: the name of the message, or its words."""

        def lacks(act: Act) -> str:
            names = [name for name in act.subject.split(", ") if name]
            known = {*names, *(self._cast.text(act.place, name) for name in names)}
            return "" if not text or text in known else f"it is about {act.subject}"

        return lacks

    def _judge(self, kind: str, step: Step, lacks: Callable[[Act], str], expected: str) -> None:
        """Take the next act of a place, which must be of a kind and lack nothing."""
        place = step.place or self._place
        act: Act = self._until(lambda: self._next(place), expected)
        self._seen[place] = self._seen.get(place, 0) + 1
        problem = lacks(act) if act.kind == kind else f"it is no {kind}"
        if problem:
            raise self._failure(expected, f"{act} ({problem})")

    def _judge_answer(self, what: str, lacks: Callable[[dict[str, Any]], str], expected: str) -> None:
        """Wait for the answer to the last question of a kind; answers stand in no order among messages."""
        question = self._watcher.last(what)

        def find() -> Act | None:
            self._watcher.look()
            answers = self._watcher.transcript.acts.get(ANSWERS, [])
            return next((act for act in answers if act.subject == question), None)

        act: Act = self._until(find, expected)
        if problem := lacks(dict(act.fields)):
            raise self._failure(expected, f"{act} ({problem})")

    def _next(self, place: str) -> Act | None:
        """Return the first act of a place that no step has expected yet."""
        self._watcher.look()
        acts = self._watcher.transcript.acts.get(place, [])
        seen = self._seen.get(place, 0)
        return acts[seen] if seen < len(acts) else None

    def _until(self, find: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + (self._step.within or self._dialogue.seconds) * self._patience
        pause = FIRST_LOOK
        while not (found := find()):
            if time.monotonic() > deadline:
                self._watcher.look()
                raise self._failure(what, self._instead())
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)
        return found

    def _instead(self) -> str:
        refused = f"; Telegram refused {self._watcher.refused[-1]}" if self._watcher.refused else ""
        return f"nothing in time{refused}"

    def _watch_for(self, seconds: float) -> None:
        """Watch for some seconds of the machine's clock, which is the bot's."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(LONGEST_LOOK, left))
            self._watcher.look()

    def _settle(self) -> None:
        """Wait until the bot has fetched everything, and then has been quiet for a while."""
        deadline = time.monotonic() + self._dialogue.seconds * self._patience
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET * self._patience:
            waiting = self._control.get("pending")["bots"].get(str(self._cast.bot_id), 0)
            if self._watcher.look() or waiting:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise self._failure("that the bot comes to rest", f"{waiting} updates wait")
            time.sleep(LONGEST_LOOK)

    def _check_nothing_is_left(self) -> None:
        for place in (*self._cast.people, *self._cast.groups):
            if act := self._next(place):
                raise self._failure(f"nothing more in {place}", str(act))

    def _failure(self, expected: str, came: str) -> DialogueFailed:
        story = "\n".join(self._watcher.transcript.story)
        return DialogueFailed(self._dialogue.where(self._step), str(self._step), expected, came, story)
