"""Who takes part in a dialogue: names in the file, ids at the simulator, and the names of messages."""

from typing import Any

from botyard.dialogues.control import Control, Json
from botyard.dialogues.errors import DialogueError
from botyard.dialogues.script import Dialogue

FIRST_PERSON = 900_000_001
"""People have the same ids in every run, for some bots show them."""
BOT = "bot"


class Cast:
    """The people and groups of a dialogue, and what their messages are called.

    Args:
        control: the simulator.
        dialogue: whose people and groups.
        bot_id: the bot.
    """

    def __init__(self, control: Control, dialogue: Dialogue, bot_id: int) -> None:
        self._control = control
        self._dialogue = dialogue
        self.bot_id = bot_id
        self.people = {name: FIRST_PERSON + number for number, name in enumerate(dialogue.people)}
        self.groups: dict[str, int] = {}
        self.first = next(iter(self.people))
        self._places = {person_id: name for name, person_id in self.people.items()}
        self._messages: dict[tuple[str, int], str] = {}
        self._texts: dict[str, str] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def enter(self) -> None:
        """Let everybody be there: people, then groups, each made by its first member."""
        for name, person in self._dialogue.people.items():
            self._control.post("people", id=self.people[name], first_name=name, **person.model_dump())
        for name, group in self._dialogue.groups.items():
            creator, *others = (self.people[member] for member in group.members)
            in_it = [self.bot_id] if group.bot == "member" and group.type != "channel" else []
            made = self._control.post(
                "groups", title=name, type=group.type, creator_id=creator, member_ids=others, bot_ids=in_it
            )
            self.groups[name] = made["id"]
            self._places[made["id"]] = name
            if group.bot == "administrator":
                self._control.post("add", person_id=creator, chat_id=made["id"], user_id=self.bot_id)
                self._control.post("promote", person_id=creator, chat_id=made["id"], user_id=self.bot_id)

    def person(self, name: str) -> int:
        """Return the id of a person, of the first one for an empty name."""
        return self.people[name or self.first]

    def anybody(self, name: str) -> int:
        """Return the id of a person, or of the bot.

        Raises:
            DialogueError: nobody has this name.
        """
        if name not in {BOT, *self.people}:
            raise DialogueError(f"{name} is nobody: say {BOT}, {', '.join(self.people)}")
        return self.bot_id if name == BOT else self.people[name]

    def chat(self, place: str) -> int:
        """Return the id of a chat: of a group, or of the private chat of a person."""
        return self.groups.get(place) or self.people[place]

    def watcher(self, place: str) -> int:
        """Return the id of somebody who sees a chat."""
        group = self._dialogue.groups.get(place)
        return self.people[group.members[0] if group else place]

    def place(self, chat_id: Any) -> str:
        """Return the name of a chat by its id, or the id where nobody has named it."""
        known = str(chat_id).removeprefix("-").isdigit()
        number = int(chat_id) if known else 0
        return BOT if number == self.bot_id else self._places.get(number, str(chat_id))

    def note(self, place: str, message_id: int, who: str, text: str = "") -> str:
        """Give a new message its name: who sent it, and the how manyeth of theirs it is in its chat."""
        count = self._counts[place, who] = self._counts.get((place, who), 0) + 1
        label = self._messages[place, message_id] = f"{who} {count}"
        self._texts[f"{place}/{label}"] = text
        return label

    def label(self, place: str, message_id: Any) -> str:
        """Return the name of a message."""
        number = int(message_id) if str(message_id).isdigit() else 0
        return self._messages.get((place, number), "something")

    def text(self, place: str, label: str) -> str:
        """Return what a message said when it was new."""
        return self._texts.get(f"{place}/{label}", "")

    def knows(self, place: str, message_id: int) -> bool:
        """Tell whether a message has a name."""
        return (place, message_id) in self._messages

    def moved(self, place: str, chat_id: int) -> None:
        """Take note that a group has become a supergroup."""
        self.groups[place] = chat_id
        self._places[chat_id] = place

    def newest(self, place: str) -> list[Json]:
        """Return the messages of a chat, the newest first."""
        return self._control.messages(self.bot_id, self.chat(place), self.watcher(place))
