from collections.abc import Callable
from typing import Any

import pytest

from botyard.simulator import people
from botyard.simulator.errors import ApiError
from botyard.simulator.model import Bot, Chat, Person
from botyard.simulator.simulator import Simulator
from botyard.simulator.world import World


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


class Stage:
    """A world with one bot and one person, whose calls need no server."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        self.simulator = Simulator(self.world)
        self.world.listener = self.simulator
        self.bot: Bot = self.world.add_bot("4200000001:AAAA", "demo_bot", "Demo")
        self.person: Person = self.world.add_person(Person(0, "Ann"))

    def call(self, name: str, /, **params: Any) -> Any:
        return self.call_as(self.bot, name, **params)

    def call_as(self, bot: Bot, name: str, /, **params: Any) -> Any:
        return self.simulator.execute(bot, name, params, self.clock())

    def refusal(self, name: str, /, **params: Any) -> str:
        outcome = self.call(name, **params)
        assert isinstance(outcome, ApiError), outcome
        return outcome.description

    def write(self, text: str = "hello", *, chat: Chat | None = None) -> people.Sent:
        chat = chat or self.world.private_chat(self.bot.id, self.person.id)
        return people.send(self.world, self.bot, self.person, chat, text=text)

    def say(self, text: str = "hi", **params: Any) -> int:
        message = self.call("sendMessage", chat_id=self.person.id, text=text, **params)
        assert isinstance(message, dict), message
        return int(message["message_id"])

    @property
    def private(self) -> Chat:
        return self.world.private_chat(self.bot.id, self.person.id)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def buttons() -> Callable[..., dict[str, Any]]:
    def build(*data: str) -> dict[str, Any]:
        return {"inline_keyboard": [[{"text": "A button", "callback_data": entry} for entry in data]]}

    return build
